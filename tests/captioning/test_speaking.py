"""Captioners that write sentences, with tiny random models: what they say means nothing, but is always the same."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from backbones.coca import Coca, Manner, Reading
from captioning.captioner import Batch, Captioner
from captioning.captioners.coca import Coca as CocaCaptioner
from captioning.captioners.image_to_text import ImageToText
from core.cache import Memory
from core.errors import MissingBase, RecipeError
from core.seeding import generator
from tests.captioning.models import COCA, make_blip, make_encoder_decoder, make_open_clip
from tests.captioning.things import a_record, read

RECORDS = [a_record(number) for number in range(1, 5)]
PICTURES = [read(record) for record in RECORDS]
MANNERS = [Manner(how, 3, 8, 1.0, 2, 12) for how in ("greedy", "top_k", "beam")]


@pytest.fixture(scope="module")
def coca_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_open_clip(tmp_path_factory.mktemp("coca"), COCA)


@pytest.fixture(scope="module")
def coca(coca_folder: Path) -> Coca:
    return Coca.open(f"local-dir:{coca_folder}")


@pytest.fixture(scope="module")
def speakers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("speakers")
    return {"blip": make_blip(place / "blip"), "vit-gpt2": make_encoder_decoder(place / "both")}


def rngs(count: int) -> list[np.random.Generator]:
    return [generator("text", number) for number in range(count)]


def batch() -> Batch:
    return Batch(RECORDS, read, Memory())


@torch.inference_mode()
def test_reading_token_by_token_gives_what_open_clip_gives_for_the_whole_text(coca: Coca) -> None:
    pictures = torch.stack([coca.prepare(Image.fromarray(picture)) for picture in PICTURES])
    ids = torch.randint(1, 49000, (4, 9), generator=torch.Generator().manual_seed(1))
    whole = coca.model(pictures, ids, output_labels=False)["logits"]
    reading = Reading(coca.model, coca.model._encode_image(pictures)[1])
    steps = torch.stack([reading.next(ids[:, at : at + 1]) for at in range(9)], 1)
    torch.testing.assert_close(steps, whole, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(whole.argmax(-1), steps.argmax(-1))


@pytest.mark.parametrize("manner", MANNERS, ids=lambda manner: manner.how)
def test_a_picture_gets_the_same_sentence_alone_and_in_company(coca: Coca, manner: Manner) -> None:
    together = coca.describe(PICTURES, manner, rngs(4))
    alone = [coca.describe([picture], manner, [rng])[0] for picture, rng in zip(PICTURES, rngs(4), strict=True)]
    assert together == alone
    assert all(together)


@torch.inference_mode()
def score(coca: Coca, picture: np.ndarray, ids: list[int], manner: Manner) -> float:
    """The mean log probability of a text, by open_clip's own forward pass."""
    limits = coca.limits(manner)
    whole = torch.tensor([[limits.start, *ids]])
    logits = coca.model(coca.prepare(Image.fromarray(picture))[None], whole, output_labels=False)["logits"][0]
    logits[:, list(limits.never)] = float("-inf")
    said = torch.log_softmax(logits.double(), -1)
    return float(sum(said[at, token] for at, token in enumerate(ids)) / len(ids))


def test_a_beam_finds_a_likelier_sentence_than_the_likeliest_word_each_time(coca: Coca) -> None:
    from backbones.decoding import beam, greedy

    manner = Manner("beam", 8, 8, 1.0, 12, 12)  # of one length, so that they can be compared
    limits = coca.limits(manner)
    with torch.inference_mode():
        seen = coca.model._encode_image(torch.stack([coca.prepare(Image.fromarray(p)) for p in PICTURES]))[1]
        wide = beam(Reading(coca.model, seen), 4, limits, 8)
        narrow = beam(Reading(coca.model, seen), 4, limits, 1)
        greedily = greedy(Reading(coca.model, seen), 4, limits)
    assert narrow == greedily
    better = [
        score(coca, p, w, manner) - score(coca, p, g, manner) for p, w, g in zip(PICTURES, wide, greedily, strict=True)
    ]
    assert sum(better) > 0


def test_drawing_from_the_one_likeliest_word_is_greedy_and_another_seed_says_something_else(coca: Coca) -> None:
    greedy_one, _, _ = MANNERS
    only_one = Manner("top_k", 1, 1, 1.0, 2, 12)
    assert coca.describe(PICTURES, only_one, rngs(4)) == coca.describe(PICTURES, greedy_one, rngs(4))
    drawn = Manner("top_k", 1, 50, 3.0, 2, 12)
    other = [generator("other", number) for number in range(4)]
    assert coca.describe(PICTURES, drawn, rngs(4)) != coca.describe(PICTURES, drawn, other)


def test_the_coca_captioner_puts_its_sentence_into_a_template(coca_folder: Path) -> None:
    captioner = CocaCaptioner(model=f"local-dir:{coca_folder}", decoding="greedy", most=6, trigger="om")
    first, second = captioner.captions(batch()), captioner.captions(batch())
    assert first == second
    assert all(said.automatic.startswith("om, ") for said in first)
    assert captioner.engines(batch()).keys() == {record.id for record in RECORDS}
    with pytest.raises(RecipeError, match="nothing is called {captoin}"):
        Captioner.parse({"kind": "coca", "model": "x:y", "template": "{captoin}"})


def test_a_clip_that_cannot_speak_is_told(random_clip: str) -> None:
    with pytest.raises(MissingBase, match="only a CoCa"):
        Coca.open(random_clip)
    with pytest.raises(MissingBase, match="no weights file"):
        CocaCaptioner(model="coca_ViT-B-32:/nowhere.safetensors").engines(batch())


@pytest.mark.parametrize("kind", ["blip", "vit-gpt2"])
def test_any_captioner_of_transformers_speaks_from_its_folder(speakers: dict[str, Path], kind: str) -> None:
    captioner = ImageToText(folder=str(speakers[kind]), most=6, trigger="om")
    first = captioner.captions(batch())
    assert first == captioner.captions(batch())
    assert [said.record for said in first] == [record.id for record in RECORDS]
    assert all(said.automatic.startswith("om") for said in first)
    assert captioner.engine != ImageToText(folder=str(speakers[kind]), most=5, trigger="om").engine


def test_a_prompt_begins_the_caption(speakers: dict[str, Path]) -> None:
    said = ImageToText(folder=str(speakers["blip"]), most=6, prompt="a red").captions(batch())
    assert all(caption.automatic.startswith("a red") for caption in said)


def test_a_captioner_that_is_not_on_this_disk_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(MissingBase, match="no folder"):
        _ = ImageToText(folder="/nowhere").engine
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(MissingBase, match="no weights"):
        _ = ImageToText(folder=str(tmp_path)).engine
