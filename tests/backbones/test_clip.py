import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from backbones.clip import Clip
from core.errors import MissingBase
from tests.backbones.pictures import picture
from tests.backbones.tiny import make_clip


def test_vectors_have_unit_length_and_do_not_depend_on_their_companions(clip: Clip) -> None:
    pictures = [picture(1), picture(2, 90, 40), picture(3, 20, 20)]
    vectors = clip.embed_pictures(pictures)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(vectors[1:2], clip.embed_pictures(pictures[1:2]))
    words = clip.embed_texts(["a cat", "a dog"])
    assert words.shape == (2, vectors.shape[1])
    np.testing.assert_array_equal(words[1:], clip.embed_texts(["a dog"]))
    assert len(clip.embed_pictures([])) == 0


def test_the_fingerprint_follows_from_the_weights_and_not_from_the_place(
    clip: Clip, clip_folder: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(clip_folder, tmp_path / "copy")
    assert Clip.open(f"local-dir:{copy}").fingerprint == clip.fingerprint
    assert Clip.open(f"local-dir:{make_clip(tmp_path / 'other', 1)}").fingerprint != clip.fingerprint


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("ViT-B-32", "names no weights"),
        ("ViT-B-32:/nowhere/weights.safetensors", "no weights file /nowhere/weights.safetensors for ViT-B-32"),
        ("local-dir:/nowhere", "no folder /nowhere"),
    ],
)
def test_weights_that_are_not_on_this_disk_are_told_at_once(name: str, said: str) -> None:
    with pytest.raises(MissingBase, match=said):
        Clip.open(name)


def test_a_model_that_open_clip_does_not_know_is_told(clip_folder: Path) -> None:
    with pytest.raises(MissingBase, match="cannot be loaded"):
        Clip.open(f"NoSuchModel:{clip_folder / 'open_clip_model.safetensors'}")


def test_a_folder_that_is_not_whole_is_told(clip_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(clip_folder, tmp_path / "clip")
    weights = folder / "open_clip_model.safetensors"
    os.truncate(weights, weights.stat().st_size // 2)
    with pytest.raises(MissingBase, match="cut off"):
        Clip.open(f"local-dir:{folder}")
    (folder / "open_clip_config.json").unlink()
    with pytest.raises(MissingBase, match=r"open_clip_config.json is missing"):
        Clip.open(f"local-dir:{folder}")


def test_texts_are_embedded_as_open_clip_does_it_whatever_their_length() -> None:
    clip = Clip.open("pocket")
    texts = ["x", "a red apple", "an emoji on a blue background with rather many words behind it", ""]
    whole = clip.model.encode_text(clip.tokenize(texts), normalize=True).detach().numpy()
    np.testing.assert_allclose(clip.embed_texts(texts), whole, atol=1e-6)


def test_opening_one_does_not_import_what_only_a_base_needs() -> None:
    """Diffusers takes seconds, with torch's compiler behind it."""
    asked = "import sys; from backbones.clip import Clip; Clip.open('pocket'); sys.exit('diffusers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", asked], cwd=Path(__file__).parents[2], timeout=300).returncode == 0
