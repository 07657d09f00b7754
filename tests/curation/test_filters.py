from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageFilter

from core.cache import Memory
from core.pixels import Pixels
from core.record import Record
from curation.filter import Batch, Filter
from curation.filters.near_duplicate import NearDuplicate
from curation.measure import Measured, measured
from tests.curation.conftest import encoded, scene
from tests.curation.test_duplicates import emoji

TASTE = {"monochrome", "outlier", "zero_shot"}
"""what they refuse is good to some: named by who wants it (see `test_checks` and `test_clip_filters`)"""
FILTERS = [Filter.parse(kind) for kind in Filter.kinds() if kind not in TASTE]


def blurred(pixels: Pixels, sigma: float) -> Pixels:
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(sigma)))


def noisy(pixels: Pixels, spread: int = 4) -> Pixels:
    noise = np.random.default_rng(0).integers(-spread, spread + 1, pixels.shape)
    return np.clip(pixels.astype(int) + noise, 0, 255).astype(np.uint8)


def flat(*colour: int, size: int = 96) -> Pixels:
    return np.full((size, size, 3), colour, np.uint8)


def thin() -> Pixels:
    """An icon of thin lines on white: little else."""
    pixels = flat(255, 255, 255, size=256)
    pixels[60:200, 126:130] = pixels[126:130, 60:200] = 0
    return pixels


KEPT = {
    "drawing": scene(1, 256, 256),
    "drawing on white": emoji(14, 0),
    "small drawing on white": np.asarray(Image.fromarray(emoji(14, 0)).resize((64, 64), Image.Resampling.BOX)),
    "thin lines on white": thin(),
    "dark drawing": scene(2, 256, 256) // 3,
    "foggy": scene(3, 256, 256) // 4 + 150,
    "slightly soft": blurred(scene(4, 256, 256), 1.5),
    "noise": noisy(flat(128, 128, 128, size=128), 100),
}
REFUSED = {
    "one colour": (flat(10, 200, 90), {"no_information"}),
    "one colour saved as JPEG": (noisy(flat(10, 200, 90), 2), {"no_information"}),
    "white": (flat(255, 255, 255), {"no_information", "too_bright"}),
    "nearly black": (noisy(flat(10, 10, 10), 8), {"no_information", "too_dark"}),
    "8x8": (scene(1, 96, 96)[::12, ::12], {"too_small"}),
    "banner": (scene(1, 400, 100)[:80], {"odd_aspect"}),
    "out of focus": (blurred(scene(4, 256, 256), 12), {"blurred"}),
}


def judged(**pictures: Pixels) -> dict[str, set[str]]:
    records = []
    for name, pixels in pictures.items():
        result = measured(encoded(pixels), FILTERS, (255, 255, 255), 1_000_000)
        assert isinstance(result, Measured)
        size = {"width": result.width, "height": result.height}
        hashes = {"phash": result.phash, "phash_mirrored": result.phash_mirrored}
        records.append(Record(name, name, "s", name, name, **size, **hashes, quality=result.quality))
    batch = Batch(records, lambda record: pictures[record.name], Memory())
    reasons: dict[str, set[str]] = {name: set() for name in pictures}
    for one in FILTERS:
        for name, reason in one.judge(batch).items():
            assert reason.words
            reasons[name].add(reason.code)
    return reasons


@pytest.mark.parametrize("picture", KEPT)
def test_a_picture_that_shows_something_is_kept_by_default(picture: str) -> None:
    assert judged(picture=KEPT[picture]) == {"picture": set()}


@pytest.mark.parametrize("picture", REFUSED)
def test_a_picture_that_shows_nothing_is_refused_by_default(picture: str) -> None:
    pixels, codes = REFUSED[picture]
    assert judged(picture=pixels) == {"picture": codes}


@pytest.mark.parametrize("kind", Filter.kinds())
def test_every_filter_measures_what_it_says_and_judges_without_the_picture(kind: str) -> None:
    one = Filter.of_kind(kind)()
    assert Filter.help_of(kind)
    assert Filter.parse(one.dump()) == one
    records = []
    for seed in range(3):
        result = measured(encoded(scene(seed)), [one], (255, 255, 255), 1_000_000)
        assert isinstance(result, Measured)
        assert result.quality.keys() == set(one.scores)
        assert all(np.isfinite(score) for score in result.quality.values())
        hashes = {"phash": result.phash, "phash_mirrored": result.phash_mirrored}
        records.append(
            Record(str(seed), str(seed), "s", str(seed), "", width=96, height=64, **hashes, quality=result.quality)
        )

    cache = Memory()
    scores = one.score(Batch(records, lambda record: scene(int(record.id)), cache))  # a model sees each picture once

    def read(_: Record) -> Pixels:
        raise AssertionError("no picture is read again")

    assert one.score(Batch(records, read, cache)) == scores
    assert one.score(Batch([], read, cache)) == {}
    records = [replace(record, quality={**record.quality, **scores.get(record.id, {})}) for record in records]
    refused = one.judge(Batch(records, read, Memory()))
    assert refused.keys() <= {record.id for record in records}
    assert one.judge(Batch(records, read, Memory())) == refused
    assert one.judge(Batch([], read, Memory())) == {}


@pytest.mark.parametrize(
    ("keep", "kept"), [("largest", "big"), ("sharpest", "sharp"), ("newest", "new"), ("best_captioned", "told")]
)
def test_which_duplicate_is_kept_is_a_rule(keep: str, kept: str) -> None:
    def record(name: str, size: int, sharpness: float, mtime_ns: int, words: float) -> Record:
        quality = {"sharpness": sharpness, "caption_words": words}
        return Record(name, "same", "s", name, "", width=size, height=size, mtime_ns=mtime_ns, quality=quality)

    scores = {"big": (9, 0, 0, 0), "sharp": (1, 1, 0, 0), "new": (1, 0, 9, 0), "told": (1, 0, 0, 4)}
    records = [record(name, *score) for name, score in scores.items()]
    refused = NearDuplicate(keep=keep).judge(Batch(records, lambda _: scene(1), Memory()))
    assert {record.id for record in records} - refused.keys() == {kept}
    assert {reason.code for reason in refused.values()} == {"duplicate"}
    assert all(kept in reason.words for reason in refused.values())


@pytest.mark.parametrize("copy", ["cat-copy.png", "cat (1).png", "cat_2.png"])
def test_of_two_equal_files_the_one_with_the_plain_name_is_kept(copy: str) -> None:
    records = [Record(name, "same", "s", name, "", width=9, height=9) for name in (copy, "cat.png")]
    assert NearDuplicate().judge(Batch(records, lambda _: scene(1), Memory())).keys() == {copy}
