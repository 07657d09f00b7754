"""One picture, what is said of it, and where it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from core.hashing import digest

if TYPE_CHECKING:
    from core.block import Block

Split = Literal["train", "held_out", ""]
Verdict = Literal["kept", "refused", "removed"]
Value = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a picture was refused: a code that can be counted, and words that a person can act on."""

    code: str
    words: str


@dataclass(frozen=True, slots=True)
class Record:
    """Frozen: a change is a new record (`dataclasses.replace`), and the store keeps the newest by ``id``.

    A real picture's id follows from its name in its source and its content, so that the same picture has the same
    id wherever the folder stands; a derived one's from parent, block and seed.
    """

    id: str
    sha256: str
    """of the original bytes, the key into the images table; of a derived picture, of its PNG"""
    source: str
    """the source's name; with ``name`` it says which file"""
    name: str
    """path below the source's root, with forward slashes; of a derived picture, its parent's"""
    uri: str
    """where it was read from, for people and for the next ingest"""
    size: int = 0
    """bytes"""
    mtime_ns: int = 0
    width: int = 0
    height: int = 0
    parent: str = ""
    depth: int = 0
    """0 = real, 1 = made from a real one, ..."""
    made_by: str = ""
    """fingerprint of the block that made it"""
    seed: int = 0
    drawn: Mapping[str, Value] = field(default_factory=dict)
    """the parameters that the block drew, so that it can be made again"""
    group: str = ""
    """near-duplicates and derived pictures share it; it is never on both sides of a split"""
    split: Split = ""
    phash: int = 0
    """64-bit perceptual hash"""
    phash_mirrored: int = 0
    quality: Mapping[str, float] = field(default_factory=dict)
    """scores of the filters by name; thresholds live in the recipe"""
    tags: tuple[str, ...] = ()
    """what the source says of it, such as a folder's class word"""
    weight: float = 1.0
    """how often it is drawn beside the others (kohya's repeats)"""
    verdict: Verdict = "kept"
    reasons: tuple[Reason, ...] = ()

    @property
    def pixels_key(self) -> str:
        """What its pixels follow from: the bytes, and how they are read."""
        return f"{self.sha256} {self.drawn.get('reading', '')}".rstrip()

    @property
    def ground(self) -> tuple[str, ...]:
        """The colour that shows through, if that is not white: what follows from its pixels follows from that, too."""
        return (str(self.drawn["matte"]),) if "matte" in self.drawn else ()

    @staticmethod
    def id_of(source: str, name: str, sha256: str) -> str:
        """The id of a real picture."""
        return digest("picture", source, name, sha256, length=32)

    def derive(
        self, block: Block, *, sha256: str, seed: int, drawn: Mapping[str, Value], width: int, height: int
    ) -> Record:
        """A new record made from this one by ``block``: it inherits group, source and name, and is never held out.

        Its id follows from parent (and its ground), fingerprint and seed, so making it again changes nothing.
        """
        return replace(
            self,
            id=digest("derived", self.id, *self.ground, block.fingerprint, seed, length=32),
            sha256=sha256,
            size=0,
            mtime_ns=0,
            width=width,
            height=height,
            parent=self.id,
            depth=self.depth + 1,
            made_by=block.fingerprint,
            seed=seed,
            drawn=dict(drawn),
            phash=0,
            phash_mirrored=0,
            quality={},
            split="train",
            verdict="kept",
            reasons=(),
        )

    def refuse(self, *reasons: Reason) -> Record:
        """The same record, refused; nothing of it is deleted."""
        return replace(self, verdict="refused", reasons=(*self.reasons, *reasons))
