from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu

from core.errors import NotEnoughData
from core.pixels import Pixels
from evaluation.findings import Thresholds, copied
from evaluation.metric import Evidence, Gallery, Subject
from evaluation.metrics.memorisation import Memorisation, MemorisationResult, bound_of, mann_whitney
from tests.evaluation.things import TinyBackbone, embeddings, gallery, picture


def sampled(pixels: list[Pixels]) -> Gallery:
    names = tuple(f"prompt {at}" for at in range(len(pixels)))
    return Gallery(names, names, tuple(pixels), embeddings(pixels))


def measured(
    base: TinyBackbone, made: list[Pixels], evidence: Evidence, metric: Memorisation | None = None
) -> MemorisationResult:
    metric = metric or Memorisation(side=16)
    untuned = sampled([picture("untuned", at) for at in range(len(made))])
    before, after = (metric.observe(Subject(base, evidence, one)) for one in (untuned, sampled(made)))
    return metric.measure(before, after, evidence)


def slightly_changed(original: Pixels, seed: int) -> Pixels:
    noise = np.random.default_rng(seed).normal(0, 6, original.shape)
    return np.clip(original + noise, 0, 255).astype(np.uint8)


def test_copies_are_all_found_and_each_beside_its_original(base: TinyBackbone, evidence: Evidence) -> None:
    originals = list(evidence.train_pictures.pixels[3:9])
    result = measured(base, [slightly_changed(one, at) for at, one in enumerate(originals)], evidence)
    assert result["copy_rate"].value == 1
    assert result["copy_rate"].low > 0.5
    assert {pair.sample: pair.training for pair in result.pairs} == {at: at + 3 for at in range(6)}
    assert all(pair.copied for pair in result.pairs)
    assert result["c_t_pixel"].value < -3
    assert result["pull_pixel"].low > 0 and result["pull_clip"].low > 0


def test_new_pictures_of_the_same_kind_are_hardly_ever_called_copies(base: TinyBackbone) -> None:
    rates, scores = [], []
    for run in range(25):
        evidence = Evidence(train_pictures=gallery(f"train {run}", 40), held_out_pictures=gallery(f"held {run}", 12))
        result = measured(base, [picture("new", run, at) for at in range(20)], evidence)
        rates.append(result["copy_rate"].value)
        scores.append(result["c_t_pixel"].value)
        assert result["pull_pixel"].low < 0.02
    assert np.mean(rates) <= 0.05
    assert abs(np.mean(scores)) < 1


def test_copies_of_held_out_pictures_are_not_memorised(base: TinyBackbone, evidence: Evidence) -> None:
    result = measured(base, list(evidence.held_out_pictures.pixels), evidence)
    assert result["copy_rate"].value <= 0.1
    assert result["pull_pixel"].high < 0


def test_many_versions_of_one_training_picture_do_not_make_real_pictures_look_like_copies(
    base: TinyBackbone, evidence: Evidence
) -> None:
    """Augmented versions share their root's group: they are near each other, and say nothing of what is usual."""
    train = evidence.train_pictures
    versions = [slightly_changed(one, 50 + at) for at, one in enumerate(train.pixels)]
    pixels = (*train.pixels, *versions)
    more = Gallery((*train.names, *(f"{name}'" for name in train.names)), train.groups * 2, pixels, embeddings(pixels))
    new = [picture("new", at) for at in range(12)]
    plain = measured(base, new, evidence)
    augmented = measured(base, new, replace(evidence, train_pictures=more))
    assert augmented.threshold_pixel == pytest.approx(plain.threshold_pixel, rel=0.1)
    assert augmented["copy_rate"].value == plain["copy_rate"].value


def test_the_nearest_pair_is_shown_first(base: TinyBackbone, evidence: Evidence) -> None:
    made = [picture("new", 1), picture("new", 2), slightly_changed(evidence.train_pictures.pixels[5], 0)]
    assert measured(base, made, evidence).pairs[0].sample == 2


def test_pictures_of_any_size_and_shape_are_compared(base: TinyBackbone, evidence: Evidence) -> None:
    large = np.repeat(np.repeat(evidence.train_pictures.pixels[0], 3, 0), 2, 1)
    assert Memorisation().observe(Subject(base, evidence, sampled([evidence.train_pictures.pixels[0]])))[
        "pixel"
    ].shape == (1, 32 * 32 * 3)
    seen = Gallery(("p",), ("p",), (large,), embeddings([evidence.train_pictures.pixels[0]]))
    metric = Memorisation(side=16)
    one = metric.observe(Subject(base, evidence, seen))
    assert metric.measure(one, one, evidence)["copy_rate"].value == 1


def test_copies_are_found_where_no_picture_is_held_out(base: TinyBackbone, evidence: Evidence) -> None:
    alone = replace(evidence, held_out_pictures=Gallery())
    originals = list(evidence.train_pictures.pixels[3:9])
    result = measured(base, [slightly_changed(one, at) for at, one in enumerate(originals)], alone)
    assert result["copy_rate"].value == 1 and np.isnan(result["c_t_pixel"].value)
    new = measured(base, [picture("new", at) for at in range(20)], alone)
    assert new["copy_rate"].value <= 0.1
    assert copied(result, Thresholds()) is not None and copied(new, Thresholds()) is None
    assert set(result.logged("memorisation")) >= {"memorisation/copy_rate"}
    assert "memorisation/pull_pixel" not in result.logged("memorisation")


def test_the_score_is_the_mann_whitney_u_in_standard_deviations() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=14), rng.normal(0.5, size=9)
    u = mannwhitneyu(first, second).statistic
    assert mann_whitney(first, second) == pytest.approx((u - 63) / np.sqrt(126 * 24 / 12))


def test_too_few_pictures_are_said_to_be_too_few(base: TinyBackbone, evidence: Evidence) -> None:
    with pytest.raises(NotEnoughData, match="needs 8 groups of training pictures; there are 7"):
        measured(base, [picture("new")], Evidence(train_pictures=gallery("train", 7)))
    with pytest.raises(NotEnoughData, match="needs samples"):
        Memorisation().observe(Subject(base, evidence))


def test_two_real_pictures_that_are_alike_do_not_hide_copies() -> None:
    apart = np.random.default_rng(0).normal(1.0, 0.08, 80)
    plain, _ = bound_of(apart, 0.01, 0.8)
    alike, chance = bound_of(np.concatenate([apart, [0.4, 0.4]]), 0.01, 0.8)
    assert alike == pytest.approx(plain, abs=0.02)
    assert chance < 0.1


@given(st.lists(st.floats(0.0, 2.0), min_size=1, max_size=40), st.floats(0.1, 2.0))
def test_a_line_for_copies_is_below_its_cap_and_no_nearer_than_the_pictures_own(real: list[float], cap: float) -> None:
    bound, chance = bound_of(np.array(real), 0.01, cap)
    assert min(np.quantile(real, 0.01), cap) <= bound <= cap
    assert 0.01 <= chance <= 1
