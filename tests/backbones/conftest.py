"""A tiny base and a tiny CLIP, made once."""

from pathlib import Path

import pytest

from backbones.backbone import Backbone
from backbones.clip import Clip
from backbones.family import family_of
from tests.backbones.tiny import make_clip, make_sd15


@pytest.fixture(scope="session")
def sd15(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_sd15(tmp_path_factory.mktemp("bases") / "sd15")


@pytest.fixture(scope="session")
def base(sd15: Path) -> Backbone:
    return family_of(str(sd15)).load()


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clips") / "clip")


@pytest.fixture(scope="session")
def clip(clip_folder: Path) -> Clip:
    return Clip.open(f"local-dir:{clip_folder}")
