"""Runs that train the text encoder or a word: the cached text states no longer do."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from backbones.backbone import Backbone
from core.errors import RecipeError
from tests.training import runs
from training.data import Data
from training.run import attach

TOLD = {"text_encoder": {"learning_rate": 5e-4, "steps": 2}}
WORD = {"adapter": {"kind": "textual_inversion", "word": "number", "vectors": 2}}


class PowerCutError(Exception):
    pass


def words_of(folder: Path, step: int) -> dict[str, torch.Tensor]:
    tensors = load_file(folder / "weights" / f"step-{step:08d}" / "kohya.safetensors")
    return {name: tensor for name, tensor in tensors.items() if name.startswith("lora_te_")}


def test_the_text_encoder_is_trained_at_its_own_rate_until_its_steps_are_over(base: Backbone, tmp_path: Path) -> None:
    runs.run(base, tmp_path, steps=4, probe_every=1, schedule="constant", **TOLD)
    steps = {step: words_of(tmp_path, step) for step in (1, 2, 4)}
    name = "lora_te_text_model_encoder_layers_0_self_attn_q_proj.lora_up.weight"
    assert len(steps[1]) == 2 * 6 * 3, "six layers of each of two blocks, each with down, up and alpha"
    assert not torch.equal(steps[1][name], steps[2][name])
    assert all(torch.equal(steps[2][part], steps[4][part]) for part in steps[2])
    network = [load_file(tmp_path / "weights" / f"step-{n:08d}" / "kohya.safetensors") for n in (2, 4)]
    assert any(not torch.equal(network[0][part], network[1][part]) for part in network[0])
    assert not base.words_tuned
    adapter = attach(runs.spec(**TOLD), base)
    assert {group.rate for group in adapter.groups} == {1.0, 0.5}
    assert base.words_tuned
    adapter.detach()


def test_both_layouts_give_back_what_the_text_encoder_learned(base: Backbone, tmp_path: Path) -> None:
    found = []

    def look(step: int) -> None:
        if step == 2:
            found.append(base.encode_text(["a thing"])["hidden"])

    before = base.encode_text(["a thing"])["hidden"]
    runs.run(base, tmp_path, steps=2, on_pause=look, schedule="constant", **TOLD)
    assert not torch.equal(found[0], before)
    for file in ("kohya.safetensors", "pytorch_lora_weights.safetensors"):
        base.apply_adapter(tmp_path / "weights" / "step-00000002" / file)
        torch.testing.assert_close(base.encode_text(["a thing"])["hidden"], found[0], atol=1e-5, rtol=1e-4)
        assert base.words_tuned
        with base.untuned():
            assert torch.equal(base.encode_text(["a thing"])["hidden"], before)
        base.remove_adapter()
    assert torch.equal(base.encode_text(["a thing"])["hidden"], before)


@pytest.mark.parametrize(
    "changes",
    [
        TOLD,
        WORD,
        {"adapter": {"kind": "full"}},
        {"adapter": {"kind": "hypernetwork", "structure": [1, 2, 2, 1], "dropout": 0.2}},
        {"adapter": {"kind": "loha", "rank_dropout": 0.2, "module_dropout": 0.2}, "optimizer": "prodigy"},
        {"optimizer": {"kind": "schedule_free", "learning_rate": 1e-3}, "schedule": "constant"},
    ],
    ids=["text encoder", "word", "full", "hypernetwork", "loha", "schedule-free"],
)
def test_every_way_goes_on_bit_for_bit_after_an_interruption(
    changes: dict[str, object], base: Backbone, tmp_path: Path
) -> None:
    def interrupt(step: int, _figures: dict[str, float]) -> None:
        if step == 3:
            raise PowerCutError

    few = {"steps": 3, "probe_every": 3, **changes}
    with pytest.raises(PowerCutError):
        runs.run(base, tmp_path / "cut", on_log=interrupt, **few)
    for name in ("cut", "straight"):
        assert runs.run(base, tmp_path / name, **few).finished
    written = [
        {str(path.relative_to(tmp_path / name)): path.read_bytes() for path in files(tmp_path / name)}
        for name in ("cut", "straight")
    ]
    assert written[0] == written[1]
    assert not base.tunings


def files(folder: Path) -> list[Path]:
    return [path for path in sorted((folder / "weights" / "step-00000003").rglob("*")) if path.is_file()]


def test_a_word_learns_from_the_captions_that_have_it(base: Backbone, tmp_path: Path) -> None:
    word = {"adapter": {"kind": "textual_inversion", "word": "number"}, "caption_dropout": 0}
    runs.run(base, tmp_path, steps=3, probe_every=1, **word)
    vectors = [
        load_file(tmp_path / "weights" / f"step-{step:08d}" / "embedding.safetensors")["emb_params"] for step in (1, 3)
    ]
    assert not torch.equal(*vectors)


def test_a_batch_without_captions_trains_a_word_without_harm(base: Backbone, tmp_path: Path) -> None:
    assert runs.run(base, tmp_path, steps=2, caption_dropout=1.0, **WORD).finished


@pytest.mark.parametrize("kind", ["loha", "dora", "full", "oft"])
def test_ways_that_train_no_text_encoder_say_so(kind: str, base: Backbone, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=f"{kind} trains no text encoder; lora and locon do"):
        runs.run(base, tmp_path, adapter=kind, **TOLD)
    assert not base.tunings


def test_cached_states_are_used_where_no_words_are_trained(base: Backbone) -> None:
    adapter = attach(runs.spec(), base)
    batch = Data(runs.examples(), runs.conditionings(base), batch_size=2, caption_dropout=0, seed=0, device="cpu").draw(
        torch.Generator()
    )
    assert adapter.conditioning(batch.captions, batch.conditioning, 1) is batch.conditioning
    adapter.detach()
