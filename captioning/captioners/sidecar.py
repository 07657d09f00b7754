"""Only what the person wrote beside the picture; every other caption stays empty."""

from captioning.captioner import Batch, Captioner
from core.caption import Caption


class Sidecar(Captioner):
    """Sidecar files become user captions when they are read in, so that there is nothing left to write here."""

    def captions(self, batch: Batch) -> list[Caption]:
        return [Caption(record.id) for record in batch.records]
