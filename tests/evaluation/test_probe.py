from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from evaluation.metric import Evidence, Subject
from evaluation.metrics.probe import Probe, ProbeResult, Side
from evaluation.paired import noise_of
from tests.evaluation.things import TinyBackbone, TinyNetwork, cases, train


def probed(base: TinyBackbone, tuned: TinyBackbone, evidence: Evidence, probe: Probe) -> ProbeResult:
    return probe.measure(probe.observe(Subject(base, evidence)), probe.observe(Subject(tuned, evidence)), evidence)


def test_a_network_equal_to_the_base_has_learned_exactly_nothing(base: TinyBackbone, evidence: Evidence) -> None:
    result = probed(base, TinyBackbone(base.network), evidence, Probe())
    for figure in result.figures:
        if figure.name != "gap_z":
            assert (figure.value, figure.low, figure.high) == (0, 0, 0)


def test_learning_by_heart_opens_a_gap_that_surely_is_not_zero(
    base: TinyBackbone, memorised: TinyBackbone, evidence: Evidence
) -> None:
    result = probed(base, memorised, evidence, Probe())
    assert result.gap.low > 0.3
    assert result.z > 5
    assert all(figure.low > 0 for figure in result.gap_at)
    assert result.train_learning.value == pytest.approx(result.learning.value + result.gap.value)


def test_a_run_learns_the_kind_first_and_the_pictures_by_heart_later(curve: dict[int, ProbeResult]) -> None:
    assert curve[25].learning.low > 0
    gaps = [curve[step].gap.value for step in sorted(curve)]
    assert gaps == sorted(gaps)


def test_where_nothing_sets_the_sides_apart_the_interval_holds_zero_as_often_as_it_promises(
    base: TinyBackbone, memorised: TinyBackbone, evidence: Evidence
) -> None:
    probe = Probe()
    held_out = replace(evidence, train=(), held_out=cases(base, "held_out", 24))
    before, after = (probe.observe(Subject(network, held_out))["losses"] for network in (base, memorised))
    groups = [str(at) for at in range(24)]
    missed = 0
    for seed in range(200):
        sides: list[Side] = ["train"] * 12 + ["held_out"] * 12
        np.random.default_rng(seed).shuffle(sides)
        gap = probe.compare(before, after, groups, sides).gap
        missed += not gap.low <= 0 <= gap.high
    assert missed <= 20, "a 95 % interval may miss one in twenty"


def test_near_duplicates_count_once_and_do_not_narrow_the_interval(curve: dict[int, ProbeResult]) -> None:
    rho = curve[100].rho[:, None]
    side = list(curve[100].side)
    groups = list(curve[100].groups)
    probe = Probe(timesteps=(500,))
    once = probe.compare(np.ones_like(rho), np.exp(rho), groups, side)
    many = probe.compare(np.ones((8 * len(rho), 1)), np.exp(np.tile(rho, (8, 1))), groups * 8, side * 8)
    for name in ("learning", "gap"):
        assert many[name].value == pytest.approx(once[name].value)
        assert (many[name].low, many[name].high) == pytest.approx((once[name].low, once[name].high))
    assert many.count("held_out") == once.count("held_out") == 12


def test_one_held_out_group_says_what_it_saw_and_that_it_is_not_sure(curve: dict[int, ProbeResult]) -> None:
    rho = curve[100].rho[:, None]
    groups = [
        group if side == "train" else "one" for group, side in zip(curve[100].groups, curve[100].side, strict=True)
    ]
    result = Probe(timesteps=(500,)).compare(np.ones_like(rho), np.exp(rho), groups, curve[100].side)
    assert np.isfinite(result.gap.value)
    assert (result.gap.low, result.gap.high) == (-np.inf, np.inf)
    assert np.isnan(result.z)
    assert np.isfinite(result.train_learning.low)


def test_a_picture_is_asked_the_same_in_any_company(base: TinyBackbone, evidence: Evidence) -> None:
    probe = Probe(draws=2)
    together = probe.losses(base, evidence.train)
    alone = np.concatenate([probe.losses(base, [case]) for case in reversed(evidence.train)])[::-1]
    np.testing.assert_array_equal(together, alone)


def test_noise_follows_from_picture_timestep_and_draw(evidence: Evidence) -> None:
    one, other = evidence.train[:2]
    first = noise_of(one, 300, 0, 0)
    assert torch.equal(first, noise_of(one, 300, 0, 0))
    for another in (
        noise_of(other, 300, 0, 0),
        noise_of(one, 500, 0, 0),
        noise_of(one, 300, 1, 0),
        noise_of(one, 300, 0, 1),
    ):
        assert not torch.equal(first, another)


def test_v_prediction_gives_the_figures_that_epsilon_gives(
    base: TinyBackbone, memorised: TinyBackbone, evidence: Evidence
) -> None:
    """The same denoiser, said in the other way: v = (eps - sqrt(1 - a) x_t) / sqrt(a)."""

    class AsV(torch.nn.Module):
        def __init__(self, epsilon: TinyBackbone) -> None:
            super().__init__()
            self.epsilon = epsilon.network
            self.alphas = epsilon.alphas_cumprod

        def forward(self, noisy: torch.Tensor, timesteps: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
            alpha = self.alphas[timesteps].view(-1, 1, 1, 1)
            epsilon = self.epsilon(noisy, timesteps, hidden)
            return (epsilon - (1 - alpha).sqrt() * noisy) / alpha.sqrt()

    as_v = [TinyBackbone(AsV(network), "v_prediction") for network in (base, memorised)]
    epsilon, v = probed(base, memorised, evidence, Probe()), probed(*as_v, evidence, Probe())
    np.testing.assert_allclose(v.rho, epsilon.rho, atol=1e-3)


def test_latents_of_several_shapes_stand_beside_each_other(base: TinyBackbone) -> None:
    class AnyShape(torch.nn.Module):
        def forward(self, noisy: torch.Tensor, timesteps: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
            return 0.5 * noisy + hidden.mean() + 1e-4 * timesteps.view(-1, 1, 1, 1)

    wide, tall = cases(base, "train", 2)
    wide, tall = replace(wide, latent=torch.zeros(2, 4, 9)), replace(tall, latent=torch.zeros(2, 9, 4))
    losses = Probe().losses(TinyBackbone(AnyShape()), [wide, tall])
    assert losses.shape == (2, 4) and (losses > 0).all()


def test_more_draws_average_the_noise_away(base: TinyBackbone, evidence: Evidence) -> None:
    def spread(draws: int) -> NDArray[np.float64]:
        seeds = [Probe(draws=draws, seed=seed).losses(base, evidence.train[:6]) for seed in range(6)]
        return np.std(seeds, axis=0)

    assert spread(8).mean() < 0.6 * spread(1).mean()


def test_either_side_is_cut_to_the_same_number_in_the_same_way(base: TinyBackbone, evidence: Evidence) -> None:
    probe = Probe(most=5)
    assert [side for side, _ in probe.asked(evidence)] == ["train"] * 5 + ["held_out"] * 5
    assert probe.observe(Subject(base, evidence))["losses"].shape == (10, 4)


def test_dropout_is_off_while_probing(evidence: Evidence) -> None:
    torch.manual_seed(1)
    network = TinyBackbone(TinyNetwork().train())
    np.testing.assert_array_equal(
        Probe().losses(network, evidence.train[:3]), Probe().losses(network, evidence.train[:3])
    )


def test_a_network_that_ran_away_gives_figures_that_say_so(base: TinyBackbone, evidence: Evidence) -> None:
    broken = train(base, evidence.train, 0)
    with torch.no_grad():
        next(broken.network.parameters()).fill_(float("nan"))
    result = probed(base, broken, evidence, Probe())
    assert np.isnan(result.learning.value)
    assert result.logged("probe") == {}
