"""Archives, made from names and bytes."""

import io
import tarfile
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import pyarrow as pa

from curation.source import Found, Refused, Source

DATE = (2024, 5, 6, 7, 8, 10)
SECONDS = 1714979290


def zipped(path: Path, members: Mapping[str, bytes], *, packing: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name, DATE), data, packing)
    return path


def tarred(path: Path, members: Mapping[str, bytes], more: Iterable[tarfile.TarInfo] = ()) -> Path:
    """A tar archive, packed as its suffix says."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(data), SECONDS
            archive.addfile(info, io.BytesIO(data))
        for info in more:
            archive.addfile(info, io.BytesIO(b"\0" * info.size))
    kind = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}.get(path.suffix)
    if path.suffix == ".xz":
        import lzma

        path.write_bytes(lzma.compress(file.getvalue()))
    elif kind:
        with pa.CompressedOutputStream(str(path), kind) as packed:
            packed.write(file.getvalue())
    else:
        path.write_bytes(file.getvalue())
    return path


def by_name(source: Source) -> dict[str, Found]:
    found = list(source.pictures())
    assert len({picture.name for picture in found}) == len(found)
    return {picture.name: picture for picture in found}


def refused_with(found: Found) -> str:
    """The code of refusal, or what else is wrong in words; empty where it can be read."""
    try:
        found.read()
    except Refused as refused:
        return refused.reason.code
    except OSError as error:
        return str(error)
    return ""
