"""What generators that draw with a base model share: which base, how it samples, and that its weights are known."""

from functools import cached_property
from typing import TYPE_CHECKING

from pydantic import Field

from augment import models
from augment.generator import Generator
from core.record import Value

if TYPE_CHECKING:
    from backbones.backbone import Backbone


class Painter(Generator):
    """A picture follows from its parent, its caption and its seed; on a CPU bit for bit."""

    base: str = "pocket"
    """the model that draws: `pocket`, a diffusers folder, a .safetensors file or a name on the hub; best another one
    than the one that is trained, which learns nothing new from its own pictures"""
    steps: int = Field(20, ge=1, le=1000)
    """of the sampler (DDIM)"""
    guidance: float = Field(3.0, ge=1, le=30)
    """how strongly the caption pulls; low, because pictures of high guidance narrow a model that learns from them"""
    negative: str = ""
    """what should not be in the picture"""

    @property
    def imagines(self) -> bool:
        return True

    @cached_property
    def material(self) -> str:
        from backbones.family import family_of

        return family_of(self.base).files.digest

    def check(self) -> None:
        assert self.material  # a missing base is told

    @property
    def model(self) -> "Backbone":
        """The base, loaded at first use."""
        return models.backbone(self.base)

    def sampled(self, seed: int) -> dict[str, Value]:
        """What is recorded of how a picture was sampled."""
        return {"seed": seed, "steps": self.steps, "guidance": self.guidance, "base": self.base}
