import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from augment.augment import Augmented, augment
from augment.generator import Generator
from augment.generators.lineart import Lineart
from augment.transform import Transform
from augment.transforms.black_and_white import BlackAndWhite
from augment.transforms.color_skew import ColorSkew
from augment.transforms.crop import Crop
from augment.transforms.flip import Flip
from core.caption import Caption
from core.pixels import Pixels
from core.record import Reason, Record
from store.store import Store
from tests.augment.things import a_picture, a_record, reader

PARENTS = [a_record(number) for number in range(1, 4)]
BLOCKS: list[Transform | Generator] = [ColorSkew(), BlackAndWhite(), Crop()]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store.open(tmp_path / "store")
    store.put_records(PARENTS)
    store.put_captions(Caption(record.id, "om style, a red apple") for record in PARENTS)
    return store


def run(
    store: Store, blocks: Sequence[Transform | Generator] = tuple(BLOCKS), copies: int = 2, seed: int = 1
) -> Augmented:
    return augment(store, blocks, copies, seed, reader(*PARENTS))


def kept(store: Store) -> list[Record]:
    return [record for record in store.records() if record.depth and record.verdict == "kept"]


def untouched(record: Record) -> Pixels:
    raise AssertionError(f"{record.name} was read although nothing had to be made")


def test_each_block_makes_its_copies_of_each_training_picture(store: Store) -> None:
    assert run(store) == Augmented(made=15, unchanged=0, removed=0, refused=0)  # black and white has one way only
    for record in kept(store):
        (parent,) = [p for p in PARENTS if p.id == record.parent]
        assert (record.depth, record.split, record.group) == (1, "train", parent.group)
        picture = np.asarray(Pillow.open(io.BytesIO(store.image(record.sha256))))
        assert picture.shape == (record.height, record.width, 3)
        assert record.size == len(store.image(record.sha256))
        assert not np.array_equal(picture, a_picture(int(parent.name[0])))


def test_a_picture_on_another_ground_has_its_copies_made_again(store: Store) -> None:
    run(store)
    before = {record.id for record in kept(store)}
    store.put_records([replace(PARENTS[1], drawn={"matte": "#0000ff"})])
    assert run(store) == Augmented(made=5, unchanged=10, removed=5, refused=0)
    assert {record.parent for record in kept(store) if record.id not in before} == {PARENTS[1].id}


def test_what_was_drawn_stands_in_the_row_and_makes_the_same_picture_again(store: Store) -> None:
    run(store, [Crop()])
    for record in kept(store):
        parent = next(p for p in PARENTS if p.id == record.parent)
        x, y, wide, tall = (int(record.drawn[key] or 0) for key in ("x", "y", "width", "height"))
        part = reader(parent)(parent)[y : y + tall, x : x + wide]
        np.testing.assert_array_equal(np.asarray(Pillow.open(io.BytesIO(store.image(record.sha256)))), part)


def test_nothing_is_made_again_when_nothing_changed(store: Store) -> None:
    run(store)
    before, said = store.records(), store.captions()
    assert augment(store, BLOCKS, 2, 1, untouched) == Augmented(made=0, unchanged=15, removed=0, refused=0)
    assert (store.records(), store.captions()) == (before, said)


def test_another_parameter_remakes_what_that_block_made_and_no_more(store: Store) -> None:
    run(store)
    others = {r.id for r in kept(store) if not r.made_by.startswith("crop")}
    blocks = [ColorSkew(), BlackAndWhite(), Crop(size=(0.5, 0.6))]
    assert run(store, blocks) == Augmented(made=6, unchanged=9, removed=6, refused=0)
    assert others < {r.id for r in kept(store)}
    assert store.size()["images"] == 21


def test_what_is_asked_for_again_comes_back_without_being_made(store: Store) -> None:
    run(store)
    before = kept(store)
    assert run(store, [], 2) == Augmented(made=0, unchanged=0, removed=15, refused=0)
    assert augment(store, BLOCKS, 2, 1, untouched) == Augmented(made=0, unchanged=15, removed=0, refused=0)
    assert kept(store) == before


def test_more_copies_add_and_fewer_take_away(store: Store) -> None:
    run(store, [Crop()], 2)
    first = {r.id for r in kept(store)}
    assert run(store, [Crop()], 3) == Augmented(made=3, unchanged=6, removed=0, refused=0)
    assert first < {r.id for r in kept(store)}
    assert run(store, [Crop()], 2) == Augmented(made=0, unchanged=6, removed=3, refused=0)


def test_another_seed_makes_other_pictures(store: Store) -> None:
    run(store, [Crop()], 1, seed=1)
    first = {r.sha256 for r in kept(store)}
    assert run(store, [Crop()], 1, seed=2).removed == 3
    assert not first & {r.sha256 for r in kept(store)}


def test_one_more_picture_is_the_only_one_that_is_worked_on(store: Store) -> None:
    run(store)
    new = a_record(9)
    store.put_records([new])
    assert augment(store, BLOCKS, 2, 1, reader(new)) == Augmented(made=5, unchanged=15, removed=0, refused=0)


@pytest.mark.parametrize(
    "change", [{"verdict": "removed"}, {"verdict": "refused"}, {"split": "held_out"}, {"split": ""}, {"depth": 1}]
)
def test_only_kept_real_training_pictures_are_parents(store: Store, change: dict[str, str]) -> None:
    run(store)
    store.put_records([replace(PARENTS[0], **change)])  # type: ignore[arg-type]
    run(store)
    assert {r.parent for r in kept(store) if r.parent} == {PARENTS[1].id, PARENTS[2].id}


def test_a_child_follows_its_parent_and_comes_back_with_it(store: Store) -> None:
    run(store)
    store.put_records([PARENTS[0].refuse(Reason("blurred", "too soft"))])
    assert run(store).removed == 5
    store.put_records([replace(PARENTS[0], group="joined", tags=("fruit",), weight=2.0)])
    assert augment(store, BLOCKS, 2, 1, untouched).unchanged == 15
    children = [r for r in kept(store) if r.parent == PARENTS[0].id]
    assert len(children) == 5
    assert {(r.group, r.tags, r.reasons) for r in children} == {("joined", ("fruit",), ())}


def test_captions_follow_the_pixels_and_the_parent(store: Store) -> None:
    run(store, [BlackAndWhite()], 1)
    (child,) = [r for r in kept(store) if r.parent == PARENTS[0].id]
    assert store.captions()[child.id].automatic == "om style, an apple, monochrome"
    before = store.captions()[child.id].engine
    store.edit_caption(PARENTS[0].id, "om style, a green pear")
    augment(store, [BlackAndWhite()], 1, 1, untouched)
    assert store.captions()[child.id].automatic == "om style, a pear, monochrome"
    assert store.captions()[child.id].engine != before


def test_what_a_person_said_of_a_derived_picture_stays(store: Store) -> None:
    run(store, [BlackAndWhite()], 1)
    child = kept(store)[0]
    store.edit_caption(child.id, "my own words")
    store.edit_caption(child.parent, "om style, a pear")
    augment(store, [BlackAndWhite()], 1, 1, untouched)
    assert store.captions()[child.id].text == "my own words"


def test_a_caption_that_forbids_the_mirror_takes_the_mirrored_picture_away(store: Store) -> None:
    assert run(store, [Flip()], 5).made == 3
    store.edit_caption(PARENTS[0].id, "an arrow to the left")
    assert run(store, [Flip()], 5) == Augmented(made=0, unchanged=2, removed=1, refused=0)


def test_what_changed_nothing_is_kept_as_a_refusal_and_not_tried_again(store: Store) -> None:
    still = ColorSkew(saturation=(1, 1), hue=(0, 0), channels=0)
    assert run(store, [still], 2) == Augmented(made=0, unchanged=0, removed=0, refused=6)
    assert augment(store, [still], 2, 1, untouched).refused == 6
    assert {r.reasons[0].code for r in store.records() if r.depth} == {"unchanged"}


def test_two_copies_that_came_out_alike_count_once(store: Store) -> None:
    done = run(store, [BlackAndWhite(methods=("average", "from_lab"))], 2)
    assert done.made + done.refused == 6
    pictures = [(r.parent, r.sha256) for r in kept(store)]
    assert len(pictures) == len(set(pictures)) == done.made


def test_synthetic_pictures_are_at_most_the_share_that_is_allowed(store: Store) -> None:
    store.put_records([replace(PARENTS[0], weight=3.0)])
    run(store)
    real = sum(r.weight for r in store.records() if not r.depth)
    made = sum(r.weight for r in kept(store))
    assert made == pytest.approx(real, rel=1e-4)
    augment(store, BLOCKS, 2, 1, untouched, share=0.25)
    assert sum(r.weight for r in kept(store)) == pytest.approx(real / 3, rel=1e-4)
    augment(store, BLOCKS, 2, 1, untouched, share=1.0)
    assert {r.weight for r in kept(store)} == {1.0, 3.0}


def test_a_run_that_was_killed_ends_as_if_it_had_not_been(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("augment.augment.SHARD", 4)
    whole = Store.open(tmp_path / "whole")
    whole.put_records(PARENTS)
    whole.put_captions(Caption(record.id, "om style, a red apple") for record in PARENTS)
    run(whole)
    reads = 0

    def dies(record: Record) -> Pixels:
        nonlocal reads
        reads += 1
        if reads == 4:
            raise KeyboardInterrupt
        return reader(record)(record)

    with pytest.raises(KeyboardInterrupt):
        augment(store, BLOCKS, 2, 1, dies)
    assert 0 < len(kept(store)) < 15
    run(store)
    assert store.records() == whole.records()
    assert store.captions() == whole.captions()
    assert store.snapshot().manifest == whole.snapshot().manifest


def test_generators_and_transforms_go_together_and_a_picture_without_lines_is_a_counted_refusal(store: Store) -> None:
    flat = np.full((64, 80, 3), 200, np.uint8)
    pictures = {record.id: a_picture(int(record.name[0])) for record in PARENTS} | {PARENTS[0].id: flat}
    done = augment(store, [Lineart(), Flip()], 2, 1, lambda record: pictures[record.id])
    assert done == Augmented(made=4, unchanged=0, removed=0, refused=2)
    codes = {r.made_by.partition("-")[0]: r.reasons[0].code for r in store.records() if r.reasons}
    assert codes == {"lineart": "no_lines", "flip": "unchanged"}
    assert augment(store, [Lineart(), Flip()], 2, 1, untouched) == replace(done, made=0, unchanged=4)
