"""The stage with what a model draws: accepted and refused from stored scores, class pictures beside the others."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from augment.acceptance import Acceptance
from augment.augment import Augmented, augment
from augment.generators.from_base import FromBase
from augment.generators.img2img import Img2img
from augment.transforms.crop import Crop
from core.caption import Caption
from core.marks import REGULARISATION
from core.pixels import Pixels
from core.record import Reason, Record
from store.store import Store
from tests.augment.things import a_record, reader

PARENTS = [a_record(number) for number in range(1, 4)]
ALL = Acceptance(lowest=-1, highest=1, apart=0, caption_margin=2)
"""takes whatever is drawn"""


class Inspector:
    """Counts what it looks at, and refuses by a score that it gives itself."""

    def __init__(self, limit: float = 0.0) -> None:
        self.limit, self.measured = limit, 0

    def measure(self, made: Pixels, parent: Pixels) -> dict[str, float]:
        self.measured += 1
        return {"brightness": float(made.mean()) / 255, "apart": 0.5}

    def judge(self, records: Sequence[Record]) -> dict[str, Reason]:
        return {r.id: Reason("dark", "too dark") for r in records if r.quality["brightness"] < self.limit}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store.open(tmp_path / "store")
    store.put_records(PARENTS)
    store.put_captions(Caption(record.id, "om style, a red apple") for record in PARENTS)
    return store


def untouched(record: Record) -> Pixels:
    raise AssertionError(f"{record.name} was read although nothing had to be made")


def derived(store: Store) -> list[Record]:
    return [record for record in store.records() if record.depth]


def test_other_limits_judge_again_and_draw_nothing_again(store: Store, tiny_base: Path) -> None:
    block, looks = Img2img(base=str(tiny_base), steps=2), Inspector()

    def run(acceptance: Acceptance, limit: float, read: object = untouched) -> Augmented:
        looks.limit = limit
        return augment(store, [block], 2, 1, read, acceptance=acceptance, inspector=looks)  # type: ignore[arg-type]

    assert run(ALL, 0.0, reader(*PARENTS)) == Augmented(made=6, unchanged=0, removed=0, refused=0)
    assert {record.drawn["guidance"] for record in derived(store)} == {3.0}
    assert {record.depth for record in derived(store)} == {1}
    first = derived(store)
    assert run(ALL, 0.0) == Augmented(made=0, unchanged=6, removed=0, refused=0)
    assert derived(store) == first
    assert run(Acceptance(lowest=0.999, highest=1), 1.0) == Augmented(made=0, unchanged=0, removed=0, refused=6)
    assert all({"made_drifted", "made_dark"} <= {r.code for r in record.reasons} for record in derived(store))
    assert run(ALL, 0.0).unchanged == 6
    assert derived(store) == first
    assert looks.measured == 6


def test_classic_transforms_are_not_judged_like_what_a_model_drew(store: Store) -> None:
    looks = Inspector(limit=1.0)
    assert augment(store, [Crop()], 1, 1, reader(*PARENTS), inspector=looks).made == 3
    assert looks.measured == 0


def test_class_pictures_are_regularisation_and_take_nothing_of_the_others_share(store: Store, tiny_base: Path) -> None:
    classes = FromBase(base=str(tiny_base), steps=1, prompts=("an apple",))
    augment(store, [classes, Crop()], 1, 1, reader(*PARENTS), share=0.25)
    made = [record for record in derived(store) if REGULARISATION in record.tags]
    assert len(made) == 3
    assert {(r.weight, r.split, r.verdict, r.depth) for r in made} == {(1.0, "train", "kept", 1)}
    assert {store.captions()[record.id].text for record in made} == {"an apple"}
    crops = [record for record in derived(store) if REGULARISATION not in record.tags]
    assert sum(record.weight for record in crops) == pytest.approx(1.0, rel=1e-4)
