from pathlib import Path

import pytest
import torch

from backbones.backbone import Backbone
from core.errors import RecipeError
from tests.training import runs
from tests.training.adapting import X, answer, disturb, made, weights
from training.adapter import Adapter
from training.data import Data
from training.objective import Objective
from training.peft_adapter import PeftAdapter


@pytest.mark.parametrize("kind", Adapter.kinds())
def test_every_adapter_starts_at_the_base_is_restored_exactly_and_leaves_no_trace(kind: str, base: Backbone) -> None:
    before, names = answer(base), [name for name, _ in base.network.named_parameters()]
    adapter = made(kind).attach(base)
    trained = weights(adapter)
    assert trained
    assert all(parameter.requires_grad and parameter.dtype == torch.float32 for parameter in trained)
    assert torch.equal(answer(base), before), "nothing is learned yet"
    disturb(trained)
    state = {name: tensor.clone() for name, tensor in adapter.state().items()}
    changed = answer(base)
    assert not torch.equal(changed, before)
    with base.untuned():
        assert torch.equal(answer(base), before)
    assert torch.equal(answer(base), changed)
    disturb(trained)
    adapter.restore(state)
    assert torch.equal(answer(base), changed)
    adapter.detach()
    assert torch.equal(answer(base), before)
    assert [name for name, _ in base.network.named_parameters()] == names
    assert not any(parameter.requires_grad for parameter in base.network.parameters())
    assert not base.tunings


@pytest.mark.parametrize("kind", Adapter.kinds())
def test_every_adapter_writes_the_same_bytes_again_and_what_it_says_it_writes(
    kind: str, base: Backbone, tmp_path: Path
) -> None:
    written = []
    for name in ("first", "second"):
        with torch.random.fork_rng():
            torch.manual_seed(6)
            adapter = made(kind).attach(base)
        adapter.export(tmp_path / name, {"b": "2", "a": "1"})
        adapter.detach()
        files = [file for file in (tmp_path / name).rglob("*") if file.is_file()]
        written.append({str(file.relative_to(tmp_path / name)): file.read_bytes() for file in files})
    assert written[0] == written[1]
    assert written[0]
    assert {path.name for path in (tmp_path / "first").iterdir()} == set(Adapter.of_kind(kind).files.values())
    assert "weights" in Adapter.of_kind(kind).files


@pytest.mark.parametrize("kind", Adapter.kinds())
def test_every_adapter_gets_a_gradient_for_all_that_it_trains(kind: str, base: Backbone) -> None:
    examples = [*runs.examples(2)]
    said = [example.caption + " qzx" for example in examples]
    states = {text: base.encode_text([text]) for text in ("", *said)}
    told = [type(e)(e.record, e.latent, text) for e, text in zip(examples, said, strict=True)]
    batch = Data(told, states, batch_size=2, caption_dropout=0, seed=0, device="cpu").draw(torch.Generator())
    adapter = made(kind).attach(base)
    disturb(weights(adapter), 0.01)
    spoken = adapter.conditioning(batch.captions, batch.conditioning, 1)
    noise = torch.Generator().manual_seed(1)
    Objective.parse("epsilon").build(base)(type(batch)(batch.latents, spoken, batch.captions), noise).backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in weights(adapter))
    assert any(bool(parameter.grad.abs().max() > 0) for parameter in weights(adapter) if parameter.grad is not None)
    adapter.detach()


def ranks(adapter: object) -> dict[str, int]:
    assert isinstance(adapter, PeftAdapter)
    return {path: parts["lora_down.weight"].shape[0] for path, parts in adapter.layers()["unet"].items()}


def test_ranks_are_set_by_part_of_the_network_and_the_strength_stays(base: Backbone) -> None:
    block = Adapter.parse({"kind": "lora", "rank": 8, "alpha": 4, "ranks": {"up_blocks": 2, "up_blocks.1": 0}})
    adapter = block.attach(base)
    found = ranks(adapter)
    assert {found[path] for path in found if path.startswith("up_blocks")} == {2}
    assert not any(path.startswith("up_blocks.1.") for path in found)
    assert {found[path] for path in found if path.startswith("mid_block")} == {8}
    assert isinstance(adapter, PeftAdapter)
    for parts in adapter.layers()["unet"].values():
        assert float(parts["alpha"]) / parts["lora_down.weight"].shape[0] == 0.5
    adapter.detach()


def test_locon_gives_convolutions_their_own_rank(base: Backbone) -> None:
    adapter = Adapter.parse({"kind": "locon", "rank": 8, "convolution_rank": 3}).attach(base)
    found = ranks(adapter)
    assert found["mid_block.resnets.0.conv1"] == 3
    assert found["mid_block.attentions.0.transformer_blocks.0.attn1.to_q"] == 8
    adapter.detach()


def test_a_part_that_the_network_has_not_is_told(base: Backbone) -> None:
    with pytest.raises(RecipeError, match="no layer is in 'up_block'; its parts are .*mid_block, up_blocks.1"):
        Adapter.parse({"kind": "lora", "ranks": {"up_block": 4}}).attach(base)
    with pytest.raises(RecipeError, match="every layer is left out"):
        Adapter.parse({"kind": "lora", "ranks": {"down_blocks": 0, "mid_block": 0, "up_blocks": 0}}).attach(base)
    with pytest.raises(RecipeError, match="no attention of this base is 7 wide; known: 32, 64"):
        Adapter.parse({"kind": "hypernetwork", "widths": [7]}).attach(base)
    assert not base.tunings


@pytest.mark.parametrize("kind", ["lora", "loha", "lokr"])
def test_what_is_learned_of_a_layer_stays_below_the_norm(kind: str, base: Backbone) -> None:
    adapter = Adapter.parse({"kind": kind, "rank": 2, "max_norm": 0.01}).attach(base)
    assert isinstance(adapter, PeftAdapter)
    disturb(weights(adapter), 0.5)
    from training.parts import norm_of

    wide = [float(norm_of(layer)) for layer in adapter._layers]
    adapter.after_step()
    held = [float(norm_of(layer)) for layer in adapter._layers]
    assert max(wide) > 0.02
    assert all(new == pytest.approx(min(old, 0.01), rel=1e-4) for old, new in zip(wide, held, strict=True))
    adapter.detach()


@pytest.mark.parametrize("keys", [{"rank_dropout": 0.5}, {"module_dropout": 0.5}, {"dropout": 0.5}])
def test_dropout_is_for_training_only(keys: dict[str, float], base: Backbone) -> None:
    adapter = Adapter.parse({"kind": "lora", "rank": 4, **keys}).attach(base)
    disturb(weights(adapter))
    quiet = answer(base)
    assert torch.equal(answer(base), quiet)
    base.network.train()
    told = base.encode_text(["a qzx", "b"])
    with torch.no_grad(), torch.random.fork_rng():
        drawn = [base.predict(torch.zeros(2, 4, 8, 8), torch.tensor([1, 2]), told) for _ in range(2)]
    base.network.eval()
    assert not torch.equal(drawn[0], drawn[1])
    adapter.detach()


def test_lora_plus_raises_the_rate_of_b(base: Backbone) -> None:
    adapter = Adapter.parse({"kind": "lora", "ratio": 16}).attach(base)
    assert {group.rate for group in adapter.groups} == {1.0, 16.0}
    fast = {id(p) for group in adapter.groups if group.rate == 16 for p in group.parameters}
    assert fast == {id(p) for name, p in base.network.named_parameters() if ".lora_B." in name}
    adapter.detach()


def test_a_word_starts_with_the_meaning_of_others(base: Backbone) -> None:
    adapter = Adapter.parse({"kind": "textual_inversion", "word": "qzx", "initial": "red house", "vectors": 4})
    attached = adapter.attach(base)
    table = base.text_encoders["text_encoder"].get_input_embeddings().weight  # type: ignore[operator]
    red, house = base.tokens_of("red house")
    torch.testing.assert_close(attached.state()["emb_params"], table[[red, red, house, house]])
    attached.detach()


def test_a_word_that_no_caption_has_is_told(base: Backbone, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="no caption has the word 'qzx'"):
        runs.run(base, tmp_path, adapter={"kind": "textual_inversion", "word": "qzx"})


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"kind": "hypernetwork", "structure": [1, 2]}, "begins and ends with 1"),
        ({"kind": "hypernetwork", "dropout": 0.2}, "at least two inner layers"),
        ({"kind": "hypernetwork", "activation": "softplus"}, "activation"),
        ({"kind": "textual_inversion"}, "word"),
    ],
)
def test_a_wrong_value_is_refused(keys: dict[str, object], said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        Adapter.parse(keys)


def test_alpha_is_set_by_part_of_the_network(base: Backbone) -> None:
    adapter = Adapter.parse({"kind": "locon", "rank": 4, "alpha": 2, "alphas": {"mid_block": 8}}).attach(base)
    assert isinstance(adapter, PeftAdapter)
    alphas = {path: float(parts["alpha"]) for path, parts in adapter.layers()["unet"].items()}
    assert {alpha for path, alpha in alphas.items() if path.startswith("mid_block")} == {8.0}
    assert {alpha for path, alpha in alphas.items() if "attentions" in path and "mid" not in path} == {2.0}
    adapter.detach()
    with pytest.raises(RecipeError, match="train.adapter.alphas: no layer is in 'middle'"):
        Adapter.parse({"kind": "lora", "alphas": {"middle": 1.0}}).attach(base)
    with pytest.raises(RecipeError, match="an alpha is above 0"):
        Adapter.parse({"kind": "lora", "alphas": {"mid_block": 0}})


def test_fewer_ranks_train_where_there_is_more_noise_and_all_of_them_are_used(base: Backbone) -> None:
    def gradient_of(timestep: int) -> torch.Tensor:
        """Of each rank's column of every B."""
        told = base.encode_text(["a", "b"])
        base.predict(X, torch.tensor([timestep] * 2), told).square().sum().backward()
        ups = [p for name, p in base.network.named_parameters() if ".lora_B." in name]
        found = sum(up.grad.flatten(1).abs().sum(0) for up in ups if up.grad is not None)
        base.network.zero_grad()
        assert isinstance(found, torch.Tensor)
        return found

    hooks = len(base.network._forward_pre_hooks)
    adapter = Adapter.parse({"kind": "lora", "rank": 4, "timestep_rank": 1}).attach(base)
    disturb(weights(adapter))
    everything = answer(base)
    base.network.train()
    moved = {t: int((gradient_of(t) > 0).sum()) for t in (999, 700, 400, 0)}
    base.network.eval()
    adapter.detach()
    assert moved == {999: 1, 700: 1, 400: 2, 0: 4}
    plain = Adapter.parse({"kind": "lora", "rank": 4}).attach(base)
    plain.restore(adapter.state())
    assert torch.equal(answer(base), everything), "in use all ranks count at every timestep, as in other programs"
    plain.detach()
    assert len(base.network._forward_pre_hooks) == hooks
