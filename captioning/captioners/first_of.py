"""Several captioners in turn: the first that says anything of a picture has its word."""

from dataclasses import replace
from typing import Annotated

from pydantic import Field

from captioning.captioner import Batch, Captioner, Part
from core.caption import Caption
from core.hashing import digest


class FirstOf(Captioner):
    """``{kind: first_of, of: [coca, clip_tags]}``. Later ones are not asked about pictures that have a caption."""

    of: tuple[Annotated[Captioner, Part()], ...] = Field(min_length=1)
    """captioners, each a name or a mapping with `kind:`, the preferred one first"""

    @property
    def clips(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(clip for part in self.of for clip in part.clips))

    @property
    def engine(self) -> str:
        return f"{self.fingerprint}-{digest([part.engine for part in self.of], length=8)}"

    def engines(self, batch: Batch) -> dict[str, str]:
        engine, keys = self.engine, [part.engines(batch) for part in self.of]
        return {r.id: f"{engine}-{digest([key[r.id] for key in keys], length=8)}" for r in batch.records}

    def captions(self, batch: Batch) -> list[Caption]:
        found: dict[str, Caption] = {}
        for part in self.of:
            left = [record for record in batch.records if record.id not in found]
            said = part.captions(replace(batch, records=left)) if left else []
            found.update({caption.record: caption for caption in said if caption.automatic})
        return [found.get(record.id, Caption(record.id)) for record in batch.records]
