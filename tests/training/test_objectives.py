import dataclasses

import pytest
import torch

from backbones.backbone import Backbone
from tests.training import runs
from training.data import Data
from training.objective import Batch, Objective


@pytest.fixture(scope="module")
def batch(base: Backbone) -> Batch:
    data = Data(
        runs.examples(), runs.conditionings(base), batch_size=4, caption_dropout=0.0, seed=0, device=base.device
    )
    return data.draw(torch.Generator().manual_seed(0))


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(8)


@pytest.mark.parametrize("kind", Objective.kinds())
@torch.no_grad()
def test_every_objective_is_a_finite_number_that_follows_from_its_generator(
    kind: str, base: Backbone, batch: Batch
) -> None:
    loss = Objective.of_kind(kind)().build(base)
    first = loss(batch, seeded())
    assert first.shape == ()
    assert first.isfinite()
    torch.manual_seed(9)
    assert torch.equal(loss(batch, seeded()), first)
    assert not torch.equal(loss(batch, torch.Generator().manual_seed(9)), first)


@pytest.mark.parametrize("kind", Objective.kinds())
@torch.no_grad()
def test_every_objective_heeds_importance_and_mask(kind: str, base: Backbone, batch: Batch) -> None:
    loss = Objective.of_kind(kind)().build(base)
    plain = loss(batch, seeded())
    halved = dataclasses.replace(batch, importance=torch.full((4,), 0.5))
    torch.testing.assert_close(loss(halved, seeded()), plain / 2)
    mask = torch.zeros(4, 1, 8, 8)
    assert loss(dataclasses.replace(batch, mask=mask), seeded()) == 0
    torch.testing.assert_close(loss(dataclasses.replace(batch, mask=mask + 1), seeded()), plain)


@pytest.mark.parametrize("kind", Objective.kinds())
@torch.no_grad()
def test_every_objective_is_zero_for_the_right_answer(
    kind: str, base: Backbone, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    objective = Objective.of_kind(kind)()

    def knowing(noisy: torch.Tensor, t: torch.Tensor, _conditioning: object) -> torch.Tensor:
        a = base.alphas_cumprod[t].view(-1, 1, 1, 1)
        noise = (noisy - a.sqrt() * batch.latents) / (1 - a).sqrt()
        return noise if kind == "epsilon" else a.sqrt() * noise - (1 - a).sqrt() * batch.latents

    monkeypatch.setattr(base, "predict", knowing)
    assert objective.build(base)(batch, seeded()) < 1e-8


@torch.no_grad()
def test_min_snr_takes_weight_from_timesteps_with_much_signal_only(base: Backbone, batch: Batch) -> None:
    snr = base.alphas_cumprod / (1 - base.alphas_cumprod)
    weight = Objective.parse({"kind": "epsilon", "min_snr_gamma": 5.0}).weight(snr)  # type: ignore[attr-defined]
    assert torch.equal(weight[snr <= 5], torch.ones(int((snr <= 5).sum())))
    torch.testing.assert_close(weight[snr > 5], 5 / snr[snr > 5])
    weighted = Objective.parse({"kind": "epsilon", "min_snr_gamma": 1e-3}).build(base)
    assert weighted(batch, seeded()) < Objective.parse("epsilon").build(base)(batch, seeded())


@torch.no_grad()
def test_noise_offset_changes_the_noise(base: Backbone, batch: Batch) -> None:
    offset = Objective.parse({"kind": "epsilon", "noise_offset": 0.5}).build(base)
    assert offset(batch, seeded()) != Objective.parse("epsilon").build(base)(batch, seeded())
