import os
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import RecipeError, SourceError
from curation.source import Found, Source
from curation.sources.folder import Folder
from tests.curation.conftest import encoded, scene

MakeFolder = Callable[..., Path]


def test_every_source_is_described_and_refuses_unknown_keys() -> None:
    for kind in Source.kinds():
        assert Source.help_of(kind)
        with pytest.raises(RecipeError, match="no such key"):
            Source.parse({"kind": kind, "nonsense": 1})


def found(root: Path) -> dict[str, Found]:
    return {picture.name: picture for picture in Folder(path=str(root)).pictures()}


def test_pictures_are_found_at_any_depth_in_order_with_what_lies_beside_them(folder: MakeFolder) -> None:
    root = folder(3, 1)
    (root / "sub" / "deeper").mkdir(parents=True)
    (root / "sub" / "deeper" / "Ünï cödé\n.PNG").write_bytes(encoded(scene(5)))
    (root / "001.txt").write_text("  a red\n  box ")
    (root / "003.png.caption").write_text("\ufeffa blue box")
    (root / "sub" / "deeper" / "Ünï cödé\n.json").write_text('{"caption": "boxes"}')
    pictures = found(root)
    assert list(pictures) == ["001.png", "003.png", "sub/deeper/Ünï cödé\n.PNG"]
    assert [picture.caption for picture in pictures.values()] == ["a red box", "a blue box", "boxes"]
    status = (root / "001.png").stat()
    first = pictures["001.png"]
    assert (first.uri, first.size, first.mtime_ns) == (str(root / "001.png"), status.st_size, status.st_mtime_ns)
    assert first.read() == (root / "001.png").read_bytes()


def test_what_is_plainly_no_picture_is_passed_over_and_what_is_meant_as_one_is_told(folder: MakeFolder) -> None:
    root = folder(1)
    for name in ("README", "LICENSE", "notes.md", "metadata.jsonl", ".hidden.png", "Thumbs.db", "001.txt", "code.bin"):
        (root / name).write_bytes(b"not a picture")
    (root / ".git").mkdir()
    (root / ".git" / "object.png").write_bytes(encoded(scene(2)))
    (root / "__MACOSX").mkdir()
    (root / "__MACOSX" / "001.png").write_bytes(b"resource fork")
    (root / "broken.jpg").write_bytes(b"<html>")
    (root / "phone.HEIC").write_bytes(b"")
    (root / "download").write_bytes(encoded(scene(3)))
    (root / "export.dat").write_bytes(encoded(scene(4), "JPEG"))
    (root / "folder.png").mkdir()
    assert list(found(root)) == ["001.png", "broken.jpg", "download", "export.dat", "phone.HEIC"]


def test_links_are_followed_but_never_in_circles(folder: MakeFolder, tmp_path: Path) -> None:
    root = folder(1)
    folder(2, name="elsewhere")
    (root / "linked").symlink_to(tmp_path / "elsewhere")
    (root / "linked" / "back").symlink_to(root)
    (root / "self").symlink_to(root)
    (root / "nowhere.png").symlink_to(tmp_path / "gone.png")
    pictures = found(root)
    assert list(pictures) == ["001.png", "linked/002.png", "nowhere.png"]
    with pytest.raises(OSError, match="No such file"):
        pictures["nowhere.png"].read()


def test_a_name_that_is_no_text_is_told_and_read_all_the_same(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/caf\xe9.png"
    with open(path, "wb") as file:  # noqa: PTH123  pathlib has no bytes
        file.write(encoded(scene(1)))
    (picture,) = found(tmp_path).values()
    assert picture.name == "caf\\xe9.png"
    picture.uri.encode()
    assert picture.read() == encoded(scene(1))


def test_pipes_are_told_and_not_waited_for(folder: MakeFolder) -> None:
    root = folder(1)
    os.mkfifo(root / "pipe.png")
    with pytest.raises(OSError, match="not a file"):
        found(root)["pipe.png"].read()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_told(folder: MakeFolder) -> None:
    root = folder(1, 2)
    (root / "001.png").chmod(0)
    (root / "closed").mkdir(mode=0)
    pictures = found(root)
    for name in ("001.png", "closed"):
        with pytest.raises(PermissionError):
            pictures[name].read()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("001.txt", b"caf\xe9", "not UTF-8"),
        ("001.json", b"{", "not JSON"),
        ("001.json", b'{"text": "a"}', None),
        ("001.json", b'{"caption": 3}', "no caption"),
        ("001.txt", b"a" * (2 << 20), "more than"),
    ],
)
def test_a_caption_that_cannot_be_read_is_left_out_and_told(
    folder: MakeFolder, name: str, content: bytes, words: str | None
) -> None:
    root = folder(1)
    (root / name).write_bytes(content)
    picture = found(root)["001.png"]
    assert picture.caption == ""
    assert (words or "") in picture.note and bool(picture.note) == bool(words)


def test_half_a_character_in_a_caption_is_replaced(folder: MakeFolder) -> None:
    root = folder(1)
    (root / "001.json").write_text(r'"a \ud83d cat"')
    assert found(root)["001.png"].caption == "a ? cat"


def test_an_empty_or_missing_folder_is_an_error_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("x")
    for name, words in (("gone", "does not exist"), ("file", "is a file"), ("empty", "holds no pictures")):
        with pytest.raises(SourceError, match=words):
            found(tmp_path / name)


def test_the_name_of_a_source_does_not_depend_on_where_it_stands(tmp_path: Path) -> None:
    assert Folder(path=str(tmp_path / "a" / "cats" / "")).name == Folder(path="cats").name == "cats"
    assert Folder(path="cats", label="mine").name == "mine"
