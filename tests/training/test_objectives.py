import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from backbones.backbone import Backbone
from tests.training import runs
from training.data import Data
from training.noise import coarser, gaussian, offset
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


@pytest.mark.parametrize(
    "field",
    [
        {"noise_offset": 0.1},
        {"adaptive_offset": 0.5},
        {"multires_levels": 4},
        {"input_perturbation": 0.2},
        {"huber": 0.1},
        {"huber": 0.1, "huber_schedule": "constant"},
        {"debiased": True},
        {"min_snr_gamma": 1.0},
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", Objective.kinds())
@torch.no_grad()
def test_every_field_changes_the_loss_and_keeps_it_repeatable(
    kind: str, field: dict[str, object], base: Backbone, batch: Batch
) -> None:
    plain = Objective.parse(kind).build(base)(batch, seeded())
    changed = Objective.parse({"kind": kind, **field}).build(base)
    assert changed(batch, seeded()).isfinite()
    assert torch.equal(changed(batch, seeded()), changed(batch, seeded()))
    assert not torch.equal(changed(batch, seeded()), plain)


def test_debiased_weights_are_the_papers(base: Backbone) -> None:
    snr = base.alphas_cumprod / (1 - base.alphas_cumprod)
    torch.testing.assert_close(Objective.parse("epsilon").debias(snr), 1 / snr.clamp(max=1000).sqrt())  # type: ignore[attr-defined]
    torch.testing.assert_close(Objective.parse("v_prediction").debias(snr), 1 / (snr.clamp(max=1000) + 1))  # type: ignore[attr-defined]


@torch.no_grad()
def test_hubers_loss_is_the_square_where_errors_are_small_and_never_more(base: Backbone, batch: Batch) -> None:
    plain = Objective.parse("epsilon").build(base)(batch, seeded())
    wide = Objective.parse({"kind": "epsilon", "huber": 1e3, "huber_schedule": "constant"}).build(base)(batch, seeded())
    narrow = Objective.parse({"kind": "epsilon", "huber": 0.1, "huber_schedule": "constant"}).build(base)
    torch.testing.assert_close(wide, plain, atol=1e-3, rtol=1e-3)
    assert narrow(batch, seeded()) < plain


def test_zero_terminal_snr_is_diffusers_own_rescaling(base: Backbone) -> None:
    from diffusers import DDIMScheduler

    theirs = DDIMScheduler.from_config(base.scheduler_config, rescale_betas_zero_snr=True).alphas_cumprod.double()
    ours = Objective.parse({"kind": "v_prediction", "zero_terminal_snr": True}).alphas(base)  # type: ignore[attr-defined]
    assert ours[-1] == 0
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)
    torch.testing.assert_close(ours[0], base.alphas_cumprod[0].double())


@torch.no_grad()
def test_zero_terminal_snr_stays_finite_with_every_weighting(base: Backbone, batch: Batch) -> None:
    for more in ({}, {"min_snr_gamma": 5}, {"debiased": True}, {"huber": 0.1}):
        loss = Objective.parse({"kind": "v_prediction", "zero_terminal_snr": True, **more}).build(base)
        assert all(loss(batch, torch.Generator().manual_seed(seed)).isfinite() for seed in range(3))


@given(
    seed=st.integers(0, 2**32),
    levels=st.integers(1, 8),
    discount=st.floats(0.05, 0.9),
    side=st.sampled_from([4, 8, 13]),
)
@settings(max_examples=25, deadline=None)
def test_noise_of_many_grains_is_as_strong_as_plain_noise(seed: int, levels: int, discount: float, side: int) -> None:
    rng = torch.Generator().manual_seed(seed)
    made = coarser(gaussian((2, 4, side, side), rng, "cpu"), rng, "cpu", levels=levels, discount=discount)
    torch.testing.assert_close(made.std(dim=(1, 2, 3)), torch.ones(2), atol=1e-4, rtol=0)


def test_the_offset_is_one_number_per_channel_and_follows_the_picture_where_it_is_adaptive() -> None:
    latents = torch.stack([torch.zeros(4, 3, 3), torch.full((4, 3, 3), 2.0)])
    plain = offset(latents, seeded(), "cpu", 0.1, 0.0)
    assert plain.shape == (2, 4, 1, 1)
    adaptive = offset(latents, seeded(), "cpu", 0.1, 0.05)
    torch.testing.assert_close(adaptive, plain * torch.tensor([1.0, 2.0]).view(2, 1, 1, 1))
    assert not offset(latents[1:], seeded(), "cpu", 0.1, -1.0).any(), "never below 0"
