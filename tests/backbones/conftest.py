"""A tiny base and a tiny CLIP, made once."""

from collections.abc import Callable
from pathlib import Path

import pytest

from backbones.backbone import Backbone
from backbones.clip import Clip
from backbones.family import Family, family_of
from tests.backbones.tiny import make_clip, make_sd2, make_sd15, make_sdxl

MAKERS: dict[str, Callable[[Path], Path]] = {"sd1": make_sd15, "sd2": make_sd2, "sdxl": make_sdxl}
"""a small random base of each family"""


@pytest.fixture(scope="session")
def sd15(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_sd15(tmp_path_factory.mktemp("bases") / "sd15")


@pytest.fixture(scope="session")
def base(sd15: Path) -> Backbone:
    return family_of(str(sd15)).load()


@pytest.fixture(scope="session", params=Family.kinds())
def loaded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    """One base of each family."""
    folder = MAKERS[request.param](tmp_path_factory.mktemp("family") / "base")
    family = family_of(str(folder))
    assert family.kind == request.param, "a folder is given to the family it belongs to"
    return family.load()


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clips") / "clip")


@pytest.fixture(scope="session")
def clip(clip_folder: Path) -> Clip:
    return Clip.open(f"local-dir:{clip_folder}")
