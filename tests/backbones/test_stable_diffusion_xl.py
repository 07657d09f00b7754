"""What only SDXL has: an empty text that is zeros, and pictures that say how they were cut."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from backbones.backbone import Backbone
from backbones.family import family_of
from backbones.words import LearnedWord
from core.errors import MissingBase
from tests.backbones.tiny import make_sdxl


@pytest.fixture(scope="module")
def xl(tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    return family_of(str(make_sdxl(tmp_path_factory.mktemp("xl") / "base"))).load()


def test_a_text_that_is_left_out_is_zeros(xl: Backbone) -> None:
    states = xl.encode_text(["", "a cat"])
    assert all((state[0] == 0).all() and (state[1] != 0).any() for state in states.values())


def test_each_picture_says_what_size_it_had_and_where_it_was_cut(xl: Backbone) -> None:
    # 200 x 100 scaled to 128 x 64, of which the middle 64 are kept
    told = xl.framing((200, 100), (64, 64))["time_ids"]
    assert told.tolist() == [[100, 200, 0, 32, 64, 64]]
    latents, t, words = torch.randn(1, 4, 8, 8), torch.tensor([500]), xl.encode_text(["a"])
    with torch.no_grad():
        plain = xl.predict(latents, t, words)
        assert torch.equal(plain, xl.predict(latents, t, words | xl.framing((64, 64), (64, 64))))
        assert not torch.equal(plain, xl.predict(latents, t, words | xl.framing((200, 100), (64, 64))))


def test_the_text_as_a_whole_is_read_at_its_end_though_a_learned_word_has_a_higher_number(xl: Backbone) -> None:
    tables = [encoder.get_input_embeddings() for encoder in xl.text_encoders.values()]  # type: ignore[operator]
    (token,) = xl.tokens_of("cat")
    same = [table.weight.detach()[[token]].clone() for table in tables]
    before = xl.encode_text(["a cat on a mat"])
    word = xl.learn_word("cat", same)
    assert isinstance(word, LearnedWord)
    with xl.tuned_by(word):
        after = xl.encode_text(["a cat on a mat"])
    for name, state in before.items():
        torch.testing.assert_close(after[name], state)


def test_the_refiner_is_no_base(xl: Backbone, tmp_path: Path) -> None:
    folder = shutil.copytree(xl.folder, tmp_path / "refiner")
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps(index | {"text_encoder": [None, None]}))
    with pytest.raises(MissingBase, match="which no family knows"):
        family_of(str(folder))
