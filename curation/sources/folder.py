"""A folder of pictures and of folders of pictures; captions in .txt, .caption or .json files beside them come along."""

import json
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from core.errors import SourceError
from curation import formats
from curation.source import Found, Source

CAPTIONS = (".txt", ".caption", ".json")
"""what may stand beside a picture, the first that is there wins: ``cat.txt`` or ``cat.png.txt`` beside ``cat.png``"""
_TEXTS = ".csv .css .htm .html .jsonl .log .md .parquet .py .rst .toml .xml .yaml .yml"
NO_PICTURES = frozenset((*CAPTIONS, *_TEXTS.split()))
_KNOWN = "authors copying desktop.ini licence license notice readme thumbs.db"
NO_PICTURE_NAMES = frozenset(_KNOWN.split())
SNIFFED = 1024
LONGEST = 1 << 20


class Folder(Source):
    """Read only. A file with a picture's suffix is always told, as is any other that begins as a picture does.

    Hidden files and folders, sidecars and texts are passed over. Links are followed, each folder once.
    """

    path: str
    label: str = ""
    """the source's name; empty: the folder's name"""

    @property
    def name(self) -> str:
        return self.label or self.root.name or "root"

    @property
    def root(self) -> Path:
        """Where it stands."""
        return Path(os.path.abspath(Path(self.path).expanduser()))  # noqa: PTH100  `resolve` would follow links

    def pictures(self) -> Iterator[Found]:
        root = self.root
        if not root.is_dir():
            what = "is a file, not a folder" if root.exists() else "does not exist"
            raise SourceError(f"{root} {what}: `path` must be a folder with pictures")
        found = False
        for path in files(root, frozenset()):
            picture = looked_at(path, path.relative_to(root).as_posix())
            if picture is not None:
                found = True
                yield picture
        if not found:
            raise SourceError(f"{root} holds no pictures (.png, .jpg, .webp ...; folders in it are searched too)")


def files(folder: Path, above: frozenset[tuple[int, int]]) -> Iterator[Path]:
    """All files below, sorted; a folder that cannot be listed is given itself. ``above``: the folders on the way."""
    try:
        status = folder.stat()
        here = (status.st_dev, status.st_ino)
        if here in above:  # a link that leads back up
            return
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        yield folder
        return
    for entry in entries:
        if entry.name.startswith(".") or entry.name == "__MACOSX":
            continue
        if is_folder(entry):
            yield from files(Path(entry.path), above | {here})
        else:
            yield Path(entry.path)


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether it is a folder, or a link to one."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def looked_at(path: Path, name: str) -> Found | None:
    """What stands at ``path``; ``None`` for what is plainly no picture."""
    name, uri = printable(name), printable(str(path))
    if path.name.lower() in NO_PICTURE_NAMES or path.suffix.lower() in NO_PICTURES:
        return None
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            os.scandir(path).close()
            return None
        if not stat.S_ISREG(status.st_mode):  # a pipe would be waited for without end
            return Found(name, uri, 0, 0, failing(OSError("it is a device, pipe or socket, not a file")))
        if not formats.looks_meant(name) and not begins_as_picture(path):
            return None
    except OSError as error:
        return Found(name, uri, 0, 0, failing(error))
    caption, note = sidecar(path)
    return Found(name, uri, status.st_size, status.st_mtime_ns, path.read_bytes, caption, note=note)


def begins_as_picture(path: Path) -> bool:
    """Whether the first bytes are those of a picture."""
    with path.open("rb") as file:
        return formats.sniff(file.read(SNIFFED)) is not None


def failing(error: OSError) -> Callable[[], bytes]:
    """A read that says what went wrong when the file was looked at."""

    def read() -> bytes:
        raise error

    return read


def sidecar(picture: Path) -> tuple[str, str]:
    """``(caption, note)`` from the file beside a picture."""
    for beside in (*(picture.with_suffix(end) for end in CAPTIONS), *(Path(f"{picture}{end}") for end in CAPTIONS)):
        where = printable(str(beside))
        try:
            if beside.stat().st_size > LONGEST:
                return "", f"{where} has more than {LONGEST:,} bytes, so it was not taken for a caption"
            text = beside.read_text(encoding="utf-8-sig")
        except FileNotFoundError:
            continue
        except UnicodeDecodeError:
            return "", f"{where} is not UTF-8, so its caption was left out: save it as UTF-8"
        except OSError as error:
            return "", f"{where} cannot be read ({error.strerror}), so its caption was left out"
        return from_json(text, where) if beside.suffix == ".json" else (" ".join(text.split()), "")
    return "", ""


def printable(name: str) -> str:
    r"""A file's name as text that can be stored; bytes that are no UTF-8 become ``\\xff``."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def from_json(text: str, path: str) -> tuple[str, str]:
    """The caption in ``{"caption": "..."}`` or in a JSON string."""
    try:
        value = json.loads(text)
    except ValueError as error:
        return "", f"{path} is not JSON ({error}), so its caption was left out"
    if isinstance(value, dict):
        value = value.get("caption", "")
    if not isinstance(value, str):
        return "", f'{path} holds no caption: expected {{"caption": "words"}}'
    words = value.encode("utf-8", "replace").decode()  # JSON can say half a character, which nothing can store
    return " ".join(words.split()), ""
