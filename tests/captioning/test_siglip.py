"""A SigLIP and a model of one's own shape, both tiny and random."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backbones.clip import Clip, preparation
from backbones.clip_files import fingerprint_of
from captioning.captioner import Batch
from captioning.captioners.clip_tags import ClipTags
from core.cache import Memory
from core.errors import MissingBase
from tests.backbones.tiny import make_clip, write_json
from tests.captioning.models import make_siglip, shape_of
from tests.captioning.things import a_record, read, unread

RECORDS = [a_record(number) for number in range(1, 4)]
WORDS = """
things: [a red apple, a green pear, two cat]
kind: {exclusive: true, 'null': [the ground], phrases: [a cat, a dog]}
"""


@pytest.fixture(scope="module")
def siglip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_siglip(tmp_path_factory.mktemp("siglip"))


@pytest.fixture(scope="module")
def siglip(siglip_folder: Path) -> Clip:
    return Clip.open(f"local-dir:{siglip_folder}")


def test_its_folder_says_how_pictures_are_prepared_and_that_it_has_a_sigmoid(siglip: Clip, random_clip: str) -> None:
    white = siglip.prepare(Image.new("RGB", (64, 20), "white"))
    assert white.shape == (3, 32, 32)
    assert float(white.min()) == float(white.max()) == 1.0  # squashed, not cropped; mean and spread of one half
    assert siglip.bias == pytest.approx(-2)
    assert Clip.open(random_clip).bias is None


def test_open_phrases_are_scored_by_its_own_sigmoid_and_do_not_depend_on_the_set(
    siglip: Clip, siglip_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "words.yaml").write_text(WORDS)
    tags = ClipTags(
        clip=f"local-dir:{siglip_folder}",
        vocabulary=str(tmp_path / "words.yaml"),
        facets=("things", "kind"),
        threshold=0,
    )
    all_of_them = tags.captions(Batch(RECORDS, read, Memory()))
    alone = tags.captions(Batch(RECORDS[1:2], read, Memory()))
    assert alone[0] == all_of_them[1]
    vectors = (
        siglip.embed_pictures([read(RECORDS[1])]) @ siglip.embed_texts(["a red apple", "a green pear", "two cat"]).T
    )
    chances = 1 / (1 + np.exp(-(siglip.scale * vectors - 2)))
    assert max(alone[0].scores[tag] for tag in alone[0].scores if tag not in ("a cat", "a dog")) == pytest.approx(
        chances.max(), abs=1e-3
    )


def test_nothing_is_read_twice(siglip_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "words.yaml").write_text(WORDS)
    cache = Memory()
    first, second = (
        ClipTags(clip=f"local-dir:{siglip_folder}", vocabulary=str(tmp_path / "words.yaml"), facets=("things",))
        for _ in range(2)
    )
    assert first.captions(Batch(RECORDS, read, cache)) == second.captions(Batch(RECORDS, unread, cache))


def test_a_siglip_by_name_is_not_prepared_as_openais(siglip: Clip) -> None:
    assert preparation("ViT-B-16-SigLIP")["image_mean"] == (0.5, 0.5, 0.5)
    assert preparation("ViT-B-16-SigLIP")["image_resize_mode"] == "squash"
    assert preparation("ViT-B-32")["image_resize_mode"] == "shortest"
    assert "image_mean" not in preparation("ViT-L-14")  # its public weights do not agree
    assert preparation("a_shape_of_ones_own") == {}


def test_a_model_of_ones_own_shape_is_named_by_its_configuration(tmp_path: Path) -> None:
    folder = make_clip(tmp_path / "clip")
    config, weights = tmp_path / "my_little_clip.json", folder / "open_clip_model.safetensors"
    write_json(config, shape_of(folder))
    picture = [read(RECORDS[0])]
    mine = Clip.open(f"{config}:{weights}")
    assert mine.embed_pictures(picture).shape == (1, 16)
    assert mine.fingerprint != fingerprint_of(f"local-dir:{folder}")
    config.write_text("{}")
    with pytest.raises(MissingBase, match="lacks embed_dim, text_cfg, vision_cfg"):
        Clip.open(f"{config}:{weights}")
