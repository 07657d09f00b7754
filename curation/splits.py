"""Which pictures are held out: whole groups of near-duplicates, remembered, so that no old one ever moves unsaid."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from core.hashing import digest
from core.marks import file_of, never_held_out, root_of
from core.record import Record
from core.record import Split as Side
from core.seeding import seed_of
from curation.duplicates import MOST_BITS, Alike, Pairs, check_clip_is_used, components

ENOUGH_GROUPS = 3
"""times ``at_least``: with fewer groups than that, holding so many out would leave too little to train on"""


class Split(BaseModel):
    """How a dataset is split. Another split is another choice: every group is then assigned anew."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    held_out: float = Field(default=0.2, ge=0, lt=1)
    """share of the groups that are not trained on"""
    at_least: int = Field(default=2, ge=0)
    """groups to hold out even if the share is less, where there are three times as many"""
    k_fold: int = Field(default=0, ge=0, le=10)
    """for small sets: all pictures are trained on, for as many steps as so many runs without a part each say; 0: not"""
    seed: int = 0
    radius: int = Field(default=6, ge=0, le=MOST_BITS)
    """bits in which hashes of one group's pictures may differ"""
    difference: float = Field(default=0.2, ge=0, le=1)
    """and their thumbnails; more than for removing, because a leak costs more than a picture in the wrong group"""
    crops: int = Field(default=20_000, ge=0)
    """in sets of up to so many, a picture that is cut out of another by up to 12 % a side is of its group; 0: never"""
    embedding: float | None = Field(default=None, gt=0, le=1)
    """if given, pictures that a CLIP finds this alike (a cosine) are of one group too; see `clip`"""
    clip: str = "pocket"
    """which CLIP `embedding` asks: `pocket`, `local-dir:FOLDER`, or `MODEL:FILE` for any of open_clip's models"""

    @model_validator(mode="after")
    def _clip_is_used(self) -> Self:
        if self.k_fold == 1:
            raise ValueError("k_fold: one part alone cannot be held out of the others; 2 or more, or 0 for none")
        check_clip_is_used(self.embedding, self.clip)
        return self

    @property
    def alike(self) -> Alike:
        """Near-duplicates for splitting: mirrored ones too."""
        return Alike(self.radius, self.difference, mirrored=True, embedding=self.embedding, clip=self.clip)

    @property
    def key(self) -> str:
        """Names this split; what was assigned under another is forgotten."""
        left = {"crops"}  # it joins groups, and assigns none anew
        left |= set() if self.embedding is not None else {"embedding", "clip"}
        left |= set() if self.k_fold else {"k_fold"}
        said = self.model_dump(mode="json", exclude=left)
        return digest("split", 1, said)


@dataclass(frozen=True, slots=True)
class Assigned:
    """One record's place."""

    group: str
    split: Side
    """empty where nothing of the group is kept, so that it has no side yet"""


def assign(records: Sequence[Record], pairs: Pairs, split: Split) -> tuple[list[Assigned], list[str]]:
    """A place for each record, and words about groups that had to move.

    ``records`` are all real pictures that were ever read, refused and removed ones too: what a group once was is known
    by its members. Only kept ones count for shares. ``pairs`` are their near-duplicates.

    A group that is new gets a side by its hash. The first time, those with the lowest hashes are held out, as many as
    the share asks; later those whose hash is below the share, and more of the new ones where too few are held out. A
    group that alone has more pictures than the share goes to training, and so does one with a kept picture of
    regularisation, or one that is read back as derived; such pictures do not count for shares.
    """
    key = split.key  # written out once: it is asked of every record
    groups = grouped(records, pairs, key)
    fixed = {name for name, members in groups.items() if any(_fixes(records[at]) for at in members)}
    sides = {name: remembered_side(records, members, key) for name, members in groups.items()}
    known: dict[str, Side] = {name: side for name, side in sides.items() if side and name not in fixed}
    kept = {name: sum(_counts(records[at]) for at in members) for name, members in groups.items()}
    wanted = {name for name in groups if kept[name] and name not in fixed}
    held = held_out([n for n in wanted if n not in known], [n for n in wanted if n in known], known, kept, split)
    places: list[Assigned | None] = [None] * len(records)
    moved = []
    for name, members in sorted(groups.items()):
        new: Side = "held_out" if name in held else "train" if name in wanted or name in fixed else ""
        side = known.get(name, new)
        for at in members:
            before = remembered(records[at], key)
            if before and before.split != side and _counts(records[at]):
                moved.append(words_of_move(records, at, members, key))
            places[at] = Assigned(name, side)
    return [place for place in places if place is not None], moved


def _counts(record: Record) -> bool:
    """Whether it is one of the pictures of which a share is held out."""
    return record.verdict == "kept" and not never_held_out(record.tags)


def _fixes(record: Record) -> bool:
    """Whether it keeps its group on the training side."""
    return record.verdict == "kept" and never_held_out(record.tags)


def remembered(record: Record, key: str) -> Assigned | None:
    """The place that a record was given before, under the split of this key."""
    if not record.group or not record.split or record.drawn.get("split") != key:
        return None
    return Assigned(record.group, record.split)


def grouped(records: Sequence[Record], pairs: Pairs, key: str) -> dict[str, list[int]]:
    """Group -> positions: joined by near-duplicates, by what they were made from, and by what joined them before."""
    first: dict[str, int] = {}
    places = [(at, place) for at, record in enumerate(records) if (place := remembered(record, key))]
    again = [(first.setdefault(place.group, at), at) for at, place in places]
    first_of = {record.sha256: at for at, record in enumerate(records)}
    origins = ((at, root_of(record.tags) or file_of(record.tags)) for at, record in enumerate(records))
    roots = [(first_of.setdefault(origin, at), at) for at, origin in origins if origin]  # with each other without it
    members: dict[int, list[int]] = {}
    for at, root in enumerate(components(len(records), [*pairs.tolist(), *again, *roots])):
        members.setdefault(root, []).append(at)
    return {group_name(records, positions, key): positions for positions in members.values()}


def group_name(records: Sequence[Record], members: Sequence[int], key: str) -> str:
    """The name the group has already; that of its training part where several were joined; or a new one."""
    places = [place for at in members if (place := remembered(records[at], key))]
    if places:
        return min(places, key=lambda place: (place.split != "train", place.group)).group
    return digest("group", min(records[at].sha256 for at in members))


def remembered_side(records: Sequence[Record], members: Sequence[int], key: str) -> Side:
    """The side the group is on already (training, if any of it is); empty for a new one."""
    sides = {place.split for at in members if (place := remembered(records[at], key))}
    return "train" if "train" in sides else "held_out" if sides else ""


def held_out(
    new: list[str], old: list[str], known: Mapping[str, Side], kept: Mapping[str, int], split: Split
) -> set[str]:
    """Which of the new groups are held out."""
    if not split.held_out or split.k_fold:
        return set()
    num_groups = len(new) + len(old)
    most = max(1, int(split.held_out * sum(kept[name] for name in (*new, *old))))
    by_hash = sorted((seed_of("split", split.seed, name), name) for name in new if kept[name] <= most)
    there = sum(known[name] == "held_out" for name in old)
    least = split.at_least if num_groups >= ENOUGH_GROUPS * split.at_least else 0
    if old:
        below = sum(hashed < split.held_out * 2**63 for hashed, _ in by_hash)
        count = max(below, least - there)
    else:
        count = min(max(round(split.held_out * num_groups), least), num_groups - 1)
    return {name for _, name in by_hash[:count]}


def words_of_move(records: Sequence[Record], at: int, members: Sequence[int], key: str) -> str:
    """Why a picture is no longer held out."""
    partner = next(
        records[other].name
        for other in members
        if _fixes(records[other]) or ((place := remembered(records[other], key)) and place.split == "train")
    )
    return (
        f"{records[at].name} was held out and is now trained on: pictures were added that make it and {partner}, which "
        "belongs to the training side, one group of near-duplicates"
    )
