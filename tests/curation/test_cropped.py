"""Pictures that are cut out of others: found, and on one side of the split."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from core.cache import Memory
from core.pixels import Pixels
from curation.cropped import CUTS, MARK, crops, cut_hashes, cut_of, mark_of
from curation.curate import curate, ingest
from curation.decode import decode
from curation.filters.near_duplicate import NearDuplicate
from curation.perceptual import hashes
from curation.sources.folder import Folder
from curation.splits import Split
from curation.view import View
from store.store import Store
from tests.curation.conftest import encoded, scene
from tests.curation.test_duplicates import records_of

SIDE = st.floats(0, 0.1)


def cut(pixels: Pixels, left: float, right: float, top: float, bottom: float) -> Pixels:
    """Saved as a JPEG, as people do."""
    height, width = pixels.shape[:2]
    rows = slice(round(top * height), height - round(bottom * height))
    part = pixels[rows, round(left * width) : width - round(right * width)]
    return decode(encoded(np.ascontiguousarray(part), "JPEG", quality=85)).pixels


def folder_in(place: Path) -> Path:
    folder = place / "pictures"
    folder.mkdir()
    return folder


def found(pictures: dict[str, Pixels], new: set[str] | None = None) -> set[tuple[str, str]]:
    names = list(pictures)
    records = [
        record if new is None or record.name in new else replace(record, drawn={MARK: mark_of(record, Split().key)})
        for record in records_of(pictures)
    ]
    pairs = crops(records, Split(), lambda record: pictures[record.name], Memory())
    return {(names[a], names[b]) for a, b in pairs.tolist()}


def test_each_cut_hash_is_that_of_the_picture_cut_so() -> None:
    whole = scene(3, 384, 320)
    made = cut_hashes(View(whole).thumbnail[None])[0]
    assert len(made) == len(CUTS) ** 4 - 1
    apart = [
        (int(hashed) ^ hashes(View(cut(whole, *cut_of(which))).thumbnail_grey)[0]).bit_count()
        for which, hashed in enumerate(made.tolist(), 1)
    ]
    assert np.mean(apart) < 3 and np.percentile(apart, 95) <= 6


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 1000), SIDE, SIDE, SIDE, SIDE, st.booleans())
def test_what_is_cut_out_of_a_picture_is_found_mirrored_or_not(
    seed: int, left: float, right: float, top: float, bottom: float, mirrored: bool
) -> None:
    pictures = {str(n): scene(2000 + n, 384, 320) for n in range(4)} | {"whole": scene(seed, 384, 320)}
    part = cut(pictures["whole"], left, right, top, bottom)
    pictures["part"] = np.ascontiguousarray(part[:, ::-1]) if mirrored else part
    assert found(pictures) == {("whole", "part")}


def test_only_what_is_new_is_compared() -> None:
    pictures = {}
    for seed in range(3):
        pictures[f"whole {seed}"] = scene(seed, 384, 320)
        pictures[f"part {seed}"] = cut(scene(seed, 384, 320), 0.05, 0.05, 0.05, 0.05)
    everything = {(f"whole {seed}", f"part {seed}") for seed in range(3)}
    assert found(pictures) == everything
    assert found(pictures, set()) == set()
    assert found(pictures, {"whole 1"}) == found(pictures, {"part 1"}) == {("whole 1", "part 1")}


def test_pictures_that_are_flat_or_alone_are_like_nothing() -> None:
    flat = np.full((64, 64, 3), 9, np.uint8)
    assert found({}) == found({"one": scene(1)}) == found({"a": flat, "b": flat + 1, "c": scene(1)}) == set()


@pytest.mark.parametrize(("most", "together"), [(20_000, True), (23, False), (0, False)])
def test_a_twin_that_is_cut_closer_is_on_the_same_side_of_the_split(tmp_path: Path, most: int, together: bool) -> None:
    pictures = folder_in(tmp_path)
    for seed in range(12):
        whole = scene(seed, 384, 320)
        Image.fromarray(whole).save(pictures / f"{seed:02}.png")
        Image.fromarray(cut(whole, 0.05, 0.05, 0.05, 0.05)).save(pictures / f"{seed:02}-cut.png")
    store, filters, split = Store.open(tmp_path / "store"), [NearDuplicate()], Split(held_out=0.4, crops=most)
    ingest(store, Folder(path=str(pictures)), filters)
    curated = curate(store, filters, split)
    assert curated.kept == 24, "a detail is no duplicate: both are trained on"
    sides = {record.name.removesuffix(".png"): (record.group, record.split) for record in store.records()}
    assert all((sides[f"{seed:02}"] == sides[f"{seed:02}-cut"]) is together for seed in range(12))
    assert curated.groups == (12 if together else 24)
    assert bool(curated.notes) is (most == 23), "that crops were not looked for is said where they should have been"


def test_a_twin_that_comes_later_joins_the_group_of_the_whole(tmp_path: Path) -> None:
    pictures = folder_in(tmp_path)
    for seed in range(12):
        Image.fromarray(scene(seed, 384, 320)).save(pictures / f"{seed:02}.png")
    store, split = Store.open(tmp_path / "store"), Split(held_out=0.4)
    source = Folder(path=str(pictures))
    ingest(store, source)
    curate(store, [], split)
    before = {record.name: record for record in store.records()}
    for seed in range(12):
        Image.fromarray(cut(scene(seed, 384, 320), 0.05, 0.0, 0.08, 0.02)).save(pictures / f"{seed:02}-cut.png")
    ingest(store, source)
    curated = curate(store, [], split)
    assert curated.groups == 12 and not curated.notes
    for record in store.records():
        whole = before[record.name.replace("-cut", "")]
        assert (record.group, record.split) == (whole.group, whole.split)
        assert record.name not in before or replace(record, quality=whole.quality) == whole


def test_a_leak_of_before_is_mended_and_said(tmp_path: Path) -> None:
    pictures = folder_in(tmp_path)
    for seed in range(12):
        whole = scene(seed, 384, 320)
        Image.fromarray(whole).save(pictures / f"{seed:02}.png")
        Image.fromarray(cut(whole, 0.05, 0.05, 0.05, 0.05)).save(pictures / f"{seed:02}-cut.png")
    store, split = Store.open(tmp_path / "store"), Split(held_out=0.4)
    ingest(store, Folder(path=str(pictures)))
    curate(store, [], split.model_copy(update={"crops": 0}))
    before = {record.name: record.split for record in store.records()}
    leaked = [seed for seed in range(12) if before[f"{seed:02}.png"] != before[f"{seed:02}-cut.png"]]
    assert leaked, "else this test tells nothing"
    curated = curate(store, [], split)
    after = {record.name: record.split for record in store.records()}
    assert all(after[f"{seed:02}.png"] == after[f"{seed:02}-cut.png"] for seed in range(12))
    assert len(curated.notes) == len(leaked) and all("was held out and is now trained on" in n for n in curated.notes)
    assert curate(store, [], split).changed == 0
    curate(store, [], split.model_copy(update={"seed": 7}))
    anew = {record.name: record.split for record in store.records()}
    assert anew != after and all(anew[f"{seed:02}.png"] == anew[f"{seed:02}-cut.png"] for seed in range(12))
