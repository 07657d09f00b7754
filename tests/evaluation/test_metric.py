"""What every metric keeps, whatever its kind."""

import importlib
from pathlib import Path

import numpy as np
import pytest
import torch

from evaluation.metric import Figure, Measured, Metric, Subject, load_observation, logged, save_observation
from evaluation.metrics.probe import ProbeResult
from tests.evaluation.things import made

KINDS = Metric.kinds()


def test_the_kinds_that_recipes_can_name_are_there() -> None:
    assert {"probe", "memorisation", "prior_drift", "noise_magnitude", "which_part", "strength"} <= set(KINDS)
    assert {"alignment", "editability", "diversity", "distribution"} <= set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_every_metric_finds_no_difference_between_a_network_and_itself(kind: str, subject: Subject) -> None:
    metric = Metric.of_kind(kind)()
    subject = made(metric, subject)
    first, second = (metric.observe(subject) for _ in range(2))
    assert set(first) == set(second)
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])
    one, two = (metric.measure(first, second, subject.evidence) for _ in range(2))
    assert one.logged(kind) == two.logged(kind)
    assert len({figure.name for figure in one.figures}) == len(one.figures) > 0


@pytest.mark.parametrize("kind", KINDS)
def test_every_metric_leaves_the_network_and_the_random_state_as_they_were(kind: str, subject: Subject) -> None:
    network = subject.backbone.network.train()
    torch.manual_seed(3)
    before, weights = torch.get_rng_state(), [weight.clone() for weight in network.parameters()]
    metric = Metric.of_kind(kind)()
    metric.observe(made(metric, subject))
    assert torch.equal(before, torch.get_rng_state())
    assert all(module.training for module in network.modules())
    assert all(torch.equal(a, b) and b.grad is None for a, b in zip(weights, network.parameters(), strict=True))
    network.eval()


@pytest.mark.parametrize("kind", KINDS)
def test_every_observation_can_be_kept_in_a_file(kind: str, subject: Subject, tmp_path: Path) -> None:
    metric = Metric.of_kind(kind)()
    seen = metric.observe(made(metric, subject))
    save_observation(tmp_path / "base.npz", seen)
    kept = load_observation(tmp_path / "base.npz")
    assert logged({kind: metric.measure(kept, seen, subject.evidence)}) == logged(
        {kind: metric.measure(seen, seen, subject.evidence)}
    )
    assert list(tmp_path.iterdir()) == [tmp_path / "base.npz"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_metric_says_what_it_costs_and_when_it_lies(kind: str) -> None:
    words = importlib.import_module(f"evaluation.metrics.{kind}").__doc__ or ""
    assert "Cost:" in words and "When it lies:" in words
    assert Metric.of_kind(kind).needs


@pytest.mark.parametrize("kind", KINDS)
def test_every_metric_is_read_back_from_what_it_dumps(kind: str) -> None:
    metric = Metric.of_kind(kind)()
    assert Metric.parse(metric.dump()).fingerprint == metric.fingerprint


def test_only_numbers_reach_the_tracking_server() -> None:
    measured = Measured((Figure("gap", 0.5, float("-inf"), float("inf")), Figure("z", float("nan"))))
    assert measured.logged("probe") == {"probe/gap": 0.5}


def test_a_probe_result_is_asked_by_name(curve: dict[int, ProbeResult]) -> None:
    assert curve[100].learning is curve[100]["learning"]
    with pytest.raises(KeyError, match="no figure 'learnt'"):
        curve[100]["learnt"]
