"""What transforms and generators share: what they made, whom they suit, and how the caption follows the pixels."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from core.block import Block
from core.hashing import digest
from core.pixels import Pixels
from core.record import Reason, Record, Value


@dataclass(frozen=True, slots=True)
class Made:
    """A picture that was made, and all that was drawn for it: with these numbers it can be made again by hand."""

    pixels: Pixels
    drawn: Mapping[str, Value] = field(default_factory=dict)
    refused: Reason | None = None
    """why the maker itself would not train on it; such a picture is kept as a refused record, and not tried again"""


class Maker(Block):
    """A block that makes pictures from pictures. Not a family: `Transform` and `Generator` are."""

    @property
    def variety(self) -> int | None:
        """How many different pictures it can make of one: copies beyond that are not made. None: any number."""
        return None

    @property
    def material(self) -> str:
        """What its pictures follow from beside its fields: the fingerprint of the weights that it uses."""
        return ""

    @property
    def fingerprint(self) -> str:
        """As of any block; other weights under the same name are another fingerprint too."""
        own = super().fingerprint
        return f"{self.kind}-{digest(own, self.material)}" if self.material else own

    def check(self) -> None:
        """Tell in words what is missing on this machine, before anything begins; loads nothing."""

    def tags(self, inherited: tuple[str, ...]) -> tuple[str, ...]:
        """The parent's tags, or what the picture is tagged with instead."""
        return inherited

    def suits(self, record: Record, caption: str) -> bool:  # noqa: ARG002
        """Whether this picture may be a parent, as far as its row and its caption say."""
        return True

    def caption(self, text: str, drawn: Mapping[str, Value]) -> str:  # noqa: ARG002
        """The parent's caption, changed so that it is true of what was made."""
        return text
