"""What should be there: which derived records are asked for, and how the ones that exist follow their parents."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from augment.acceptance import PREFIX
from augment.generator import Generator
from augment.maker import Maker
from core.marks import REGULARISATION, never_held_out
from core.record import Reason, Record
from core.seeding import seed_of


@dataclass(frozen=True, slots=True)
class Start:
    """A picture that others are made from."""

    record: Record
    caption: str
    root: Record
    """the real picture that it comes from; of a real one itself"""
    way: tuple[Maker, ...] = ()
    """the blocks that led from there to here"""

    def allows(self, block: Maker) -> bool:
        """No block works on its own pictures again, and no model on what a model drew: that narrows what is learned."""
        if any(one.fingerprint == block.fingerprint for one in self.way):
            return False
        return not (imagines(block) and any(map(imagines, self.way))) and block.suits(self.record, self.caption)


@dataclass(frozen=True, slots=True)
class Wanted:
    """One derived picture that is asked for."""

    start: Start
    block: Maker
    seed: int

    @property
    def parent(self) -> Record:
        """What it is made from."""
        return self.start.record

    @property
    def caption(self) -> str:
        """The parent's."""
        return self.start.caption

    def grown(self, record: Record, caption: str) -> Start:
        """The picture that was made, as one that others are made from."""
        return Start(record, caption, self.start.root, (*self.start.way, self.block))


def imagines(block: Maker) -> bool:
    """Whether a model draws what it makes."""
    return isinstance(block, Generator) and block.imagines


def is_parent(record: Record) -> bool:
    """Only real pictures that are trained on: what is made of a held-out one would leak, of a made one degrade."""
    real = record.depth == 0 and not never_held_out(record.tags)
    return record.verdict == "kept" and real and record.split == "train"


def may_have_children(made: Record) -> bool:
    """Class pictures have none: they stand beside the subject, and show what it looks like without it."""
    return made.verdict == "kept" and REGULARISATION not in made.tags


def plan(starts: Iterable[Start], blocks: Sequence[Maker], copies: int, seed: int) -> dict[str, Wanted]:
    """All pictures that are asked for of these, by the id they have or will have; parent by parent."""
    wanted: dict[str, Wanted] = {}
    for start in starts:
        for block in filter(start.allows, blocks):
            for copy in range(copies if block.variety is None else min(copies, block.variety)):
                item = Wanted(start, block, seed_of("copy", seed, copy))
                wanted[id_of(item)] = item
    return wanted


def id_of(item: Wanted) -> str:
    """The id of the derived record: it does not depend on what will be seen in the picture."""
    return item.parent.derive(item.block, sha256="", seed=item.seed, drawn={}, width=0, height=0).id


def of_the_maker(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """The reasons that the block itself gave; those of acceptance are found anew, a parent's are curation's."""
    return tuple(reason for reason in reasons if reason.code != "parent" and not reason.code.startswith(PREFIX))


def with_reasons(record: Record, more: tuple[Reason, ...]) -> Record:
    """The record with more reasons; refused if there are any, unless it was removed."""
    return record.refuse(*more) if more and record.verdict != "removed" else record


def follow(record: Record, item: Wanted | None) -> Record:
    """The derived record as it should stand: removed if nobody asks for it, otherwise in its parent's group."""
    if item is None:
        return replace(record, verdict="removed")
    parent = item.parent
    reasons = of_the_maker(record.reasons)
    return replace(
        record,
        reasons=reasons,
        group=parent.group,
        tags=item.block.tags(parent.tags),
        weight=parent.weight,
        split="train",
        verdict="refused" if reasons else "kept",
    )


def balanced(derived: Sequence[Record], records: Iterable[Record], share: float) -> list[Record]:
    """Derived records with weights lowered so far that together they are at most ``share`` of what is drawn.

    Pictures of regularisation are drawn beside the others, so they take nothing of that share.
    """
    real = sum(record.weight for record in records if is_parent(record))
    drawn = {record.id for record in derived if record.verdict == "kept" and REGULARISATION not in record.tags}
    made = sum(record.weight for record in derived if record.id in drawn)
    allowed = real * share / (1 - share) if share < 1 else made
    factor = round(min(1.0, allowed / made), 6) if made else 1.0
    return [replace(r, weight=r.weight if REGULARISATION in r.tags else r.weight * factor) for r in derived]
