"""What optimizers that find their own learning rate have in common: they start at 1, with one rate for all weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field

from core.errors import RecipeError
from training.optimizer import Optimizer

if TYPE_CHECKING:
    import torch

    from training.adapter import Group


class Adaptive(Optimizer):
    """The learning rate is a factor on what is found, and the schedule's course is multiplied by it."""

    learning_rate: float = Field(default=1.0, gt=0)
    """a factor on the rate that is found: leave it at 1"""

    def advice(self) -> str:
        if self.learning_rate == 1.0:
            return ""
        return (
            f"train.optimizer.learning_rate is {self.learning_rate:g}; {self.kind} finds its own and takes this as a "
            "factor on it, so 1 is right unless training is unstable"
        )

    def refuse_rates(self, groups: Sequence[Group]) -> None:
        """`RecipeError` where weights are to have rates of their own: the search knows only one."""
        if len({group.rate for group in groups}) > 1:
            raise RecipeError(
                f"train.optimizer: {self.kind} finds one rate for all weights; "
                "leave out train.adapter.ratio and train.text_encoder, or take adamw"
            )

    def kept_on_device(self, kind: Any, groups: Sequence[Group], **settings: Any) -> torch.optim.Optimizer:
        """The library's optimizer; what it keeps beside the weights' states goes to their device when it is loaded."""
        import torch

        class OnDevice(kind):  # type: ignore[misc]
            def load_state_dict(self, state_dict: Any) -> None:
                super().load_state_dict(state_dict)
                for group in self.param_groups:
                    device = group["params"][0].device
                    moved = {name: value.to(device) for name, value in group.items() if isinstance(value, torch.Tensor)}
                    group.update(moved)

        optimizer: torch.optim.Optimizer = OnDevice(self.with_rates(groups), **settings)
        return optimizer
