"""What a run will need of memory, measured where it can be: told before the first step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from training.adapter import Group
from training.optimizer import Optimizer

if TYPE_CHECKING:
    from training.run import Run

SAMPLE = 20_000_000
"""weights on which an optimizer's state is measured; of more, some are taken and the rest is reckoned"""


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes."""

    base: int
    """network, text encoders and autoencoder"""
    data: int
    """latents, masks and text states, all on the device"""
    trained: int
    gradients: int
    optimizer: int
    average: int
    activations: int
    """what one piece of a step keeps for its backward pass, without gradient checkpointing"""
    checkpointed: bool = False

    def words(self) -> list[str]:
        """The estimate, a line each."""
        total = self.base + self.data + self.trained + self.gradients + self.optimizer + self.average
        note = ", before gradient checkpointing makes it less" if self.checkpointed else ""
        rows = [
            ("base", self.base, "network, text encoders, autoencoder"),
            ("data", self.data, "latents and text states"),
            ("trained weights", self.trained, ""),
            ("gradients", self.gradients, ""),
            ("optimizer", self.optimizer, "measured"),
            ("moving average", self.average, ""),
            ("activations", self.activations, f"measured{note}"),
            ("together", total + self.activations, "beside what the libraries take themselves"),
        ]
        lines = [f"  {name:<16}{mebibytes(size):>12}  {word}".rstrip() for name, size, word in rows if size]
        return ["memory", *lines]


def mebibytes(size: int) -> str:
    """A size for people."""
    return f"{size / 2**20:,.1f} MiB"


def estimated(run: Run) -> Memory:
    """What ``run``, which is set up and has not begun, will hold. It costs one pass forward and draws no chance."""
    backbone = run.backbone
    trained = sum_of(run.trained)
    parts = [backbone.network, backbone.vae, *backbone.text_encoders.values()]
    return Memory(
        base=sum(sum_of([*part.parameters(), *part.buffers()]) for part in parts) - in_place(run, parts),
        data=run.data.bytes,
        trained=trained,
        gradients=trained,
        optimizer=state_bytes(run.spec.optimizer, run.adapter.groups),
        average=trained if run.average is not None else 0,
        activations=activation_bytes(run),
        checkpointed=run.spec.gradient_checkpointing,
    )


def in_place(run: Run, parts: Sequence[nn.Module]) -> int:
    """Bytes of what is trained and stands in the base's own modules."""
    inside = {id(parameter) for part in parts for parameter in part.parameters()}
    return sum_of(parameter for parameter in run.trained if id(parameter) in inside)


def sum_of(tensors: Iterable[Tensor]) -> int:
    """Bytes of some tensors."""
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def state_bytes(optimizer: Optimizer, groups: Sequence[Group]) -> int:
    """What an optimizer keeps for these weights: one like it takes a step on copies of them, and is looked at."""
    every = [parameter for group in groups for parameter in group.parameters]
    whole = sum(parameter.numel() for parameter in every)
    stride = -(-whole // SAMPLE)
    chosen = {id(parameter) for parameter in every[::stride]}
    copies = []
    for group in groups:
        some = [nn.Parameter(p.detach().clone()) for p in group.parameters if id(p) in chosen]
        copies += [Group(some, group.rate)] if some else []
    for group in copies:
        for parameter in group.parameters:
            parameter.grad = torch.full_like(parameter, 1e-3)
    one = optimizer.build(copies)
    one.step()
    measured = sum_of(tensors_in(one.state_dict()["state"]))
    return round(measured * whole / sum(p.numel() for group in copies for p in group.parameters))


def tensors_in(tree: Any) -> Iterator[Tensor]:
    """All tensors of a nested state; shared ones once."""
    seen: set[int] = set()
    waiting = [tree]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Tensor) and one.data_ptr() not in seen:
            seen.add(one.data_ptr())
            yield one
        elif isinstance(one, dict):
            waiting += one.values()
        elif isinstance(one, list | tuple):
            waiting += one


def activation_bytes(run: Run) -> int:
    """What autograd keeps between forward and backward pass of a piece of the step that comes first."""
    known = {p.untyped_storage().data_ptr() for p in run.backbone.network.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in known:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with undrawn(run) as batch, torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = run.loss_of(batch, torch.Generator().manual_seed(0))
    del loss
    return sum(kept.values())


@contextmanager
def undrawn(run: Run) -> Iterator[Any]:
    """The first piece of the next step, as if it had never been drawn."""
    epoch, offset, state = run.data.epoch, run.data.offset, run.dice.rng.get_state()
    devices = [torch.cuda.current_device()] if run.backbone.device.startswith("cuda") else []
    with torch.random.fork_rng(devices=devices), run.compiled.off(), run.autocast():
        if run.spec.gradient_checkpointing:
            run.backbone.network.disable_gradient_checkpointing()  # type: ignore[operator]
        try:
            yield next(iter(run.draw(run.step + 1)))
        finally:
            if run.spec.gradient_checkpointing:
                run.backbone.network.enable_gradient_checkpointing()  # type: ignore[operator]
            run.data.seek(epoch, offset)
            run.dice.rng.set_state(state)
