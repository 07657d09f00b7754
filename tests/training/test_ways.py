"""Ways to spend less memory or time: what stays the same, what comes back, what is refused."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from backbones.backbone import Backbone
from tests.training import runs
from tests.training.adapting import answer
from tests.training.test_loop import PowerCutError, weights
from training import ways
from training.moving_average import MovingAverage
from training.quantised import QuantisedLinear, quantised
from training.scaling import LossScaling


def learned(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "weights" / "step-00000008" / "kohya.safetensors")


def interrupted(base: Backbone, folder: Path, **changes: object) -> None:
    """The same run with a power cut at step 7, one step after a checkpoint."""

    def cut(step: int, _figures: dict[str, float]) -> None:
        if step == 7:
            raise PowerCutError

    with pytest.raises(PowerCutError):
        runs.run(base, folder, on_log=cut, **changes)
    assert runs.run(base, folder, **changes).finished


def test_gradient_checkpointing_learns_the_same_with_less_kept(base: Backbone, straight: Path, tmp_path: Path) -> None:
    runs.run(base, tmp_path, gradient_checkpointing=True)
    mine, theirs = learned(tmp_path), learned(straight)
    assert all(torch.allclose(mine[name], theirs[name], rtol=1e-4, atol=1e-6) for name in theirs)
    assert not base.network.is_gradient_checkpointing  # type: ignore[union-attr]


def test_a_moving_average_is_exported_and_comes_back_bit_for_bit(
    base: Backbone, straight: Path, tmp_path: Path
) -> None:
    seen: dict[int, torch.Tensor] = {}
    runs.run(base, tmp_path / "straight", ema=0.9, on_pause=lambda step: seen.update({step: answer(base)}))
    interrupted(base, tmp_path / "cut", ema=0.9)
    assert weights(tmp_path / "cut") == weights(tmp_path / "straight")
    averaged, last = learned(tmp_path / "straight"), learned(straight)
    ups = [name for name in last if "lora_up" in name]
    assert sum(float(averaged[name].norm()) for name in ups) < sum(float(last[name].norm()) for name in ups)
    file = tmp_path / "straight" / "weights" / "step-00000008" / "kohya.safetensors"
    base.apply_adapter(file)
    torch.testing.assert_close(answer(base), seen[8], rtol=1e-4, atol=1e-5)
    base.remove_adapter()


def test_the_moving_average_is_what_its_formula_says() -> None:
    weight = torch.nn.Parameter(torch.zeros(3))
    average, expected = MovingAverage([weight], 0.5), torch.zeros(3)
    for step in range(1, 20):
        with torch.no_grad():
            weight.fill_(float(step))
        average.update(step)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * step
    with average.shown():
        torch.testing.assert_close(weight.data, expected)
    assert torch.equal(weight.data, torch.full((3,), 19.0))


def test_fp16_trains_with_scaled_losses_and_goes_on_bit_for_bit(base: Backbone, tmp_path: Path) -> None:
    figures: list[float] = []
    changes = {"precision": "fp16", "steps": 8}
    runs.run(base, tmp_path / "straight", on_log=lambda _s, told: figures.append(told["grad_norm"]), **changes)
    assert all(0 <= norm < 100 for norm in figures), "gradients are back at their size"
    assert sum(norm == 0 for norm in figures) <= 2, "steps that overflow are few"
    interrupted(base, tmp_path / "cut", **changes)
    assert weights(tmp_path / "cut") == weights(tmp_path / "straight")


def test_an_overflow_halves_the_scale_and_costs_one_step_only() -> None:
    scaling, weight = LossScaling("cpu"), torch.nn.Parameter(torch.ones(2))
    before = float(scaling.scale)
    for gradient, left, scale in ((torch.inf, 0.0, before / 2), (before / 2, 1.0, before / 2)):
        weight.grad = torch.full((2,), gradient)
        scaling.down([weight])
        assert torch.equal(weight.grad, torch.full((2,), left))
        assert float(scaling.scale) == scale


@pytest.mark.parametrize(("kind", "largest"), [("int8", 0.02), ("nf4", 0.2)])
def test_a_quantised_base_answers_nearly_the_same_learns_and_comes_back(
    kind: str, largest: float, base: Backbone, tmp_path: Path
) -> None:
    before = answer(base)
    with quantised(base.network, kind):  # type: ignore[arg-type]
        packed = [layer for layer in base.network.modules() if isinstance(layer, QuantisedLinear)]
        away = float((answer(base) - before).norm() / before.norm())
        bits = (
            8
            * sum(layer.weight.numel() for layer in packed)
            / sum(layer.in_features * layer.out_features for layer in packed)
        )
    assert packed
    assert 0 < away < largest
    assert bits == {"int8": 8, "nf4": 4}[kind]
    assert torch.equal(answer(base), before)
    for name in ("first", "second"):
        assert runs.run(base, tmp_path / name, quantise=kind, steps=3).finished
    assert weights(tmp_path / "first") == weights(tmp_path / "second")
    assert torch.equal(answer(base), before)


def test_a_quantised_layer_passes_on_the_gradient_of_its_weight() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        layer, given = torch.nn.Linear(96, 64), torch.randn(5, 96, requires_grad=True)
        packed = QuantisedLinear(layer, "nf4")
        wanted = torch.randn(5, 64)
        (packed(given) * wanted).sum().backward()
    assert given.grad is not None
    torch.testing.assert_close(given.grad, wanted @ packed.unpacked(torch.float32))


def test_a_compiled_network_is_compiled_where_it_stands_switched_off_and_given_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[torch.fx.GraphModule] = []

    def backend(graph: torch.fx.GraphModule, _inputs: object) -> object:
        seen.append(graph)
        return graph.forward

    monkeypatch.setattr(ways, "BACKEND", backend)  # the compiler itself takes minutes for a real network
    network, given = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.SiLU()), torch.ones(2, 3)
    plain = network(given)
    compiled = ways.Compiled(network, wanted=True)
    with compiled.off():
        assert torch.equal(network(given), plain)
    assert not seen
    assert torch.equal(network(given), plain)
    assert len(seen) == 1
    compiled.remove()
    network(torch.ones(5, 3, dtype=torch.float32))
    assert len(seen) == 1
