"""A tiny base, made once, and a run of it that nothing disturbed."""

from pathlib import Path

import pytest

from backbones.backbone import Backbone
from backbones.family import family_of
from tests.backbones.tiny import make_sd15
from tests.training import runs


@pytest.fixture(scope="session")
def base_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_sd15(tmp_path_factory.mktemp("training") / "base", layers=1)


@pytest.fixture(scope="session")
def base(base_folder: Path) -> Backbone:
    return family_of(str(base_folder)).load()


@pytest.fixture(scope="session")
def straight(base: Backbone, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("straight")
    assert runs.run(base, folder).finished
    return folder
