"""Merge it with the base or with another model, block by block if asked: part of what it added is taken back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from core.errors import MissingBase
from core.hashing import digest
from evaluation.candidate import Candidate
from evaluation.remedy import Patient, Remedy

if TYPE_CHECKING:
    from backbones.backbone import Backbone

PARTS = ("down_blocks", "mid_block", "up_blocks", "text_encoder", "rest")
"""``rest``: the network's layers beside its blocks, which few adapters touch"""
HALVES = ({"down_blocks": 0.5}, {"mid_block": 0.5}, {"up_blocks": 0.5})
"""what is tried with the base where nothing is said"""
Kept = Mapping[str, Annotated[float, Field(ge=0, le=2)]]


class Merge(Remedy):
    """Outer blocks hold colours and strokes, inner ones what is where; which of them hold copies differs by run.

    Learned words and hypernetworks have no blocks and are left alone.
    """

    weights: tuple[Kept, ...] = ()
    """each a merge to try: how much of the adapter is kept in ``down_blocks``, ``mid_block``, ``up_blocks``,
    ``text_encoder``, ``rest``. With the base, parts that are not named stay whole; with another model, that one fills
    what is not kept (1 - weight), and `share` holds for parts that are not named. Empty: with the base each block at
    half in turn, with another model one mix by `share`"""
    other: str = ""
    """another adapter or checkpoint to mix in; empty: the base"""
    share: float = Field(0.5, ge=0, le=1)
    """of the other one, in all parts that ``weights`` does not name; this one gets the rest"""

    def model_post_init(self, _: object) -> None:
        """Refuse parts that no network has, and a mix with nothing in it."""
        unknown = sorted({part for one in self.weights for part in one} - set(PARTS))
        if unknown:
            raise ValueError(f"weights: there is no part {', '.join(unknown)}; known: {', '.join(PARTS)}")
        if self.other and not self.share and not self.weights:
            raise ValueError("share is 0 and weights names no part: nothing of the other one would be mixed in")

    def candidates(self, patient: Patient, backbone: Backbone) -> list[Candidate]:  # noqa: ARG002
        if patient.learned_words or patient.hypernetwork:
            return []
        if not self.other:
            return [with_base(patient.file, kept) for kept in self.weights or HALVES]
        other = Path(self.other).expanduser()
        if not other.exists():
            raise MissingBase(f"merge: there is no adapter or checkpoint {other}")
        return [with_other(patient.file, other, kept, self.share) for kept in self.weights or ({},)]


def with_base(file: Path, kept: Mapping[str, float]) -> Candidate:
    """The adapter with some parts weakened."""
    name = ", ".join(f"{spoken(part)} at {weight:g}" for part, weight in kept.items()) or "all of it"
    blocks = [f"{part}={weight:g}" for part, weight in kept.items() if part != "rest"]
    use = "" if "rest" in kept else command([file], "1", blocks)  # which has no word for what is in no block
    return _candidate(name, [(file, kept)], use)


def with_other(file: Path, other: Path, kept: Mapping[str, float], share: float) -> Candidate:
    """In each part so much of the adapter as is kept there, and the other one for the rest."""
    own = {part: kept.get(part, 1 - share) for part in PARTS}
    theirs = {part: 1 - weight for part, weight in own.items()}
    name = f"{1 - share:.0%} of it, {share:.0%} of {other.stem}"
    if kept:
        parts = ", ".join(f"{theirs[part]:.0%} in {spoken(part)}" for part in kept)
        name = f"{other.stem}: {parts}, {share:.0%} elsewhere"
    blocks = [f"{part}={own[part]:g},{theirs[part]:g}" for part in kept if part != "rest"]
    use = "" if "rest" in kept else command([file, other], f"{1 - share:g},{share:g}", blocks)
    return _candidate(name, [(file, own), (other, theirs)], use)


def spoken(part: str) -> str:
    """A part's name for people."""
    return part.replace("_", " ")


def command(files: Sequence[Path], weights: str, blocks: Sequence[str]) -> str:
    """What writes the same as one file; empty where one of them is no adapter of layers."""
    if not all(of_layers(file) for file in files):
        return ""
    parts = "".join(f" --blocks {one}" for one in blocks)
    return f"velatura lora merge {' '.join(quote(str(one)) for one in files)} --weights {weights}{parts} --out FILE"


def of_layers(file: Path) -> bool:
    """Whether it is an adapter that can be merged into one file with another, from its header alone."""
    from safetensors import safe_open

    from backbones.layer_files import PREFIXES

    if not file.is_file() or file.suffix != ".safetensors":
        return False
    with safe_open(file, "pt") as tensors:
        return any(name.startswith(PREFIXES) for name in tensors.keys())  # noqa: SIM118


def _candidate(name: str, mixed: Sequence[tuple[Path, Mapping[str, float]]], use: str) -> Candidate:
    from backbones.adapter_files import hash_of
    from backbones.merging import merged

    @contextmanager
    def on(backbone: Backbone) -> Iterator[None]:
        with backbone.tuned_by(merged(backbone, mixed)):
            yield

    return Candidate(name, digest("merge", [(hash_of(file), dict(kept)) for file, kept in mixed]), on, use=use)
