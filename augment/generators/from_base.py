"""Pictures that a base draws from words alone: variations by caption, or class pictures for prior preservation."""

from collections.abc import Mapping, Sequence

import numpy as np

from augment.generator import Parent
from augment.maker import Made
from augment.painter import Painter
from core.marks import REGULARISATION
from core.record import Value


class FromBase(Painter):
    """Without ``prompts`` each is drawn by the caption of its parent and must resemble it. With ``prompts`` each is
    drawn by one of them and is tagged ``regularisation``: what the class looks like without the subject, which prior
    preservation trains on beside it. There are as many of them for each training picture as `copies` says.
    """

    prompts: tuple[str, ...] = ()
    """what class pictures show, such as `a dog`; for each picture one is drawn, each as likely"""

    def model_post_init(self, _: object) -> None:
        """Refuse a prompt that says nothing."""
        if not all(prompt.strip() for prompt in self.prompts):
            raise ValueError("prompts: one of them is empty; say what the class pictures should show")

    @property
    def resembles(self) -> bool:
        return not self.prompts

    def tags(self, inherited: tuple[str, ...]) -> tuple[str, ...]:
        return (REGULARISATION,) if self.prompts else inherited

    def generate(self, batch: Sequence[Parent], rngs: Sequence[np.random.Generator]) -> list[Made]:
        made = []
        for (_, _, caption), rng in zip(batch, rngs, strict=True):
            prompt = self.prompts[rng.integers(len(self.prompts))] if self.prompts else caption
            seed = int(rng.integers(2**63))
            (pixels,) = self.model.sample(
                [prompt], [seed], steps=self.steps, guidance=self.guidance, negative=self.negative
            )
            made.append(Made(pixels, {"prompt": prompt, **self.sampled(seed)}))
        return made

    def caption(self, text: str, drawn: Mapping[str, Value]) -> str:
        return str(drawn["prompt"]) if self.prompts else text
