"""Loss scaling for fp16 (Micikevicius et al. 2018): small gradients are kept from becoming zero. Nobody waits."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

START, GROWTH, BACKOFF, INTERVAL = 2.0**16, 2.0, 0.5, 2000
"""as torch's own scaler, which asks the device after every step whether a gradient overflowed"""
LEAST = 2.0**-6
"""a scale that had to fall so far says that the gradients themselves are not finite"""


class Scaling:
    """Does nothing: for arithmetic that has the range of float32."""

    def up(self, loss: Tensor) -> Tensor:
        """What is sent backwards in place of the loss."""
        return loss

    def down(self, parameters: Sequence[nn.Parameter]) -> None:
        """Bring the gradients back to their size."""

    def state(self) -> dict[str, Tensor]:
        """What a checkpoint must keep."""
        return {}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Put back what `state` gave."""


class LossScaling(Scaling):
    """Doubles the scale after 2,000 good steps and halves it at an overflow; such a step's gradients count as zero."""

    def __init__(self, device: str) -> None:
        self.scale = torch.full((1,), START, device=device)
        self._good = torch.zeros(1, dtype=torch.int32, device=device)
        self._overflow = torch.zeros(1, device=device)
        self._one = torch.ones(1, device=device)

    def up(self, loss: Tensor) -> Tensor:
        return loss * self.scale[0]

    @torch.no_grad()
    def down(self, parameters: Sequence[nn.Parameter]) -> None:
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        self._overflow.zero_()
        torch._amp_foreach_non_finite_check_and_unscale_(gradients, self._overflow, self.scale.reciprocal())
        fine = self._one - self._overflow
        for gradient in gradients:
            gradient.nan_to_num_(0.0, 0.0, 0.0).mul_(fine[0])
        torch._amp_update_scale_(self.scale, self._good, self._overflow, GROWTH, BACKOFF, INTERVAL)

    def state(self) -> dict[str, Tensor]:
        return {"scale": self.scale.clone(), "good": self._good.clone()}

    def restore(self, state: dict[str, Tensor]) -> None:
        self.scale.copy_(state["scale"])
        self._good.copy_(state["good"])
