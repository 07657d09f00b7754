"""The folder of a store: is it ours, is it new, and where its lock files stand."""

import json
import tempfile
from pathlib import Path

from core.errors import StoreError
from core.files import write_text
from core.hashing import digest

MARKER = "velatura.json"
FORMAT = 1


def is_remote(uri: str) -> bool:
    """Whether the store is not a folder of this machine, such as ``s3://bucket/prefix``."""
    return "://" in uri


def absolute(uri: str | Path) -> str:
    """The same store, named so that every process finds it."""
    text = str(uri).removeprefix("file://")
    return text if is_remote(text) else str(Path(text).expanduser().resolve())


def claim(uri: str) -> None:
    """Make the folder a store if it is new or empty; a `StoreError` if it holds anything else."""
    if is_remote(uri):
        return
    folder = Path(uri)
    if folder.exists() and not folder.is_dir():
        raise StoreError(f"{folder} is a file; a store is a folder")
    marker = folder / MARKER
    if not marker.exists():
        others = sorted(path.name for path in folder.iterdir() if path.name[0] != ".") if folder.exists() else []
        if others and MARKER not in others:
            raise StoreError(
                f"{folder} is not a store of Velatura: it holds {', '.join(others[:3])}"
                f"{', ...' if len(others) > 3 else ''} and no {MARKER}; name an empty or a new folder"
            )
        write_text(marker, json.dumps({"format": FORMAT}) + "\n")
    try:
        found = json.loads(marker.read_text())["format"]
    except (ValueError, KeyError, TypeError):
        raise StoreError(f"{marker} is damaged; it should read {json.dumps({'format': FORMAT})}") from None
    if found != FORMAT:
        raise StoreError(
            f"{folder} has format {found}, this Velatura reads {FORMAT}; update Velatura or use a new folder"
        )


def lock_file(uri: str, name: str) -> Path:
    """Where the lock ``name`` stands: in the folder; of a remote store in this machine's temporary folder."""
    if is_remote(uri):
        return Path(tempfile.gettempdir()) / f"velatura-{digest(uri)}.{name}.lock"
    return Path(uri) / f".{name}.lock"
