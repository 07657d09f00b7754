"""Ways to run the same network: parts again in the backward pass, or compiled. Contexts that leave no trace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

BACKEND = "inductor"
"""of torch.compile"""


@contextmanager
def checkpointed(network: Any, wanted: bool) -> Iterator[None]:
    """Gradient checkpointing (Chen et al. 2016): activations are made again where the gradient needs them."""
    if not wanted:
        yield
        return
    network.enable_gradient_checkpointing()
    try:
        yield
    finally:
        network.disable_gradient_checkpointing()


class Compiled:
    """torch.compile on a network, where it stands; it can be switched off for looks at the model."""

    def __init__(self, network: nn.Module, wanted: bool) -> None:
        self._network, self._wanted = network, wanted
        if wanted:
            network.compile(backend=BACKEND)
            self._call = network._compiled_call_impl

    @contextmanager
    def off(self) -> Iterator[None]:
        """Within it the network runs as it is written: other modes and sizes need not be compiled."""
        if not self._wanted:
            yield
            return
        self._network._compiled_call_impl = None
        try:
            yield
        finally:
            self._network._compiled_call_impl = self._call

    def remove(self) -> None:
        """Leave the network as it was."""
        if self._wanted:
            self._network._compiled_call_impl = None
