"""Where a tool writes: never onto what is there."""

from pathlib import Path

from core.errors import ExportError


def new_file(path: Path, like: str = ".safetensors") -> Path:
    """The path, if nothing stands there and it has the suffix that is to be written."""
    path = path.expanduser()
    if path.exists():
        raise ExportError(f"{path} is there already, and nothing is written over; name another file with --out")
    if path.suffix != like:
        raise ExportError(f"--out {path}: what is written is a {like} file; end its name in {like}")
    return path


def new_folder(path: Path) -> Path:
    """The path, if nothing stands there."""
    path = path.expanduser()
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise ExportError(
            f"{path} is there already, and nothing is written over; name a new or empty folder with --out"
        )
    return path
