"""Pictures made from pictures that were made: how far that may go, and what a change makes again."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from augment.augment import Augmented, augment
from augment.generator import Generator
from augment.generators.from_base import FromBase
from augment.generators.img2img import Img2img
from augment.plan import Start
from augment.transform import Transform
from augment.transforms.black_and_white import BlackAndWhite
from augment.transforms.color_skew import ColorSkew
from augment.transforms.crop import Crop
from augment.transforms.flip import Flip
from core.caption import Caption
from core.pixels import Pixels, Read
from core.record import Reason, Record
from curation.decode import decode
from store.store import Store
from tests.augment.things import a_record, reader

PARENTS = [a_record(number) for number in range(1, 4)]
SMALL = Crop(size=(0.5, 0.6))


def a_store(folder: Path, parents: Sequence[Record] = PARENTS) -> Store:
    store = Store.open(folder)
    for record in parents:  # one commit each, so that their order is the table's
        store.put_records([record])
    store.put_captions(Caption(record.id, "om style, a red apple") for record in parents)
    return store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return a_store(tmp_path / "store")


def reading(store: Store, log: list[int] | None = None) -> Read:
    """As a run reads: real pictures from their files, derived ones from the store."""
    real = reader(*PARENTS)

    def read(record: Record) -> Pixels:
        if log is not None:
            log.append(record.depth)
        return real(record) if record.depth == 0 else decode(store.image(record.sha256)).pixels

    return read


def run(
    store: Store, blocks: Sequence[Transform | Generator], depth: int = 2, copies: int = 1, log: list[int] | None = None
) -> Augmented:
    return augment(store, blocks, copies, 1, reading(store, log), depth=depth)


def derived(store: Store, verdict: str = "kept") -> list[Record]:
    return [record for record in store.records() if record.depth and record.verdict == verdict]


def way(record: Record, store: Store) -> str:
    """``crop black_and_white``: the blocks that led to it."""
    known = {one.id: one for one in store.records()}
    kinds = []
    while record.depth:
        kinds.insert(0, record.made_by.partition("-")[0])
        record = known[record.parent]
    return " ".join(kinds)


def test_at_the_default_depth_nothing_is_made_from_what_was_made(store: Store) -> None:
    assert augment(store, [Crop(), BlackAndWhite()], 1, 1, reader(*PARENTS)).made == 6
    assert augment(store, [Crop(), BlackAndWhite()], 1, 1, reader(*PARENTS)).made == 0
    assert {record.depth for record in derived(store)} == {1}


def test_deeper_pictures_go_through_other_blocks_and_stay_with_their_real_picture(store: Store) -> None:
    assert run(store, [SMALL, BlackAndWhite()]) == Augmented(made=12, unchanged=0, removed=0, refused=0)
    ways = sorted(way(record, store) for record in derived(store))
    assert ways == sorted(3 * ["crop", "black_and_white", "crop black_and_white", "black_and_white crop"])
    groups = {parent.name: parent.group for parent in PARENTS}
    assert all((r.split, r.group) == ("train", groups[r.name]) for r in derived(store))
    said = store.captions()
    texts = {way(record, store): said[record.id].text for record in derived(store)}
    assert texts["crop black_and_white"] == "a detail of om style, an apple, monochrome"
    assert texts["black_and_white crop"] == "a detail of om style, an apple, monochrome"


def test_no_block_works_twice_on_the_way_even_at_depth_three(store: Store) -> None:
    run(store, [SMALL, BlackAndWhite(), Flip()], depth=3)
    ways = [way(record, store).split() for record in derived(store)]
    assert max(map(len, ways)) == 3
    assert all(len(set(one)) == len(one) for one in ways)


def test_the_same_picture_by_two_ways_counts_once(store: Store) -> None:
    run(store, [BlackAndWhite(), Flip()])  # mirrored and then grey is grey and then mirrored
    assert len(derived(store)) == 9
    refused = derived(store, "refused")
    assert [record.reasons[0].code for record in refused] == ["copy"] * 3
    before = derived(store)
    assert run(store, [BlackAndWhite(), Flip()]) == Augmented(made=0, unchanged=9, removed=0, refused=3)
    assert derived(store) == before


def test_a_changed_parameter_makes_again_exactly_what_lies_downstream(store: Store) -> None:
    blocks = [SMALL, BlackAndWhite(), ColorSkew()]
    run(store, blocks)
    stay = {r.id for r in derived(store) if "crop" not in way(r, store)}
    log: list[int] = []
    again = run(store, [Crop(size=(0.6, 0.7)), BlackAndWhite(), ColorSkew()], log=log)
    made = {r.id for r in derived(store)} - stay
    assert stay < {r.id for r in derived(store)}
    assert all("crop" in way(record, store) for record in store.records() if record.id in made)
    assert (again.made, again.removed) == (len(made), len(made))
    log.clear()
    assert run(store, blocks, log=log).made == 0
    assert log == []  # what had been made before came back


def test_a_child_of_a_picture_that_goes_goes_with_it(store: Store) -> None:
    run(store, [SMALL, BlackAndWhite()])
    store.put_records([PARENTS[0].refuse(Reason("blurred", "too soft"))])
    assert run(store, [SMALL, BlackAndWhite()]).removed == 4
    assert run(store, [SMALL, BlackAndWhite()], depth=1).removed == 8
    assert {record.depth for record in derived(store)} == {1}


def test_what_a_person_says_of_a_derived_picture_holds_for_what_is_made_of_it(store: Store) -> None:
    run(store, [SMALL, BlackAndWhite()])
    crop = next(r for r in derived(store) if way(r, store) == "crop")
    store.edit_caption(crop.id, "the green leaf of an apple")
    run(store, [SMALL, BlackAndWhite()])
    (child,) = [record for record in derived(store) if record.parent == crop.id]
    assert store.captions()[child.id].automatic == "the leaf of an apple, monochrome"


def test_the_share_holds_over_all_depths(store: Store) -> None:
    store.put_records([replace(PARENTS[0], weight=3.0)])
    run(store, [SMALL, BlackAndWhite()], depth=2)
    assert sum(record.weight for record in derived(store)) == pytest.approx(5.0, rel=1e-4)
    assert {record.depth for record in derived(store)} == {1, 2}


def test_no_model_draws_from_what_a_model_drew() -> None:
    start = Start(PARENTS[0], "a red apple", PARENTS[0])
    assert start.allows(Img2img())
    drawn = Start(PARENTS[0], "a red apple", PARENTS[0], (Crop(), Img2img()))
    assert not drawn.allows(FromBase())
    assert not drawn.allows(Img2img(strength=(0.1, 0.2)))
    assert drawn.allows(BlackAndWhite())
    assert not drawn.allows(Crop())
    assert drawn.allows(SMALL)


def test_order_and_portions_change_no_picture(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = [SMALL, ColorSkew(), BlackAndWhite()]
    run(store, blocks, copies=2)
    monkeypatch.setattr("augment.augment.SHARD", 1)
    other = a_store(tmp_path / "other", PARENTS[::-1])
    run(other, blocks[::-1], copies=2)
    first, second = ({record.id: record for record in derived(one)} for one in (store, other))
    assert len(first) > 30
    assert first == second
    assert all(store.image(r.sha256) == other.image(r.sha256) for r in first.values())
    assert {r: store.captions()[r] for r in first} == {r: other.captions()[r] for r in second}
    assert store.snapshot().manifest == other.snapshot().manifest
