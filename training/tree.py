"""Nested state (of an optimizer, a schedule) as tensors by name plus JSON, so that no checkpoint needs a pickle."""

from typing import Any

from torch import Tensor

Plain = str | int | float | bool | None


def pack(tree: object, prefix: str, tensors: dict[str, Tensor]) -> object:
    """``tree`` as JSON can say it; its tensors go into ``tensors`` under names that begin with ``prefix``."""
    if isinstance(tree, Tensor):
        tensors[prefix] = tree.detach()
        return {"tensor": prefix}
    if isinstance(tree, dict):
        # pairs, because JSON would turn the optimizer's numbered keys into strings
        return {"pairs": [[key, pack(value, f"{prefix}.{key}", tensors)] for key, value in tree.items()]}
    if isinstance(tree, list | tuple):
        items = [pack(value, f"{prefix}.{number}", tensors) for number, value in enumerate(tree)]
        return {"tuple" if isinstance(tree, tuple) else "list": items}
    assert isinstance(tree, Plain), f"{prefix} is a {type(tree).__name__}, which no checkpoint can hold"
    return tree


def unpack(packed: Any, tensors: dict[str, Tensor]) -> Any:
    """What `pack` was given."""
    if not isinstance(packed, dict):
        return packed
    ((kind, value),) = packed.items()
    if kind == "tensor":
        return tensors[value]
    if kind == "pairs":
        return {key: unpack(item, tensors) for key, item in value}
    items = [unpack(item, tensors) for item in value]
    return tuple(items) if kind == "tuple" else items
