"""A file or folder that a recipe names: a local path, or any URL that fsspec knows, such as ``s3://bucket/pictures``.

Options of a protocol come from where its own tools take them: ``AWS_PROFILE``, ``AWS_ENDPOINT_URL`` and
``FSSPEC_S3_ANON=true`` for S3, for instance. No key and no password stands in a recipe.
"""

import os
import re
import stat
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast

from core.errors import MissingExtra, SourceError

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://|[a-z0-9]+::")
_DATES = ("LastModified", "last_modified", "mtime", "modified", "updated", "created")
_MARKS = ("ETag", "etag", "md5Hash", "content_md5", "blob_id", "sha")
EXTRAS = {"s3": "velatura[s3]", "s3a": "velatura[s3]", "gs": "gcsfs", "gcs": "gcsfs", "abfs": "adlfs", "az": "adlfs"}
"""what pip has to install for a protocol"""
LAST = 9_000_000_000
"""seconds since 1970; a later date is not believed, and would not fit into the store"""


@dataclass(frozen=True, slots=True)
class Stat:
    """What is known of a file without reading it."""

    size: int
    mtime_ns: int
    """see `dated`"""
    is_folder: bool = False


@dataclass(frozen=True)
class Place:
    """One file or folder; whether it is there is told by `stat`. Everything that goes wrong is an `OSError`."""

    uri: str
    """absolute path or whole URL"""

    @classmethod
    def of(cls, path: str) -> "Place":
        """A place from what a recipe says; `~` is the home folder, and links are not resolved."""
        if path.startswith("file://"):
            path = path.removeprefix("file://")
        if is_url(path):
            return cls(path if path.endswith("://") else path.rstrip("/"))
        # pathlib's would follow links, and fail where ~ is nobody's home
        return cls(os.path.abspath(os.path.expanduser(path)))  # noqa: PTH100, PTH111

    @property
    def is_local(self) -> bool:
        return not is_url(self.uri)

    @property
    def name(self) -> str:
        """The last part, without what a URL asks behind it."""
        return PurePosixPath(self.uri.partition("?")[0] if is_web(self.uri) else self.uri).name

    @property
    def path(self) -> Path:
        """Of a local place."""
        assert self.is_local
        return Path(self.uri)

    def below(self, name: str) -> "Place":
        """A place below this one."""
        return Place(f"{self.uri.rstrip('/')}/{name}")

    @property
    def parent(self) -> "Place":
        return Place(self.uri.rpartition("/")[0] or "/")

    @cached_property
    def _remote(self) -> tuple[Any, str]:
        """The file system and the path in it."""
        return remote(self.uri)

    def stat(self) -> Stat:
        """Size and date."""
        if self.is_local:
            status = self.path.stat()
            return Stat(status.st_size, status.st_mtime_ns, stat.S_ISDIR(status.st_mode))
        system, path = self._remote
        with told(self.uri):
            return stat_of(system.info(path))

    def open(self) -> BinaryIO:
        """For reading anywhere in it."""
        if self.is_local:
            return self.path.open("rb")
        system, path = self._remote
        with told(self.uri):
            return cast(BinaryIO, system.open(path, "rb"))

    def read(self, start: int = 0, size: int | None = None) -> bytes:
        """``size`` bytes from ``start``, fewer where it ends before; may be called from several threads."""
        if self.is_local:
            with self.path.open("rb") as file:
                file.seek(start)
                return file.read(-1 if size is None else size)
        if size == 0:
            return b""
        system, path = self._remote
        with told(self.uri):
            whole = start == 0 and size is None
            end = None if size is None else start + size
            data = system.cat_file(path) if whole else system.cat_file(path, start=start, end=end)
            return cast(bytes, data)

    def files(self) -> dict[str, Stat]:
        """All files below a remote folder by their names below it, sorted; as they are now, not as once listed."""
        system, path = self._remote
        with told(self.uri):
            system.invalidate_cache()
            found = system.find(path, detail=True)
        root = system._strip_protocol(path).rstrip("/") + "/"
        return {name.removeprefix(root): stat_of(found[name]) for name in sorted(found) if name.startswith(root)}


def is_url(path: str) -> bool:
    """Whether fsspec has to open it."""
    return _URL.match(path) is not None


def is_web(path: str) -> bool:
    """Whether it is a web address: those hold question marks, and nothing can be listed there."""
    return path.lower().startswith(("http://", "https://"))


def remote(url: str) -> tuple[Any, str]:
    """File system and path for a URL; `MissingExtra` where its package is not installed."""
    import fsspec  # type: ignore[import-untyped]  # slow, and of no use to those with a folder

    protocol = re.split(r"://|::", url)[0]
    try:
        system, path = fsspec.core.url_to_fs(url)
    except ImportError as error:
        package = EXTRAS.get(protocol)
        remedy = f"pip install '{package}'" if package else str(error)
        raise MissingExtra(f"{url} needs a package that is not installed: {remedy}") from None
    except ValueError as error:
        raise SourceError(f"{url} cannot be opened: {error}") from None
    return system, path


@contextmanager
def told(uri: str) -> Iterator[None]:
    """Whatever a remote file system raises as an `OSError` in words; they raise nearly anything."""
    try:
        yield
    except FileNotFoundError:
        raise FileNotFoundError(f"{uri} does not exist") from None
    except (OSError, MissingExtra):
        raise
    except Exception as error:
        raise OSError(f"{uri}: {type(error).__name__}: {error}") from error


def stat_of(info: Mapping[str, Any]) -> Stat:
    """What a remote file system says of a file."""
    date = next((info[key] for key in _DATES if info.get(key)), 0)
    mark = next((str(info[key]).strip('"') for key in _MARKS if info.get(key)), "")
    return Stat(int(info.get("size") or 0), dated(seconds_of(date), mark), info.get("type") == "directory")


def seconds_of(date: object) -> float:
    """Seconds since 1970 of what a remote file system calls a date; 0 where it is none."""
    try:
        if isinstance(date, str):
            date = datetime.fromisoformat(date)
        if isinstance(date, datetime):
            return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
        return float(cast(Any, date))
    except (TypeError, ValueError, OverflowError):
        return 0.0


def dated(seconds: float, *marks: object) -> int:
    """A date in nanoseconds whose part below a second is a checksum of ``marks``.

    So it still says which of two is newer, and tells apart what was changed within a second or dated back.
    """
    whole = int(min(max(seconds, 0), LAST)) if seconds == seconds else 0  # NaN is not equal to itself
    return whole * 10**9 + (zlib.crc32(repr(marks).encode()) % 10**9 if any(marks) else 0)
