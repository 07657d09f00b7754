"""The pictures in a folder and in the folders below it, on a disk or behind a URL; nothing of them is decoded."""

import difflib
import os
import posixpath
import stat
from collections.abc import Callable, Collection, Iterator
from functools import partial
from pathlib import Path

from core.errors import SourceError
from curation import formats
from curation.places import Place, Stat
from curation.sidecars import CAPTIONS, LONGEST, Beside, said_beside
from curation.source import Found, failing

_TEXTS = ".csv .css .htm .html .jsonl .log .md .parquet .py .rst .toml .xml .yaml .yml"
NO_PICTURES = frozenset((*CAPTIONS, *_TEXTS.split()))
_KNOWN = "authors copying desktop.ini licence license notice readme thumbs.db"
NO_PICTURE_NAMES = frozenset(_KNOWN.split())
SNIFFED = 1024


def pictures_below(root: Place) -> Iterator[Found]:
    """All that is meant as a picture, sorted; `SourceError` where there is no such folder, or nothing in it."""
    found = False
    for picture in local_pictures(root) if root.is_local else remote_pictures(root):
        found = True
        yield picture
    if not found:
        raise SourceError(f"{root.uri} holds no pictures (.png, .jpg, .webp ...; folders in it are searched too)")


def neighbour(path: Path) -> str:
    """The folder beside it that may have been meant."""
    beside = [one.name for one in path.parent.iterdir() if one.is_dir()] if path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, beside, n=1)
    return f"; did you mean {path.parent / near[0]}?" if near else ""


def local_pictures(root: Place) -> Iterator[Found]:
    """Those of a folder on a disk."""
    if not root.path.is_dir():
        what = "is a file, not a folder" if root.path.exists() else "does not exist"
        raise SourceError(f"{root.uri} {what}: `path` must be a folder with pictures{neighbour(root.path)}")
    begin = len(os.path.join(root.uri, ""))  # noqa: PTH118  a path's own methods cost more than looking at the file
    for path, there in listed(root.uri, frozenset()):
        picture = looked_at(path, path[begin:] or ".", there)
        if picture is not None:
            yield picture


def files(folder: Path, above: frozenset[tuple[int, int]] = frozenset()) -> Iterator[Path]:
    """All files below, sorted; a folder that cannot be listed is given itself."""
    return (Path(path) for path, _ in listed(str(folder), above))


def listed(folder: str, above: frozenset[tuple[int, int]]) -> Iterator[tuple[str, Collection[str]]]:
    """The same, each with the names of all captions in its folder. ``above``: the folders on the way."""
    try:
        status = os.stat(folder)  # noqa: PTH116
        here = (status.st_dev, status.st_ino)
        if here in above:  # a link that leads back up
            return
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        yield folder, ()
        return
    there = {entry.name for entry in entries if entry.name.endswith(CAPTIONS)}
    for entry in entries:
        if is_hidden(entry.name):
            continue
        if is_folder(entry):
            yield from listed(entry.path, above | {here})
        else:
            yield entry.path, there


def is_hidden(name: str) -> bool:
    """Whether any part of a name says that it is not for people."""
    parts = [part for part in name.split("/") if part != ".."]
    return any(part.startswith(".") or part == "__MACOSX" for part in parts)


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether it is a folder, or a link to one."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def is_plainly_none(name: str) -> bool:
    """Whether a file's name says that it is no picture."""
    last = posixpath.basename(name).lower()
    return last in NO_PICTURE_NAMES or posixpath.splitext(last)[1] in NO_PICTURES


def looked_at(path: str | Path, name: str, there: Collection[str] | None = None) -> Found | None:
    """What stands at ``path``; ``None`` for what is plainly none. ``there``: names of captions beside it, if known."""
    path = os.fspath(path)
    if is_plainly_none(path):
        return None
    name, uri = printable(name), printable(path)
    try:
        status = os.stat(path)  # noqa: PTH116
        if stat.S_ISDIR(status.st_mode):
            os.scandir(path).close()
            return None
        if not stat.S_ISREG(status.st_mode):  # a pipe would be waited for without end
            return Found(name, uri, 0, 0, failing(OSError("it is a device, pipe or socket, not a file")))
        if not formats.looks_meant(name) and not begins_as_picture(path):
            return None
    except OSError as error:
        return Found(name, uri, 0, 0, failing(error))

    def read(sidecar: str) -> bytes:
        if there is not None and posixpath.basename(sidecar) not in there:  # saves six looks at the disk
            raise FileNotFoundError(sidecar)
        return read_sidecar(sidecar)

    said = Beside() if there is not None and not there else said_beside(path, read, printable)
    return found_with(said, name, uri, status.st_size, status.st_mtime_ns, partial(read_file, path))


def found_with(said: Beside, name: str, uri: str, size: int, mtime_ns: int, read: Callable[[], bytes]) -> Found:
    """A picture with what stands beside it."""
    return Found(name, uri, size, mtime_ns, read, said.caption, licence=said.licence, note=said.note)


def begins_as_picture(path: str) -> bool:
    """Whether the first bytes are those of a picture."""
    with open(path, "rb") as file:  # noqa: PTH123
        return formats.sniff(file.read(SNIFFED)) is not None


def read_file(path: str) -> bytes:
    """All of its bytes."""
    with open(path, "rb") as file:  # noqa: PTH123
        return file.read()


def read_sidecar(path: str) -> bytes:
    """A caption's bytes; a pipe is not waited for."""
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        return file.read(LONGEST + 1)


def printable(name: str) -> str:
    r"""A file's name as text that can be stored; bytes that are no UTF-8 become ``\\xff``."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def remote_pictures(root: Place) -> Iterator[Found]:
    """Those of a folder behind a URL; it is listed once, and sidecars are looked for in that list."""
    try:
        there = root.files()
    except OSError as error:
        raise SourceError(f"{root.uri} cannot be listed: {error}") from None
    if not there and not is_there(root):
        raise SourceError(f"{root.uri} does not exist: `path` must be a folder with pictures")
    for name, status in there.items():
        if not is_hidden(name) and not is_plainly_none(name):
            picture = remote_picture(root, name, status, there)
            if picture is not None:
                yield picture


def remote_picture(root: Place, name: str, status: Stat, there: dict[str, Stat]) -> Found | None:
    """One file behind a URL; ``None`` for what does not begin as a picture and is not named as one."""
    place = root.below(name)
    try:
        if not formats.looks_meant(name) and formats.sniff(place.read(0, SNIFFED)) is None:
            return None
    except OSError as error:
        return Found(printable(name), printable(place.uri), 0, 0, failing(error))

    def read(sidecar: str) -> bytes:
        if sidecar not in there:
            raise FileNotFoundError(sidecar)
        return root.below(sidecar).read(0, LONGEST + 1)

    said = said_beside(name, read, lambda beside: printable(root.below(beside).uri))
    return found_with(said, printable(name), printable(place.uri), status.size, status.mtime_ns, place.read)


def is_there(root: Place) -> bool:
    """Whether a place exists."""
    try:
        root.stat()
    except OSError:
        return False
    return True
