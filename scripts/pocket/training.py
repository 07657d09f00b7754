"""What the three trainers share: a budget in minutes or steps, a state that survives being killed, an average."""

import hashlib
import signal
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

FAST = (SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH)  # a CPU's flash backward is slow


@dataclass(frozen=True)
class Budget:
    """How long a stage may train, over all its runs together. Whichever limit is set ends it."""

    minutes: float | None = None
    steps: int | None = None

    def spent(self, seconds: float, steps: int) -> float:
        """The fraction used up, 0 to 1. Learning rates follow it, so a smaller budget cools down from any state."""
        shares = [seconds / 60 / self.minutes if self.minutes else 0.0, steps / self.steps if self.steps else 0.0]
        return min(1.0, max(shares))


def device() -> torch.device:
    """The GPU if there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def heat(spent: float, warm: float = 0.02, flat: float = 0.3, floor: float = 0.02) -> float:
    """Learning-rate factor: up, flat, then a straight line down to ``floor``."""
    if spent < warm:
        return max(0.02, spent / warm)
    return 1.0 if spent < flat else floor + (1 - floor) * (1 - spent) / (1 - flat)


@dataclass
class Run:
    """One network in training: what is saved, and for how long it has gone."""

    path: Path
    network: nn.Module
    optimizer: torch.optim.Optimizer
    budget: Budget
    decay: float = 0.998
    step: int = 0
    seconds: float = 0.0
    curve: list[tuple[int, float, float]] = field(default_factory=list)
    average: dict[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Continue from the state on disk, if there is one."""
        self.rates = [group["lr"] for group in self.optimizer.param_groups]
        self.average = {key: value.detach().clone() for key, value in self.network.state_dict().items()}
        if self.path.exists():
            state = torch.load(self.path, map_location="cpu", weights_only=True)
            self.network.load_state_dict(state["network"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.average = {key: value.to(self.average[key].device) for key, value in state["average"].items()}
            self.step, self.seconds, self.curve = state["step"], state["seconds"], state["curve"]

    @property
    def spent(self) -> float:
        """Fraction of the budget used up."""
        return self.budget.spent(self.seconds, self.step)

    def steps(self, seed: str) -> Iterator[torch.Generator]:
        """Yield one random generator per step until the budget is spent; keep time, rates, average and state.

        Each step's numbers depend only on ``seed`` and the step, so that a resumed run goes on as it would have.
        """
        stopped: list[int] = []
        signal.signal(signal.SIGTERM, lambda number, _: stopped.append(number))
        saved = time.monotonic()
        while self.spent < 1 and not stopped:
            started = time.monotonic()
            for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
                group["lr"] = rate * heat(self.spent)
            with sdpa_kernel(SDPBackend.MATH if device().type == "cpu" else list(FAST)):
                yield torch.Generator().manual_seed(seed_of(f"{seed} {self.step}"))
            self.step += 1
            self.update_average()
            self.seconds += time.monotonic() - started
            if time.monotonic() - saved > 60:
                self.save()
                saved = time.monotonic()
        self.save()
        if stopped:
            raise SystemExit(f"stopped at step {self.step}; the same command goes on from there")

    def forget(self, parameters: Iterable[nn.Parameter]) -> None:
        """Drop the optimizer's memory of parameters that learn no more, so that nothing moves them."""
        for parameter in parameters:
            parameter.grad = None

    @torch.no_grad()
    def update_average(self) -> None:
        """Exponential moving average of weights and buffers, short at first."""
        decay = min(self.decay, (1 + self.step) / (10 + self.step))
        for key, value in self.network.state_dict().items():
            if value.is_floating_point():
                self.average[key].lerp_(value, 1 - decay)
            else:
                self.average[key].copy_(value)

    def note(self, loss: float, every: int = 25, **others: float) -> None:
        """Write a line to the log now and then, and a point to the curve."""
        if self.step % every == 0:
            self.curve.append((self.step, self.seconds, loss))
            extra = " ".join(f"{name} {value:.3f}" for name, value in others.items())
            clock = f"{self.seconds:.0f} s, {time.process_time():.0f} s of this processor, {self.spent:.0%}"
            print(f"step {self.step} {clock} loss {loss:.4f} {extra}", flush=True)

    def save(self) -> None:
        """Atomically: a kill at any moment leaves the old state or the new one."""
        state: dict[str, Any] = {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average,
            "step": self.step,
            "seconds": self.seconds,
            "curve": self.curve,
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        waiting = self.path.with_suffix(".writing")
        torch.save(state, waiting)
        waiting.replace(self.path)


def seed_of(text: str) -> int:
    """A number from words, the same on every machine."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big")


def averaged(path: Path) -> dict[str, Tensor]:
    """The averaged weights of a saved state."""
    average: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)["average"]
    return average
