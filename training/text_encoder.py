"""Whether the text encoder is trained too, and how: the `train.text_encoder:` part of a recipe."""

from pydantic import BaseModel, ConfigDict, Field


class TextEncoder(BaseModel):
    """Left out, the text encoder stays frozen: it overfits sooner than anything else, and its states can be cached."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    learning_rate: float = Field(gt=0)
    """its own; a fifth to a half of the network's is usual"""
    steps: int = Field(ge=1)
    """after so many of the run's steps it stays as it is; a third of them is usual"""
