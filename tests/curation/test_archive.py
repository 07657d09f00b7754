import io
import os
import random
import struct
import tarfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import SourceError
from curation.ingest import ingest
from curation.source import Found
from curation.sources.archive import Archive
from curation.sources.folder import Folder
from store.store import Store
from tests.curation.conftest import encoded, scene
from tests.curation.packing import by_name, refused_with, tarred, zipped

KINDS = [".zip", ".tar", ".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst"]
PICTURES = {f"{folder}/{seed}.png": encoded(scene(seed)) for seed, folder in enumerate("cbabca")}
BESIDE = {
    "a/2.txt": b"  a red\n  box ",
    "b/1.png.caption": "\ufeffa blue box".encode(),
    "c/0.json": b'{"caption": "boxes"}',
    "notes.md": b"notes",
    ".hidden.png": b"x",
    "__MACOSX/a.png": b"x",
}


def packed(path: Path, members: dict[str, bytes]) -> Path:
    return zipped(path, members) if path.suffix == ".zip" else tarred(path, members)


def found(path: Path, **options: object) -> dict[str, Found]:
    return by_name(Archive(path=str(path), **options))


@pytest.fixture(params=KINDS)
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Path]:
    """An archive of each kind."""

    def make(members: dict[str, bytes], name: str = "pictures") -> Path:
        return packed(tmp_path / f"{name}{request.param}", members)

    return make


def test_an_archive_holds_what_the_same_folder_holds(make: Callable[..., Path], tmp_path: Path) -> None:
    members = {**PICTURES, **BESIDE, "download": encoded(scene(9)), "code.bin": b"no picture"}
    archive = found(make(members))
    for name, data in members.items():
        (tmp_path / "folder" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "folder" / name).write_bytes(data)
    folder = by_name(Folder(path=str(tmp_path / "folder")))
    assert archive.keys() == folder.keys()
    for name, picture in archive.items():
        assert (picture.size, picture.caption, picture.note) == (folder[name].size, folder[name].caption, "")
        assert picture.read() == members[name]
        assert picture.uri.endswith(f"!/{name}")


def test_members_are_read_by_many_threads_in_any_order(make: Callable[..., Path]) -> None:
    members = {f"{number:03}.png": encoded(scene(number, 24, 24)) for number in range(40)}
    pictures = list(found(make(members)).values()) * 3
    random.Random(1).shuffle(pictures)
    with ThreadPoolExecutor(8) as threads:
        for picture, data in zip(pictures, threads.map(lambda one: one.read(), pictures), strict=True):
            assert data == members[picture.name]


def test_a_rebuilt_archive_with_one_picture_more_is_read_for_that_one_only(
    make: Callable[..., Path], tmp_path: Path
) -> None:
    store = Store.open(tmp_path / "store")
    path = make({**PICTURES, "a/2.txt": b"a red box"})
    first = ingest(store, Archive(path=str(path)))
    assert (first.new, first.read, dict(first.refused)) == (6, 6, {})
    captions = store.captions()
    assert [captions[r.id].user for r in store.records() if r.name == "a/2.png" and r.id in captions] == ["a red box"]
    make({"0.png": encoded(scene(77)), **PICTURES, "a/2.txt": b"a red box"})
    again = ingest(store, Archive(path=str(path)))
    assert (again.found, again.unchanged, again.read, again.removed) == (7, 6, 1, 0)
    data = bytearray(PICTURES["a/2.png"])
    data[-30] ^= 1  # of the same length and date
    make({"0.png": encoded(scene(77)), **PICTURES, "a/2.png": bytes(data)})
    assert ingest(store, Archive(path=str(path))).read == 1


def test_nothing_is_written_and_nothing_outside_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    members = {"../out.png": b"1", "/etc/out.png": b"2", "a/../../out.png": b"3", "C:/out.png": b"4", "in.png": b"5"}
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    for kind in (".zip", ".tar", ".tar.gz"):
        pictures = found(packed(tmp_path / f"a{kind}", members))
        assert {name: refused_with(picture) for name, picture in pictures.items()} == {
            **dict.fromkeys(members, "leads_outside"),
            "in.png": "",
        }
    windows = found(zipped(tmp_path / "windows.zip", {"a\\b.png": b"1", "..\\c.png": b"2"}))
    assert {name: refused_with(picture) for name, picture in windows.items()} == {
        "a/b.png": "",
        "../c.png": "leads_outside",
    }
    assert not list((tmp_path / "work").iterdir())


def odd(kind: bytes, name: str = "odd.png", target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def test_links_and_devices_are_refused_and_lead_nowhere(tmp_path: Path) -> None:
    more = [
        odd(tarfile.SYMTYPE, "link.png", "/etc/passwd"),
        odd(tarfile.LNKTYPE, "hard.png", "a.png"),
        odd(tarfile.FIFOTYPE, "pipe.png"),
        odd(tarfile.CHRTYPE, "null.png"),
        odd(tarfile.SYMTYPE, "folder", "/etc"),
    ]
    for kind in (".tar", ".tar.gz"):
        pictures = found(tarred(tmp_path / f"a{kind}", {"a.png": b"1"}, more))
        assert {name: refused_with(picture) for name, picture in pictures.items()} == {
            "a.png": "",
            "link.png": "link",
            "hard.png": "link",
            "pipe.png": "unreadable",
            "null.png": "unreadable",
        }
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        info = zipfile.ZipInfo("link.png")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
        archive.writestr("a.png", b"1")
    assert refused_with(found(tmp_path / "a.zip")["link.png"]) == "link"


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"bomb.png": bytes(30 << 20), "a.png": PICTURES["a/2.png"]})
    assert {name: refused_with(one) for name, one in found(path).items()} == {"bomb.png": "bomb", "a.png": ""}
    raised = found(path, max_ratio=2000)
    assert refused_with(raised["bomb.png"]) == ""
    assert raised["bomb.png"].size != found(path)["bomb.png"].size, "another limit makes it be looked at again"
    assert refused_with(found(path, max_bytes=20 << 20, max_ratio=2000)["bomb.png"]) == "too_many_bytes"


def test_many_members_that_share_their_bytes_are_a_bomb_together(tmp_path: Path) -> None:
    """Overlapping members, as in Fifield's zip bomb: each of them is harmless."""
    path = zipped(tmp_path / "a.zip", {"00000.png": bytes(900_000)})
    data = path.read_bytes()
    start, end = data.rfind(b"PK\x01\x02"), data.rfind(b"PK\x05\x06")
    entries = b"".join(data[start:end].replace(b"00000.png", b"%05d.png" % number) for number in range(5000))
    tail = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 5000, 5000, len(entries), start, 0)
    path.write_bytes(data[:start] + entries + tail)
    codes = Counter(refused_with(one) if name > "00200.png" else "early" for name, one in found(path).items())
    assert codes == {"early": 201, "bomb": 4799}


def test_a_packed_tar_that_is_a_bomb_gives_what_stands_before_it(tmp_path: Path) -> None:
    members = {"a.png": PICTURES["a/2.png"], "bomb.png": bytes(60 << 20), "z.png": PICTURES["a/2.png"]}
    path = tarred(tmp_path / "a.tar.gz", members)
    pictures = found(path)
    assert refused_with(pictures["a.png"]) == ""
    assert refused_with(pictures["a.tar.gz"]) == "bomb"
    assert "z.png" not in pictures


def test_archives_in_archives_and_encrypted_members_are_told(tmp_path: Path, make: Callable[..., Path]) -> None:
    pictures = found(make({"a.png": b"1", "inner.zip": b"PK", "deep/inner.tar.gz": b"1"}))
    assert [refused_with(one) for _, one in sorted(pictures.items())] == ["", "archive_inside", "archive_inside"]
    path = zipped(tmp_path / "secret.zip", {"a.png": b"1"})
    data = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.find(mark) + offset] |= 1
    path.write_bytes(data)
    assert refused_with(found(path)["a.png"]) == "encrypted"


def test_a_later_member_of_the_same_name_wins_as_when_unpacking(tmp_path: Path) -> None:
    for kind in (".tar", ".tar.gz"):
        path = tarred(tmp_path / "twice.tar", {"a.png": b"old"})
        with tarfile.open(path, "a") as archive:
            info = tarfile.TarInfo("a.png")
            info.size = 3
            archive.addfile(info, io.BytesIO(b"new"))
        if kind == ".tar.gz":
            import gzip

            path = tmp_path / "twice.tar.gz"
            path.write_bytes(gzip.compress((tmp_path / "twice.tar").read_bytes()))
        assert found(path)["a.png"].read() == b"new"


@pytest.mark.parametrize("kind", KINDS[1:])
def test_a_cut_tar_gives_what_can_be_read_and_says_so(kind: str, tmp_path: Path) -> None:
    rng = random.Random(1)
    members = {f"{number}.png": rng.randbytes(300_000) for number in range(6)}
    path = tarred(tmp_path / f"a{kind}", members)
    os.truncate(path, path.stat().st_size * 7 // 10)
    pictures = found(path)
    readable = {name for name, one in pictures.items() if refused_with(one) == ""}
    assert {"0.png", "1.png"} <= readable < set(members)
    assert refused_with(pictures[path.name]) == "truncated"
    assert all(pictures[name].read() == members[name] for name in readable)


def test_damage_in_the_middle_of_a_tar_is_told(tmp_path: Path) -> None:
    path = tarred(tmp_path / "a.tar", PICTURES)
    data = bytearray(path.read_bytes())
    data[1024 : 1024 + 512] = b"x" * 512
    path.write_bytes(data)
    assert refused_with(found(path)["a.tar"]) == "truncated"


def test_a_damaged_member_of_a_zip_costs_that_member(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", PICTURES)
    data = bytearray(path.read_bytes())
    data[60] ^= 255
    path.write_bytes(data)
    codes = {name: refused_with(one) for name, one in found(path).items()}
    assert codes == {**dict.fromkeys(PICTURES, ""), "c/0.png": "damaged"}


def no_archives(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    cut = zipped(tmp_path / "cut.zip", PICTURES)
    os.truncate(cut, 900)
    yield cut, "is cut"
    for name, data, words in (
        ("text.zip", b"hello" * 400, "cannot be read as a tar"),
        ("empty.tar", b"", "cannot be read as a tar"),
        ("a.7z", b"7z\xbc\xaf\x27\x1c" + bytes(100), "7z archive"),
        ("a.rar", b"Rar!\x1a\x07" + bytes(100), "RAR archive"),
    ):
        (tmp_path / name).write_bytes(data)
        yield tmp_path / name, words
    yield tmp_path / "gone.zip", "does not exist"
    yield tmp_path, "is a folder"
    yield zipped(tmp_path / "none.zip", {"notes.txt": b"x"}), "holds no pictures"
    yield tmp_path / "nothing-*.zip", "no such file"


def test_what_is_no_archive_is_an_error_in_words(tmp_path: Path) -> None:
    for path, words in no_archives(tmp_path):
        with pytest.raises(SourceError, match=words):
            found(path)
    with pytest.raises(SourceError, match="max_members"):
        found(zipped(tmp_path / "many.zip", PICTURES), max_members=3)
    with pytest.raises(SourceError, match="max_members"):
        found(tarred(tmp_path / "many.tar", PICTURES), max_members=3)


def test_of_several_archives_a_damaged_one_is_a_row_and_the_others_are_read(tmp_path: Path) -> None:
    zipped(tmp_path / "part-1.zip", {"a.png": b"1"})
    tarred(tmp_path / "part-2.tar", {"a.png": b"2"})
    (tmp_path / "part-3.zip").write_bytes(b"PK\x03\x04")
    source = Archive(path=str(tmp_path / "part-*"))
    pictures = by_name(source)
    assert source.name == "part"
    assert list(pictures) == ["part-1/a.png", "part-2/a.png", "part-3.zip"]
    assert pictures["part-2/a.png"].read() == b"2"
    assert refused_with(pictures["part-3.zip"]) == "unreadable"


SEEDS = [".zip", ".tar", ".tar.gz"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    root = tmp_path_factory.mktemp("whole")
    members = {"a.png": encoded(scene(1, 24, 24)), "a.txt": b"words", "b.jpg": encoded(scene(2, 24, 24), "JPEG")}
    return {kind: packed(root / f"a{kind}", members).read_bytes() for kind in SEEDS}


@given(
    kind=st.sampled_from(SEEDS),
    changes=st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=12)), max_size=6),
    cut=st.floats(0, 1),
)
@settings(max_examples=150, deadline=None)
def test_whatever_the_bytes_each_picture_is_read_or_refused(
    whole: dict[str, bytes],
    tmp_path_factory: pytest.TempPathFactory,
    kind: str,
    changes: list[tuple[float, bytes]],
    cut: float,
) -> None:
    data = bytearray(whole[kind])
    for where, new in changes:
        at = int(where * len(data))
        data[at : at + len(new)] = new
    path = tmp_path_factory.getbasetemp() / f"fuzzed{kind}"
    path.write_bytes(data if cut > 0.5 else data[: int(2 * cut * len(data))])
    try:
        for picture in Archive(path=str(path)).pictures():
            refused_with(picture)
    except SourceError as error:
        assert str(path.parent) in str(error)
