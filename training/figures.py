"""What the loop says of its steps, summed on the device and read only every so often, so that no step waits."""

import math
import time

import torch
from torch import Tensor

from core.errors import TrainingFailed


class Figures:
    """Means of loss and gradient norm since they were last read."""

    def __init__(self, step: int, device: str) -> None:
        self._sums = torch.zeros(2, device=device)
        self._since, self._clock = step, time.perf_counter()

    def add(self, loss: Tensor, norm: Tensor) -> None:
        """One step's figures."""
        self._sums += torch.stack((loss, norm))

    def read(self, step: int, *, kept: int) -> dict[str, float]:
        """Means since the last reading; `TrainingFailed` where one is not finite, with the step that is kept."""
        count, now = step - self._since, time.perf_counter()
        loss, norm = (self._sums / count).tolist()
        if not (math.isfinite(loss) and math.isfinite(norm)):
            left = f"the checkpoint of step {kept} is kept" if kept else "no checkpoint had been written yet"
            raise TrainingFailed(
                f"the loss or its gradient was not finite between steps {self._since + 1} and {step}; {left}. "
                "A lower learning rate usually helps, or precision: fp32"
            )
        seconds = (now - self._clock) / count
        self._sums.zero_()
        self._since, self._clock = step, now
        return {"loss": loss, "grad_norm": norm, "seconds_per_step": seconds}
