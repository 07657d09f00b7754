"""What a training run is told: the `train:` part of a recipe. Reading it imports nothing heavy."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from core.block import Choice
from training.adapter import Adapter
from training.buckets import Buckets
from training.captions import Captions
from training.class_pictures import ClassPictures
from training.masks import Masks
from training.objective import Objective
from training.optimizer import Optimizer
from training.schedule import Schedule
from training.text_encoder import TextEncoder


class Train(BaseModel):
    """One training run. Steps are optimizer steps, said once; the number of epochs follows and is logged."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    adapter: Annotated[Adapter, Choice(Adapter)] = Field(default_factory=lambda: Adapter.parse("lora"))
    """what is trained"""
    objective: Annotated[Objective, Choice(Objective)] = Field(default_factory=lambda: Objective.parse("epsilon"))
    """what the network is asked to predict, and how errors weigh"""
    optimizer: Annotated[Optimizer, Choice(Optimizer)] = Field(default_factory=lambda: Optimizer.parse("adamw"))
    """how the weights are moved"""
    schedule: Annotated[Schedule, Choice(Schedule)] = Field(default_factory=lambda: Schedule.parse("constant"))
    """how the learning rate goes over the steps"""
    class_pictures: ClassPictures | None = None
    """DreamBooth: pictures of the class that the base draws itself and that are trained beside, against forgetting"""
    text_encoder: TextEncoder | None = None
    """trains the text encoder too, for part of the run; null leaves it frozen, which is the safe way"""
    start_from: str = ""
    """a finished file of the same kind that training goes on from, by any program; empty: it starts at the base"""
    resolution: int | None = Field(default=None, ge=16)
    """side in pixels of the square whose area pictures have; null: the base's own"""
    buckets: Buckets | None = Buckets()
    """pictures keep their shape; null cuts the middle square out of every one"""
    captions: Captions = Captions()
    """how captions are varied and read"""
    masks: Masks | None = None
    """which parts of the pictures count; null: all of every one"""
    steps: int = Field(default=400, ge=1)
    """optimizer steps"""
    stop_at: int | None = Field(default=None, ge=1)
    """train no further than this step; the schedule is still that of all `steps`, so what is trained is the same"""
    batch_size: int = Field(default=4, ge=1)
    """examples in each step, all pieces and processes together"""
    accumulate: int = Field(default=1, ge=1)
    """each step's examples go through the network in so many pieces: less memory, the same result"""
    processes: int = Field(default=1, ge=1)
    """how many GPUs (on a machine without, processes) share each step; the same result"""
    seed: int = Field(default=0, ge=0, lt=2**63)
    """of the adapter's first weights, the order of the pictures, timesteps, noise and dropout"""
    caption_dropout: float = Field(default=0.1, ge=0, le=1)
    """share of examples that are shown without their caption, so that guidance keeps working"""
    clip_norm: float | None = Field(default=1.0, gt=0)
    """the gradient's norm is brought down to this; null leaves it as it is"""
    ema: float | None = Field(default=None, gt=0, lt=1)
    """what is measured and exported is a moving average of what is trained; 0.999 forgets in about 1,000 steps"""
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    """of the network's arithmetic; the adapter and its optimizer are always fp32. fp16 scales its losses by itself"""
    quantise: Literal["int8", "nf4"] | None = None
    """the frozen base's linear layers in 8 or 4 bits, for low memory; for lora, locon and what is no layer at all"""
    gradient_checkpointing: bool = False
    """parts of the network are run again in the backward pass: much less memory, about a third more time"""
    compile: bool = False
    """torch.compile: the first step of each picture size takes a minute or more, the others are faster on a GPU"""
    log_every: int = Field(default=10, ge=1)
    """steps between two readings of loss and gradient norm, which are means over them"""
    checkpoint_every: int = Field(default=50, ge=1)
    """steps that a crash can cost at most"""
    probe_every: int = Field(default=100, ge=1)
    """steps between two looks at the model, each with a checkpoint and exported weights before it"""
    stop_early: int | None = Field(default=None, ge=1)
    """after so many looks in a row that are surely worse on held-out pictures than the best one the run ends"""
    threads: int = Field(default=1, ge=1)
    """of the CPU; the same number gives the same bits"""

    @property
    def end(self) -> int:
        """The last step that is trained."""
        return self.steps if self.stop_at is None else min(self.stop_at, self.steps)

    @property
    def pieces(self) -> int:
        """Into how many each step's examples are cut, over all processes."""
        return self.accumulate * self.processes

    @model_validator(mode="after")
    def _together(self) -> Train:
        if self.batch_size % self.pieces:
            raise ValueError(
                f"batch_size is {self.batch_size} and is to be cut into {self.pieces} pieces (accumulate times "
                f"processes); it must be a multiple of that, such as {-(-self.batch_size // self.pieces) * self.pieces}"
            )
        if self.ema is not None and self.optimizer.kind == "schedule_free":
            raise ValueError("schedule_free averages what it trains by itself; leave out ema")
        if self.quantise and self.adapter.kind not in QUANTISED:
            raise ValueError(
                f"quantise leaves a base that {self.adapter.kind} cannot sit on; take {', '.join(QUANTISED)}"
            )
        if not (self.captions.emphasis or self.captions.tokens > 75):
            return self
        if self.text_encoder is not None or self.adapter.kind == "textual_inversion":
            raise ValueError(
                "captions.emphasis and captions.tokens are read once and kept; with text_encoder or textual_inversion, "
                "which read captions anew in every step, leave them out"
            )
        return self


QUANTISED = ("lora", "locon", "hypernetwork", "textual_inversion")
"""adapters that leave the base's own layers to do their part"""
