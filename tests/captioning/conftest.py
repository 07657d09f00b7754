"""A random CLIP, made once: it knows nothing, but always the same."""

from pathlib import Path

import pytest

from tests.backbones.tiny import make_clip


@pytest.fixture(scope="session")
def random_clip(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Its name in a recipe."""
    folder: Path = make_clip(tmp_path_factory.mktemp("clip"))
    return f"local-dir:{folder}"
