from dataclasses import replace

import pytest

from core.errors import NotEnoughData
from evaluation.metric import Evidence, Measured, Subject
from evaluation.metrics.prior_drift import PriorDrift
from tests.evaluation.things import TinyBackbone, others, train


def drifted(base: TinyBackbone, tuned: TinyBackbone, evidence: Evidence) -> Measured:
    metric = PriorDrift()
    return metric.measure(metric.observe(Subject(base, evidence)), metric.observe(Subject(tuned, evidence)), evidence)


def test_the_base_has_not_drifted_from_itself(base: TinyBackbone, evidence: Evidence) -> None:
    assert [figure.value for figure in drifted(base, base, evidence).figures] == [0, 0, 0]


def test_prior_preservation_keeps_the_drift_down(base: TinyBackbone, evidence: Evidence) -> None:
    without = drifted(base, train(base, evidence.train, 300), evidence)
    preserved = drifted(base, train(base, [*evidence.train, *others(base, 64)], 300), evidence)
    assert without["drift"].low > preserved["drift"].high


def test_drift_is_relative_to_what_the_base_itself_misses(base: TinyBackbone, evidence: Evidence) -> None:
    observed = PriorDrift().observe(Subject(base, evidence))
    result = drifted(base, train(base, evidence.train, 100), evidence)
    assert result["relative"].value == pytest.approx(result["drift"].value / observed["losses"].mean())


def test_without_pictures_of_the_base_there_is_nothing_to_measure(base: TinyBackbone, evidence: Evidence) -> None:
    with pytest.raises(NotEnoughData, match="pictures that the base made"):
        PriorDrift().observe(Subject(base, replace(evidence, prior=())))
