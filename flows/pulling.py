"""A registered model's file, from MLflow to where a web UI or ComfyUI looks for it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from mlflow.exceptions import MlflowException

from core.errors import ExportError, TrackingError
from core.files import replacing
from core.hashing import sha256_of_file
from flows.home import Home
from flows.registry import Registry, Version
from training.files import restamp


def weights_of(registry: Registry, version: Version, home: Home) -> Path:
    """The file of a version as web UIs read it, brought here once; it is kept in the data folder."""
    return fetched(registry, version, home, "")


def fetched(registry: Registry, version: Version, home: Home, file: str) -> Path:
    """One of a version's files by its name in MLflow; empty: the one that web UIs read."""
    # numbers begin anew in another MLflow, and runs do not
    folder = home.root / "pulled" / f"{version.name}-{version.number}-{version.run[:8]}"
    try:
        names = [Path(one.path).name for one in registry.client.list_artifacts(version.run, "weights")]
        name = chosen(names, version, file)
        if not (folder / name).exists():
            with TemporaryDirectory() as place:
                got = Path(registry.client.download_artifacts(version.run, f"weights/{name}", place))
                with replacing(folder / name) as temporary:
                    shutil.copyfile(got, temporary)
    except MlflowException as error:
        raise TrackingError(f"MLflow does not give the weights of {version.words}: {error}") from None
    return folder / name


def chosen(names: list[str], version: Version, file: str) -> str:
    """Which of a version's files is meant."""
    for name in sorted(names):
        if name == file or (not file and Path(name).stem == version.name):
            return name
    there = ", ".join(sorted(names)) or "none"
    raise TrackingError(f"{version.words} has no file {file or f'{version.name}.*'}; it has: {there}")


def pull(registry: Registry, version: Version, home: Home, folder: Path, file: str = "") -> Path:
    """Write a version's file into ``folder``, its metadata saying which version it is; the file's path.

    A file that is there and is not this one stays, and is an `ExportError`.
    """
    source = fetched(registry, version, home, file)
    target = folder / (f"{version.name}-v{version.number}" + (f"-{file}" if file else source.suffix))
    with TemporaryDirectory(f".{os.getpid()}.partial", ".pulling.", source.parent) as place:  # a half, if it is ended
        stamped = Path(place) / source.name
        shutil.copyfile(source, stamped)
        if stamped.suffix == ".safetensors":
            restamp(stamped, {"velatura.model": version.name, "velatura.version": version.number})
        if target.exists():
            if sha256_of_file(target) != sha256_of_file(stamped):
                raise ExportError(f"{target} is there and is another file; name another folder with --to")
            return target
        with replacing(target) as temporary:
            shutil.copyfile(stamped, temporary)
    return target
