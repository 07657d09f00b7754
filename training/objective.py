"""An objective says what the network is asked for at a noise level, and how much each answer counts."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from core.block import Block

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from backbones.backbone import Backbone, Conditioning

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


class Objective(Block, family="training.objectives"):
    """The parameters of a loss. A wrapper is an objective with an ``inner`` one."""

    predicts: ClassVar[str]
    """the ``prediction_type`` of the bases that it is for"""

    @abstractmethod
    def build(self, backbone: Backbone) -> Loss:
        """The loss of a batch as a 0-d tensor, its chance drawn from the CPU generator given.

        Tables are made here, once, on the backbone's device: the loss itself must not wait for the device.
        """
