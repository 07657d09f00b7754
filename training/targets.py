"""Which layers of a network an adapter goes on."""

from collections.abc import Collection

from torch import nn


def inside(network: nn.Module, blocks: Collection[str]) -> list[str]:
    """Paths of all linear and convolution layers within blocks of these class names, in the network's order."""
    found: dict[str, None] = {}
    for path, block in network.named_modules():
        if type(block).__name__ in blocks:
            for below, layer in block.named_modules():
                if isinstance(layer, nn.Linear | nn.Conv2d):
                    found[f"{path}.{below}"] = None
    return list(found)
