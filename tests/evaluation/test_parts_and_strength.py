"""Which part, strength and noise magnitude: the same network taken apart, weakened, and asked from pure noise."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch

from backbones.tuning import Exchanged
from core.errors import RecipeError
from evaluation.advice import advise, culprit
from evaluation.case import Case
from evaluation.findings import Finding
from evaluation.metric import Evidence, Figure, Measured, Subject
from evaluation.metrics.noise_magnitude import NoiseMagnitude
from evaluation.metrics.probe import Probe, ProbeResult, Side
from evaluation.metrics.strength import Strength, StrengthResult, best_strength
from evaluation.metrics.which_part import WhichPart
from tests.evaluation.things import TinyBackbone


def otherwise(evidence: Evidence) -> Evidence:
    """The same pictures with words that a spoiled text encoder makes of theirs: right for trained ones only."""

    def again(case: Case) -> Case:
        hidden = case.conditioning["hidden"]
        return replace(case, conditioning={"hidden": hidden + 2 * torch.ones_like(hidden)})

    return replace(evidence, held_out=[again(case) for case in evidence.held_out])


@contextmanager
def put_on(base: TinyBackbone, tuned: TinyBackbone, strength: float = 1.0) -> Iterator[TinyBackbone]:
    """A network over the base that `untuned` can take off, as adapters are."""
    own = TinyBackbone(deepcopy(base.network).eval())
    others = dict(tuned.network.named_parameters())
    values = {p: p.data + strength * (others[name].data - p.data) for name, p in own.network.named_parameters()}
    with own.tuned_by(Exchanged(values)):
        yield own


def test_the_part_that_opens_the_gap_is_named(base: TinyBackbone, memorised: TinyBackbone, evidence: Evidence) -> None:
    metric = WhichPart()
    zero = metric.observe(Subject(base, evidence))
    with put_on(base, memorised) as own:
        by_network = metric.measure(zero, metric.observe(Subject(own, evidence)), evidence)
    spoiled = metric.observe(Subject(base, otherwise(evidence), plain=evidence))
    by_words = metric.measure(zero, spoiled, evidence)
    assert by_network["gap_from_network"].low > 0.3 and by_network["gap_from_words"].value == 0
    assert by_words["gap_from_words"].low > 0 and by_words["gap_from_network"].value == 0
    assert (culprit(by_network), culprit(by_words)) == ("network", "text encoder")


def test_what_a_part_adds_is_the_whole_where_the_other_does_nothing(
    base: TinyBackbone, memorised: TinyBackbone, evidence: Evidence
) -> None:
    probe, metric = Probe(), WhichPart()
    with put_on(base, memorised) as own:
        seen = metric.observe(Subject(own, evidence))
        whole = probe.measure(probe.observe(Subject(base, evidence)), probe.observe(Subject(own, evidence)), evidence)
    parts = metric.measure(seen, seen, evidence)
    assert parts["gap_from_network"].value == pytest.approx(whole.gap.value)
    assert parts["learning_from_network"].value == pytest.approx(whole.learning.value)


def at_strengths(base: TinyBackbone, tuned: TinyBackbone, evidence: Evidence, *, only_full: bool = False) -> Measured:
    metric = Strength()
    own = TinyBackbone(deepcopy(base.network).eval())

    @contextmanager
    def at(strength: float) -> Iterator[Evidence]:
        if only_full and strength != 1.0:
            raise RecipeError("a learned word has no strength but 1")
        with put_on(base, tuned, strength) as weakened:
            own.network = weakened.network
            yield evidence

    seen = metric.observe(Subject(own, evidence, at=at))
    return metric.measure(metric.observe(Subject(base, evidence)), seen, evidence)


def test_an_overfitted_network_is_best_at_a_lower_strength(
    base: TinyBackbone, memorised: TinyBackbone, evidence: Evidence
) -> None:
    result = at_strengths(base, memorised, evidence)
    assert isinstance(result, StrengthResult)
    assert result["best_strength"].value < 1 and result["gain"].low > 0
    gaps = [result.curve[strength].gap.value for strength in (0.2, 0.4, 0.6, 0.8)]
    assert gaps == sorted(gaps), "the gap grows with the strength"


def test_what_has_one_strength_only_is_measured_at_that(
    base: TinyBackbone, memorised: TinyBackbone, evidence: Evidence
) -> None:
    result = at_strengths(base, memorised, evidence, only_full=True)
    assert result["best_strength"].value == 1 and {f.name for f in result.figures if "_at_" in f.name} == {
        "learning_at_1",
        "gap_at_1",
    }


def test_full_strength_is_left_only_where_it_is_surely_worse() -> None:
    def learned(*held_out: float) -> ProbeResult:
        rho = np.array([*held_out, *[0.0] * len(held_out)])
        sides: list[Side] = [*["held_out"] * len(held_out), *["train"] * len(held_out)]  # type: ignore[list-item]
        names = [str(at) for at in range(len(rho))]
        return Probe(timesteps=(500,)).compare(np.ones((len(rho), 1)), np.exp(-rho)[:, None], names, sides)

    weaker, surely, perhaps = learned(*[0.3] * 5), learned(*[0.2] * 5), learned(0.5, 0.1, -0.3, 0.1, 0.1)
    assert perhaps.learning.value < surely.learning.value
    assert best_strength({0.4: weaker, 1.0: surely}) == 0.4
    assert best_strength({0.4: weaker, 1.0: perhaps}) == 1.0
    assert best_strength({0.4: weaker, 1.0: learned(*[0.29] * 5)}) == 1.0, "that much nobody sees"
    assert best_strength({0.4: learned(*[0.29] * 5), 0.6: weaker, 1.0: surely}) == 0.6


def test_advice_names_strength_and_culprit_only_where_they_are_sure() -> None:
    heart = Finding("overfit", "It knows.", (), "Train less.")
    sure = Measured((Figure("best_strength", 0.6), Figure("gain", 0.2, 0.1, 0.3)))
    unsure = Measured((Figure("best_strength", 1.0), Figure("gain", 0.0, 0.0, 0.0)))
    parts = Measured((Figure("gap_from_words", 0.5, 0.3, 0.7), Figure("gap_from_network", 0.1, -0.1, 0.3)))
    told = advise(heart, sure, parts)
    assert told.best_strength == 0.6 and "strength 0.6" in told.words and told.culprit == "text encoder"
    assert advise(heart, unsure, None).words == ""
    assert advise(replace(heart, state="healthy"), unsure, parts).culprit == ""


def test_captions_that_were_learned_by_heart_steer_more_than_new_ones(
    base: TinyBackbone, memorised: TinyBackbone, evidence: Evidence
) -> None:
    metric = NoiseMagnitude(timestep=900, draws=8)
    zero = metric.observe(Subject(base, evidence))
    assert metric.measure(zero, zero, evidence)["excess"].value == 0
    result = metric.measure(zero, metric.observe(Subject(memorised, evidence)), evidence)
    assert result["train"].low > 0 and result["excess"].value == pytest.approx(
        result["train"].value - result["held_out"].value
    )
