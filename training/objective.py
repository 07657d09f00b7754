"""An objective says what the network is asked for at a noise level, and how much each answer counts."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from core.block import Block
from core.errors import RecipeError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from backbones.backbone import Backbone, Conditioning
    from training.chance import Rows

    Loss = Callable[["Batch", torch.Generator], Tensor]


@dataclass(frozen=True, slots=True)
class Batch:
    """One step's examples on the backbone's device."""

    latents: Tensor
    """(n, c, h, w)"""
    conditioning: Conditioning
    captions: list[str]
    importance: Tensor | None = None
    """(n,) factor on each example's loss: class pictures of prior preservation have theirs here"""
    mask: Tensor | None = None
    """(n, 1, h, w) factor on each place's loss"""
    rows: Rows | None = None
    """which of the step's examples these are; none: all of them"""


class Objective(Block, family="training.objectives"):
    """The parameters of a loss. A wrapper is an objective with an ``inner`` one."""

    predicts: ClassVar[str]
    """the ``prediction_type`` of the bases that it is for"""

    def check(self, prediction: str) -> None:
        """`RecipeError` with the one that fits, where this is not for bases that predict so."""
        if prediction == self.predicts:
            return
        fitting = [kind for kind in Objective.kinds() if Objective.of_kind(kind).predicts == prediction]
        said = f"set train.objective: {' or '.join(fitting)}" if fitting else "no objective is for such bases yet"
        raise RecipeError(
            f"train.objective: {self.kind} is for bases that predict {self.predicts}, this one predicts {prediction}; "
            f"{said}"
        )

    @abstractmethod
    def build(self, backbone: Backbone) -> Loss:
        """The loss of a batch as a 0-d tensor, its chance drawn from the CPU generator given.

        Tables are made here, once, on the backbone's device: the loss itself must not wait for the device.
        """
