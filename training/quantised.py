"""The frozen base's linear layers in 8 or 4 bits (bitsandbytes), for GPUs that it would fill. Convolutions stay."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

Kind = Literal["int8", "nf4"]
SMALLEST = 4096
"""values; smaller layers stay as they are, there is nothing to gain"""


class QuantisedLinear(nn.Linear):
    """A frozen layer whose weight is unpacked as it is used, in blocks with a scale each; nothing else is rounded.

    nf4: 4 bits, levels as of a normal distribution (Dettmers et al. 2023). int8: 8 bits, dynamic levels.
    """

    def __init__(self, layer: nn.Linear, kind: Kind) -> None:
        nn.Module.__init__(self)
        from bitsandbytes import functional as bits

        self.in_features, self.out_features, self.bias = layer.in_features, layer.out_features, layer.bias
        weight = layer.weight.detach()
        self._type = weight.dtype
        if kind == "nf4":
            packed, self._how = bits.quantize_4bit(weight.contiguous(), quant_type="nf4")
            self._unpack: Any = bits.dequantize_4bit
        else:
            packed, self._how = bits.quantize_blockwise(weight.contiguous())
            self._unpack = bits.dequantize_blockwise
        self.weight = nn.Parameter(packed, requires_grad=False)

    def unpacked(self, dtype: torch.dtype) -> Tensor:
        """The weight as numbers."""
        found: Tensor = self._unpack(self.weight, self._how)
        return found.reshape(self.out_features, self.in_features).to(dtype)

    def forward(self, given: Tensor) -> Tensor:
        device = given.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else given.dtype
        made: Tensor = _Product.apply(given.to(dtype), self)  # type: ignore[no-untyped-call]
        return made if self.bias is None else made + self.bias.to(dtype)


class _Product(torch.autograd.Function):
    """x W^T; the unpacked weight is made again for the gradient, so that no step keeps it."""

    @staticmethod
    def forward(context: Any, given: Tensor, layer: QuantisedLinear) -> Tensor:  # type: ignore[override]
        context.layer = layer
        return functional.linear(given, layer.unpacked(given.dtype))

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        return gradient @ context.layer.unpacked(gradient.dtype), None


@contextmanager
def quantised(network: nn.Module, kind: Kind | None) -> Iterator[None]:
    """Within it the network's linear layers are packed; its own wait in main memory and come back as they were."""
    layers = [
        (path, layer)
        for path, layer in network.named_modules()
        if kind is not None and type(layer) is nn.Linear and layer.weight.numel() >= SMALLEST
    ]
    for path, layer in layers:
        assert kind is not None
        put(network, path, QuantisedLinear(layer, kind))
    device = layers[0][1].weight.device if layers else torch.device("cpu")
    for _, layer in layers:
        layer.weight.data = layer.weight.data.cpu()
    try:
        yield
    finally:
        for path, layer in layers:
            layer.weight.data = layer.weight.data.to(device)
            put(network, path, layer)


def put(network: nn.Module, path: str, layer: nn.Module) -> None:
    """Set one layer in a network."""
    parent, _, name = path.rpartition(".")
    setattr(network.get_submodule(parent), name, layer)
