"""The filters that ask a CLIP: words, outliers, and duplicates that no hash finds. Here it is the pocket CLIP."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.cache import Memory
from core.errors import MissingBase, RecipeError
from core.pixels import Pixels
from core.record import Reason
from curation.curate import curate, ingest, judged
from curation.filter import Batch, Filter
from curation.filters.near_duplicate import NearDuplicate
from curation.filters.outlier import Outlier
from curation.filters.zero_shot import ZeroShot
from curation.source import Source
from curation.splits import Split
from curation.view import View
from store.store import Store
from tests.curation.conftest import encoded, scene
from tests.curation.test_duplicates import emoji, records_of

BLUE = {"refuse": {"blue": ["an emoji on a blue background"]}, "neutral": ["an emoji on a white background"]}


def on(colour: tuple[int, int, int], mouth: int = 14, brow: int = 4) -> Pixels:
    pixels = emoji(mouth, brow).copy()
    pixels[(pixels == 255).all(2)] = colour
    return pixels


def judge(one: Filter, pictures: dict[str, Pixels], cache: Memory | None = None) -> dict[str, Reason]:
    batch = Batch(records_of(pictures), lambda record: pictures[record.name], cache or Memory())
    reasons, _ = judged(batch, [one])
    return {name: found[0] for name, found in reasons.items() if found}


def test_pictures_nearer_to_the_recipes_words_than_to_neutral_ones_are_refused() -> None:
    pictures = {"white": on((255, 255, 255)), "blue": on((60, 90, 220)), "blue too": on((60, 90, 220), 24, 16)}
    refused = judge(ZeroShot.parse({"kind": "zero_shot", **BLUE}), pictures)
    assert refused.keys() == {"blue", "blue too"}
    assert {reason.code for reason in refused.values()} == {"blue"}
    assert "an emoji on a blue background" in refused["blue"].words


def test_another_threshold_asks_neither_the_pictures_nor_the_clip_again(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = {"white": on((255, 255, 255)), "blue": on((60, 90, 220))}
    records, cache = records_of(pictures), Memory()
    some = ZeroShot.parse({"kind": "zero_shot", **BLUE})
    judged(Batch(records, lambda record: pictures[record.name], cache), [some])

    def fail(*_: object) -> None:
        raise AssertionError("nothing is computed again")

    monkeypatch.setattr("backbones.embedding._opened", fail)
    for threshold, count in ((0.0, 2), (1.0, 0)):
        reasons, scores = judged(Batch(records, fail, cache), [some.model_copy(update={"threshold": threshold})])
        assert sum(bool(found) for found in reasons.values()) == count
        assert all(0 <= score["zero_shot_blue"] <= 1 for score in scores.values())


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"refuse": {}}, "refuse"),
        ({"refuse": {"Water Mark": ["x"]}}, "refuse"),
        ({"refuse": {"text": []}}, "refuse.text"),
        ({"neutral": [" "]}, "neutral"),
        ({"threshold": 2}, "threshold"),
    ],
)
def test_words_that_say_nothing_are_told_before_anything_starts(said: dict[str, object], words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        Filter.parse({"kind": "zero_shot", **said})


def test_a_clip_that_is_not_there_is_told_by_each_filter_that_asks_it() -> None:
    for kind in ("zero_shot", "outlier", "near_duplicate"):
        more = {"embedding": 0.9} if kind == "near_duplicate" else {}
        one = Filter.parse({"kind": kind, "clip": "local-dir:/nowhere", **more})
        assert one.clips == ("local-dir:/nowhere",)
        with pytest.raises(MissingBase, match="no folder /nowhere"):
            judge(one, {"a": on((255, 255, 255)), "b": scene(3)})


def faces(count: int) -> dict[str, Pixels]:
    return {f"face {at}": on((255, 255, 255), 2 + at % 23, at // 23 * 3) for at in range(count)}


def test_what_is_unlike_all_others_is_an_outlier_and_its_distance_is_kept() -> None:
    pictures = {**faces(60), "odd": scene(4, 128, 128)}
    assert judge(Outlier(), pictures).keys() == {"odd"}
    records = records_of(pictures)
    _, scores = judged(Batch(records, lambda record: pictures[record.name], Memory()), [Outlier()])
    assert max(scores, key=lambda name: scores[name]["outlier"]) == "odd"


def test_copies_of_one_file_are_no_company() -> None:
    odd = scene(4, 128, 128)
    assert judge(Outlier(), {**faces(60), "odd": odd, "odd again": odd}).keys() == {"odd", "odd again"}


def test_in_a_small_set_nothing_is_an_outlier() -> None:
    assert judge(Outlier(), {**faces(30), "odd": scene(4, 128, 128)}) == {}
    assert judge(Outlier(least=3), {"one": scene(1)}) == {}


def cropped(pixels: Pixels) -> Pixels:
    return np.asarray(Image.fromarray(pixels[5:-5, 5:-5]).resize((128, 128)))


def test_a_crop_is_a_duplicate_to_a_clip_if_asked() -> None:
    first = emoji(14, 4)
    pictures = {"first": first, "crop": cropped(first), "other": scene(2, 128, 128)}
    assert judge(NearDuplicate(difference=0.01, radius=0), pictures) == {}
    refused = judge(NearDuplicate(difference=0.01, radius=0, embedding=0.9), pictures)
    assert len(refused) == 1 and refused.keys() < {"first", "crop"}
    assert "other" not in refused


def test_a_mirror_image_is_kept_although_a_clip_hardly_sees_the_difference() -> None:
    first = emoji(14, 4)
    first[20:60, 60:70] = (200, 20, 20)
    pictures = {"first": first, "mirror": np.ascontiguousarray(first[:, ::-1])}
    assert judge(NearDuplicate(embedding=0.5), pictures) == {}
    assert len(judge(NearDuplicate(embedding=0.5, mirrored=True), pictures)) == 1


def test_a_clip_that_is_named_and_not_asked_is_told() -> None:
    with pytest.raises(RecipeError, match="only used with `embedding`"):
        Filter.parse({"kind": "near_duplicate", "clip": "local-dir:/models/clip"})
    with pytest.raises(ValueError, match="only used with `embedding`"):
        Split(clip="local-dir:/models/clip")


def test_the_sharpest_is_kept_by_the_detail_that_is_there_whether_or_not_sharpness_is_a_filter() -> None:
    assert NearDuplicate(keep="sharpest").scores == ("sharpness",)
    large = scene(1, 512, 512)
    small = np.asarray(Image.fromarray(large).resize((128, 128), Image.Resampling.BOX))
    enlarged = np.asarray(Image.fromarray(small).resize((700, 700), Image.Resampling.BICUBIC))
    pictures = {"large": large, "small": small, "enlarged": enlarged}
    one = NearDuplicate(keep="sharpest", difference=0.2)
    records = [replace(record, quality=one.measure(View(pictures[record.name]))) for record in records_of(pictures)]
    refused = one.judge(Batch(records, lambda record: pictures[record.name], Memory()))
    assert refused.keys() == {"small", "enlarged"}


def test_model_scores_are_kept_in_the_records_and_groups_follow_the_clip(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    first = emoji(14, 4)
    for name, pixels in {"first": first, "crop": cropped(first), **{f"s{at}": scene(at) for at in range(4)}}.items():
        (folder / f"{name}.png").write_bytes(encoded(pixels))
    store, filters = Store.open(tmp_path / "store"), [ZeroShot.parse({"kind": "zero_shot", **BLUE, "threshold": 1})]
    ingest(store, Source.parse({"kind": "folder", "path": str(folder)}), filters)
    groups = {}
    for name, split in {"by hash": Split(radius=0, difference=0), "by clip": Split(embedding=0.9)}.items():
        curate(store, filters, split)
        records = {record.name: record for record in store.records()}
        groups[name] = records["first.png"].group == records["crop.png"].group
        assert all("zero_shot_blue" in record.quality for record in records.values())
    assert groups == {"by hash": False, "by clip": True}
    assert curate(store, filters, Split(embedding=0.9)).changed == 0


def test_the_stage_for_embeddings_leaves_the_names_of_older_splits_as_they_were() -> None:
    """A split is remembered by its name; another one would assign every group of every store anew."""
    assert Split().key == "978542ed15f0ec2e"
    assert Split(embedding=0.9).key not in (Split().key, Split(embedding=0.95).key)
