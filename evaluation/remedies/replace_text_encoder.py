"""Put the base's text encoder, or another model's, in the place of the trained one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from core.hashing import digest
from evaluation.candidate import Candidate, from_file
from evaluation.remedy import Patient, Remedy

if TYPE_CHECKING:
    from backbones.backbone import Backbone, Conditioning

Speak = Callable[[Sequence[str]], "Conditioning"]


class ReplaceTextEncoder(Remedy):
    """Helps where the text encoder is what learned by heart; `which_part` tells."""

    model: str = ""
    """whose text encoder: ``pocket`` or the folder of a model of the same family; empty: the base's own"""

    def candidates(self, patient: Patient, backbone: Backbone) -> list[Candidate]:
        tuned = from_file(patient.file)
        with tuned.on(backbone):
            if not backbone.words_tuned and not self.model:
                return []  # it is the base's own already
        other = self._other(backbone) if self.model else None
        key = digest("text encoder", tuned.key, other.fingerprint("text") if other else "")

        @contextmanager
        def on(own: Backbone) -> Iterator[None]:
            with tuned.on(own), speaking(own, other.encode_text if other else of_base(own)):
                yield

        name = f"text encoder of {self.model}" if self.model else "the base's text encoder"
        use = "" if self.model else "load it for the network only, without its text encoder's part"
        return [Candidate(name, key, on, use=use)]

    def _other(self, backbone: Backbone) -> Backbone:
        from backbones.family import family_of
        from core.errors import RecipeError

        other = family_of(self.model).load(device=backbone.device)
        mine, theirs = (
            {name: state.shape for name, state in one.encode_text([""]).items()} for one in (backbone, other)
        )
        if mine != theirs:
            raise RecipeError(
                f"replace_text_encoder: the text states of {self.model} are {theirs}, this base takes {mine}; "
                "name a model of the same family"
            )
        return other


def of_base(backbone: Backbone) -> Speak:
    """What the base's own text encoder says, whatever is on it."""
    tuned = backbone.encode_text

    def speak(texts: Sequence[str]) -> Conditioning:
        with backbone.untuned():
            return tuned(texts)

    return speak


@contextmanager
def speaking(backbone: Backbone, speak: Speak) -> Iterator[None]:
    """Within it all texts are encoded by ``speak``: when it draws and when it is asked."""
    backbone.encode_text = speak  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        del backbone.encode_text  # the class's own is there again
