"""What is said of one picture, by a machine and by a person; the person's word wins."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Caption:
    """The caption of one record. A user's caption is never overwritten by an automatic one."""

    record: str
    """the record's id"""
    automatic: str = ""
    scores: Mapping[str, float] = field(default_factory=dict)
    """calibrated score (0 to 1) of each tag in the automatic caption"""
    engine: str = ""
    """key of what made it: captioner's fingerprint, model and vocabulary; another key means captioning again"""
    user: str = ""

    @property
    def text(self) -> str:
        """What is trained on: the person's caption if there is one."""
        return self.user or self.automatic
