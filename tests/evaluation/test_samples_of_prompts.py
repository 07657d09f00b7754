"""Editability, diversity, distribution and alignment: what samples of known prompts tell."""

import numpy as np
import pytest

from core.errors import NotEnoughData
from core.pixels import Pixels
from core.seeding import generator
from evaluation.colours import NAMES, ground_of, name_of
from evaluation.metric import Evidence, Gallery, Measured, Metric, Subject, Wording
from evaluation.metrics.alignment import Alignment
from evaluation.metrics.distribution import Distribution
from evaluation.metrics.diversity import Diversity
from evaluation.metrics.editability import Editability
from evaluation.prompts import bare, placed
from tests.evaluation.things import TinyBackbone, embeddings, gallery, made, picture, said


def on_asked_ground(prompt: str, seed: int) -> Pixels:
    """What a network that listens draws: a few bars on the ground that the prompt names."""
    colour = next((NAMES[word] for word in prompt.split() if word in NAMES), (255, 255, 255))
    drawn = picture(prompt, seed)
    drawn[:2], drawn[-2:], drawn[:, :2], drawn[:, -2:] = colour, colour, colour, colour
    return drawn


def always_the_same(prompt: str, seed: int) -> Pixels:
    return picture("by heart")


def measured(metric: Metric, subject: Subject, before: object, after: object) -> Measured:
    base, tuned = (metric.observe(made(metric, subject, draw)) for draw in (before, after))  # type: ignore[arg-type]
    return metric.measure(base, tuned, subject.evidence)


@pytest.mark.parametrize("name", NAMES)
def test_a_colour_is_called_by_its_name(name: str) -> None:
    own = np.array(NAMES[name], float)
    assert name_of(own) == name
    assert name_of(np.clip(own + 8, 0, 255)) == name


def test_the_ground_is_seen_around_whatever_stands_in_the_middle() -> None:
    drawn = np.full((64, 64, 3), (30, 90, 220), np.uint8)
    drawn[8:56, 8:56] = 255
    assert name_of(ground_of(drawn)) == "blue"


def test_a_place_is_put_behind_the_subject_and_the_trigger_stays_at_the_end() -> None:
    caption = "an emoji of a cow, brown on a white background, openmoji"
    assert placed(caption, "in the snow") == "an emoji of a cow in the snow, brown, openmoji"
    assert placed("a dog on a light grey background", "at night") == "a dog at night"
    assert bare(caption, "openmoji") == "an emoji of a cow, brown"
    assert bare("sks", "sks") == "sks"


def test_a_network_that_no_longer_hears_the_background_word_is_told_from_one_that_does(subject: Subject) -> None:
    listens = measured(Editability(), subject, on_asked_ground, on_asked_ground)
    assert listens["obeyed"].value == listens["obeyed_base"].value == 1 and listens["change"].value == 0
    deaf = measured(Editability(), subject, on_asked_ground, always_the_same)
    assert deaf["obeyed"].high < 0.5 and deaf["change"].high < 0


def test_samples_of_one_prompt_that_have_become_alike_are_less_diverse(subject: Subject) -> None:
    same = measured(Diversity(side=16), subject, picture, lambda prompt, seed: picture(prompt, seed, "otherwise"))
    assert same["pixel_change"].low < 0.2 and abs(same["pixel_change"].value) < 0.3
    alike = measured(Diversity(side=16), subject, picture, lambda prompt, seed: picture(prompt))
    assert alike["pixel_change"].high < -1 and alike["clip_change"].high < -1


def kind_of(name: str, count: int, off: float = 0.0) -> Gallery:
    """Vectors of one kind, shifted by ``off`` along a fixed direction."""
    vectors = np.stack([generator(name, at).normal(size=24) for at in range(count)]) * 0.3
    vectors[:, 0] += 1 + off
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    names = tuple(f"{name} {at}" for at in range(count))
    return Gallery(names, names, (), vectors.astype(np.float32))


def test_samples_of_the_same_kind_are_at_no_distance_and_others_are(base: TinyBackbone) -> None:
    evidence = Evidence(train_pictures=kind_of("train", 20), held_out_pictures=kind_of("held", 16))
    metric, near = Distribution(), []
    for run in range(12):
        other, same = kind_of(f"base {run}", 24, off=-2.0), kind_of(f"tuned {run}", 24)
        base_seen, seen = (metric.observe(Subject(base, evidence, one)) for one in (other, same))
        result = metric.measure(base_seen, seen, evidence)
        assert result["change"].high < 0 and result["mmd_base"].low > 0
        near.append(result["mmd"].value)
        assert result["mmd"].low <= 0.02
    assert abs(np.mean(near)) < 0.01, "the estimate is unbiased"


def test_one_prompt_is_too_little_for_a_distribution(base: TinyBackbone) -> None:
    evidence = Evidence(held_out_pictures=gallery("held_out", 8))
    one = Gallery(("p",) * 4, ("p",) * 4, (), embeddings(tuple(picture(at) for at in range(4))))
    seen = Distribution().observe(Subject(base, evidence, one))
    with pytest.raises(NotEnoughData, match="samples of two prompts"):
        Distribution().measure(seen, seen, evidence)


def answering(subject: Subject, metric: Alignment, *, rigid: bool) -> Subject:
    """Samples whose vectors are what their prompts say; rigid: of new places nothing is to be seen."""
    asked = made(metric, subject)
    trigger = subject.evidence.wording.trigger
    words = [next((p for p in metric.places if p in name), "") for name in asked.samples.names]
    heard = [
        bare(name, trigger) if not place else ("nothing of it" if rigid else place)
        for name, place in zip(asked.samples.names, words, strict=True)
    ]
    samples = Gallery(asked.samples.names, asked.samples.groups, asked.samples.pixels, said(heard))
    return Subject(subject.backbone, subject.evidence, samples, said=said)


def test_a_network_that_obeys_its_captions_only_is_rigid(subject: Subject) -> None:
    metric = Alignment()
    free, rigid = (metric.observe(answering(subject, metric, rigid=one)) for one in (False, True))
    same = metric.measure(free, free, subject.evidence)
    assert same["rigidity"].value == 0 and same["contexts_found"].value == 1 and same["known_now"].low > 0.5
    lost = metric.measure(free, rigid, subject.evidence)
    assert lost["rigidity"].low > 0.3 and lost["contexts"].high < 0 and lost["known"].value == 0
    assert lost["contexts_found"].value < 0.5


def test_alignment_says_what_it_lacks(subject: Subject) -> None:
    with pytest.raises(NotEnoughData, match="two different captions"):
        Alignment().shots(Wording(("one",), ()))
