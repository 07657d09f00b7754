"""Folders and dataset files as kohya has them."""

from pathlib import Path

from curation.source import Found
from curation.sources.kohya import Kohya
from tests.curation.conftest import encoded, scene


def put(root: Path, **captions: str | None) -> Path:
    """Pictures whose names are numbers, ``p3="words"`` with a caption beside."""
    root.mkdir(parents=True, exist_ok=True)
    for name, caption in captions.items():
        (root / f"{name}.png").write_bytes(encoded(scene(int(name[1:]))))
        if caption is not None:
            (root / f"{name}.txt").write_text(caption)
    return root


def found(path: Path, **fields: object) -> dict[str, Found]:
    return {picture.name: picture for picture in Kohya(path=str(path), **fields).pictures()}


def noted(pictures: dict[str, Found]) -> str:
    return next(iter(pictures.values())).note


def config(root: Path, text: str) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    path = root / "data.toml"
    path.write_text(text)
    return path
