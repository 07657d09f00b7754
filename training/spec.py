"""What a training run is told: the `train:` part of a recipe. Reading it imports nothing heavy."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from core.block import Choice
from training.adapter import Adapter
from training.class_pictures import ClassPictures
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
    steps: int = Field(default=400, ge=1)
    """optimizer steps"""
    batch_size: int = Field(default=4, ge=1)
    """examples in each step"""
    seed: int = Field(default=0, ge=0, lt=2**63)
    """of the adapter's first weights, the order of the pictures, timesteps, noise and dropout"""
    caption_dropout: float = Field(default=0.1, ge=0, le=1)
    """share of examples that are shown without their caption, so that guidance keeps working"""
    clip_norm: float | None = Field(default=1.0, gt=0)
    """the gradient's norm is brought down to this; null leaves it as it is"""
    precision: Literal["fp32", "bf16"] = "fp32"
    """of the network's arithmetic; the adapter and its optimizer are always fp32"""
    log_every: int = Field(default=10, ge=1)
    """steps between two readings of loss and gradient norm, which are means over them"""
    checkpoint_every: int = Field(default=50, ge=1)
    """steps that a crash can cost at most"""
    probe_every: int = Field(default=100, ge=1)
    """steps between two looks at the model, each with a checkpoint and exported weights before it"""
    threads: int = Field(default=1, ge=1)
    """of the CPU; the same number gives the same bits"""
