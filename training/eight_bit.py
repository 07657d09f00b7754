"""Descent with Nesterov's momentum, the momentum in 8 bits: bitsandbytes' own ignores its key `nesterov`."""

from __future__ import annotations

from typing import Any

import torch
from bitsandbytes import functional
from torch import Tensor

SMALL = 4096
"""weights of fewer values keep their momentum in 32 bits, as bitsandbytes' optimizers do"""


class NesterovSGD8bit(torch.optim.Optimizer):
    """v = momentum * v + g; p = p - rate * (g + momentum * v), as torch has it; v is kept in blocks of 8 bits."""

    def __init__(self, groups: Any, *, lr: float, momentum: float, weight_decay: float) -> None:
        super().__init__(groups, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        assert closure is None
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._move(parameter, group)

    def _move(self, parameter: Tensor, group: dict[str, Any]) -> None:
        grad, state = parameter.grad, self.state[parameter]
        assert grad is not None
        if group["weight_decay"]:
            grad = grad.add(parameter, alpha=group["weight_decay"])
        v = self._remembered(state, grad).mul_(group["momentum"]).add_(grad)
        parameter.add_(grad.add(v, alpha=group["momentum"]), alpha=-group["lr"])
        if parameter.numel() < SMALL:
            state["momentum"] = v
            return
        state["blocks"], kept = functional.quantize_blockwise(v)
        state["largest"], state["code"] = kept.absmax, kept.code

    def _remembered(self, state: dict[str, Any], like: Tensor) -> Tensor:
        if "blocks" in state:
            found: Tensor = functional.dequantize_blockwise(
                state["blocks"], absmax=state["largest"], code=state["code"]
            )
            return found
        kept: Tensor = state.get("momentum", torch.zeros_like(like))
        return kept

    def load_state_dict(self, state_dict: Any) -> None:
        super().load_state_dict(state_dict)
        for state in self.state.values():  # torch makes every state the weight's own type
            if "blocks" in state:
                state["blocks"] = state["blocks"].to(torch.uint8)
