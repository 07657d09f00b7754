from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from core.marks import DERIVED, REGULARISATION
from core.record import Record
from curation.splits import Split, assign


def record(name: str, verdict: str = "kept") -> Record:
    return Record(name, f"sha of {name}", "s", name, name, width=9, height=9, verdict=verdict)


def placed(records: list[Record], pairs: list[tuple[int, int]], split: Split) -> tuple[list[Record], list[str]]:
    places, moved = assign(records, np.array(pairs, np.int64).reshape(-1, 2), split)
    after = [
        replace(one, group=place.group, split=place.split, drawn={"split": split.key})
        for one, place in zip(records, places, strict=True)
    ]
    return after, moved


def sides(records: list[Record]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for one in records:
        found.setdefault(one.group, set()).add(one.split)
    return found


@settings(deadline=None)  # a busy machine is no mistake
@given(st.data())
def test_no_group_is_on_both_sides_and_growing_moves_none_but_those_that_are_joined(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 40))
    node = st.integers(0, count - 1)
    edges = data.draw(st.lists(st.tuples(node, node).filter(lambda pair: pair[0] < pair[1]), max_size=30))
    order = data.draw(st.permutations(range(count)))
    cuts = sorted({*data.draw(st.lists(st.integers(1, count), max_size=4)), count})
    split = Split(held_out=data.draw(st.sampled_from([0.0, 0.1, 0.2, 0.5])), seed=data.draw(st.integers(0, 5)))
    records: list[Record] = []
    for cut in cuts:
        before = {one.name: one for one in records}
        records += [record(str(at)) for at in order[len(records) : cut]]
        where = {one.name: at for at, one in enumerate(records)}
        pairs = [(where[str(a)], where[str(b)]) for a, b in edges if str(a) in where and str(b) in where]
        records, moved = placed(records, pairs, split)
        assert all(len(side) == 1 and side <= {"train", "held_out"} for side in sides(records).values())
        assert all(records[a].group == records[b].group for a, b in pairs)
        changed = {one.name for one in records if one.name in before and before[one.name].split != one.split}
        assert changed == {words.split()[0] for words in moved}
        for name in changed:
            after = records[where[name]]
            assert (before[name].split, after.split) == ("held_out", "train")
            mates = {before[one.name].split for one in records if one.group == after.group and one.name in before}
            assert mates == {"train", "held_out"}, "only joining a group that is trained on moves one"
        assert placed(records, pairs, split) == (records, [])


@pytest.mark.parametrize(("count", "wanted"), [(1, 0), (2, 0), (3, 1), (5, 1), (6, 2), (10, 2), (60, 12)])
def test_the_first_time_the_share_is_met_and_a_small_set_has_somebody_held_out(count: int, wanted: int) -> None:
    records, _ = placed([record(str(at)) for at in range(count)], [], Split())
    assert sum(one.split == "held_out" for one in records) == wanted


def test_later_ones_go_by_their_hash_and_make_up_for_too_few() -> None:
    records, _ = placed([record("0"), record("1")], [], Split())
    assert {one.split for one in records} == {"train"}
    records, _ = placed([*records, *(record(str(at)) for at in range(2, 9))], [], Split())
    assert sum(one.split == "held_out" for one in records) >= 2
    records, _ = placed([*records, *(record(str(at)) for at in range(9, 1009))], [], Split())
    assert 150 < sum(one.split == "held_out" for one in records) < 250


def test_a_group_larger_than_the_share_is_trained_on() -> None:
    pairs = [(0, at) for at in range(1, 30)]
    for seed in range(10):
        records, _ = placed([record(str(at)) for at in range(40)], pairs, Split(seed=seed))
        assert records[0].split == "train"
        assert sum(one.split == "held_out" for one in records) == 2


def test_pictures_that_are_not_kept_neither_count_nor_lose_their_place() -> None:
    records, _ = placed([record(str(at), "kept" if at < 3 else "refused") for at in range(30)], [], Split())
    assert [one.split for one in records].count("held_out") == 1
    assert {one.split for one in records[3:]} == {""}
    held = next(at for at in range(3) if records[at].split == "held_out")
    records[held] = replace(records[held], verdict="removed")
    records, _ = placed([*records, record("edited")], [(held, 30)], Split())
    assert records[30].split == "held_out", "an edited picture stays on the side of the one it was"


def test_another_split_is_a_new_choice() -> None:
    records, _ = placed([record(str(at)) for at in range(40)], [], Split(seed=1))
    again, moved = placed(records, [], Split(seed=2))
    assert [one.split for one in again] != [one.split for one in records]
    assert moved == []


def test_nobody_is_held_out_if_the_share_is_nothing_and_a_wrong_share_is_refused() -> None:
    records, _ = placed([record(str(at)) for at in range(40)], [], Split(held_out=0))
    assert {one.split for one in records} == {"train"}
    with pytest.raises(ValidationError):
        Split(held_out=1)


def marked(name: str, *tags: str, verdict: str = "kept") -> Record:
    return replace(record(name, verdict), tags=tags)


def test_regularisation_pictures_are_trained_on_and_do_not_count_for_the_share() -> None:
    ordinary = [record(str(at)) for at in range(10)]
    regular = [marked(f"r{at}", REGULARISATION) for at in range(100)]
    records, moved = placed([*ordinary, *regular], [(0, 10), (1, 11)], Split())
    assert [one.split for one in records[:10]].count("held_out") == 2
    assert {one.split for one in (*records[:2], *records[10:])} == {"train"}, "so does what looks like one"
    assert placed(records, [(0, 10), (1, 11)], Split()) == (records, [])
    assert moved == []


def test_a_refused_regularisation_picture_decides_nothing() -> None:
    ordinary = [record(str(at)) for at in range(10)]
    before, _ = placed(ordinary, [], Split())
    held = next(at for at in range(10) if before[at].split == "held_out")
    twin = marked("twin", REGULARISATION, verdict="refused")
    after, moved = placed([*before, twin], [(held, 10)], Split())
    assert (after[held].split, moved) == ("held_out", [])


def test_a_held_out_picture_that_a_regularisation_picture_looks_like_moves_and_it_is_told() -> None:
    before, _ = placed([record(str(at)) for at in range(10)], [], Split())
    held = next(at for at in range(10) if before[at].split == "held_out")
    after, (words,) = placed([*before, marked("twin", REGULARISATION)], [(held, 10)], Split())
    assert after[held].split == "train"
    assert words.startswith(f"{held} was held out") and "twin" in words


def test_a_derived_picture_that_was_read_back_joins_the_real_one_whatever_it_looks_like() -> None:
    ordinary = [record(str(at)) for at in range(30)]
    derived = [marked(f"d{at}", f"{DERIVED}{ordinary[at].sha256}") for at in range(20)]
    lost = marked("lost", f"{DERIVED}of nothing here")
    records, _ = placed([*ordinary, *derived, lost], [], Split(held_out=0.5))
    assert {one.split for one in (*records[:20], *records[30:])} == {"train"}
    assert all(records[at].group == records[30 + at].group for at in range(20))
    assert [one.split for one in records[20:30]].count("held_out") == 5
