import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from backbones import encoding
from backbones.backbone import Backbone
from backbones.clip import Clip
from backbones.encoding import fit
from core.cache import Memory
from core.pixels import Pixels
from core.record import Record
from tests.backbones.pictures import picture, read, record


@given(*[st.integers(1, 70)] * 4)
@settings(max_examples=40, deadline=None)
def test_fitting_gives_the_size_asked_for_and_keeps_a_flat_colour(w: int, h: int, width: int, height: int) -> None:
    flat = np.full((h, w, 3), (200, 30, 90), dtype=np.uint8)
    fitted = fit(flat, width, height)
    assert fitted.shape == (height, width, 3)
    assert fitted.dtype == np.uint8
    assert (fitted == (200, 30, 90)).all()


def test_fitting_cuts_the_middle_out() -> None:
    wide = np.zeros((10, 30, 3), dtype=np.uint8)
    wide[:, 10:20] = 255
    assert (fit(wide, 10, 10) == 255).all()


def test_what_is_in_the_cache_is_not_read_or_encoded_again(base: Backbone) -> None:
    cache, times = Memory(), []

    def counted(of: Record) -> Pixels:
        times.append(of.id)
        return read(of)

    first = encoding.latents(base, [record(1), record(2)], counted, cache, resolution=64)
    second = encoding.latents(base, [record(2), record(1), record(3)], counted, cache, resolution=64)
    assert times == ["record-1", "record-2", "record-3"]
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert torch.equal(first["record-1"], base.encode_pictures([picture(1)])[0])
    encoding.latents(base, [record(1)], counted, cache, resolution=32)
    assert times[-1] == "record-1", "another size is another latent"


def test_text_states_come_with_those_of_the_empty_caption(base: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Memory()
    made = encoding.conditionings(base, ["a cat", "a dog", "a cat"], cache)
    assert set(made) == {"", "a cat", "a dog"}
    for text, conditioning in made.items():
        direct = base.encode_text([text])
        assert all(torch.equal(conditioning[name], direct[name]) for name in direct)
    encoded: list[str] = []
    monkeypatch.setattr(base, "encode_text", lambda texts: encoded.extend(texts) or type(base).encode_text(base, texts))
    again = encoding.conditionings(base, ["a dog", "a cat"], cache)
    assert encoded == [""], "only the shapes are asked for"
    assert all(torch.equal(again[text]["hidden"], made[text]["hidden"]) for text in made)


def test_embeddings_stand_in_the_order_of_the_records(clip: Clip) -> None:
    cache = Memory()
    vectors = encoding.embeddings(clip, [record(1), record(2)], read, cache)
    np.testing.assert_array_equal(vectors, clip.embed_pictures([picture(1), picture(2)]))
    np.testing.assert_array_equal(encoding.embeddings(clip, [record(2)], read, cache), vectors[1:])
    assert encoding.embeddings(clip, [], read, cache).shape == (0, 0)
