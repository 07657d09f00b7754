"""The same sentence for every picture: trigger, class word, and the words in its file's name."""

from captioning.captioner import Batch, Captioner
from captioning.filling import check, fill
from captioning.source_words import NAMES, source_words
from core.caption import Caption
from core.hashing import digest


class Template(Captioner):
    """``template`` may use ``{trigger}``, ``{class_word}``, ``{name}`` and ``{folder}``; see docs/captions.md."""

    trigger: str = ""
    class_word: str = ""
    """if empty, the tags that the source gives, such as a kohya folder's class"""
    template: str = "[{trigger} ]{class_word}"

    def model_post_init(self, _: object) -> None:
        """Refuse a template with places that stay empty for ever."""
        check(self.template, NAMES)

    def engines(self, batch: Batch) -> dict[str, str]:
        return {record.id: f"{self.engine}-{digest(record.tags, length=6)}" for record in batch.records}

    def captions(self, batch: Batch) -> list[Caption]:
        return [
            Caption(record.id, fill(self.template, source_words(record, self.trigger, self.class_word)))
            for record in batch.records
        ]
