"""What kohya's and LyCORIS's files make of a weight, by the names of their tensors. Formulas as in LyCORIS 3 and 4."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

Parts = Mapping[str, Tensor]
"""the tensors of one layer, by what stands behind the layer's name in the file"""


def retuned(weight: Tensor, parts: Parts) -> Tensor:
    """The layer's new weight; a `KeyError` or `RuntimeError` where the parts are of no known kind or do not fit."""
    base = weight.detach().float()
    parts = {name: part.to(base.device).float() for name, part in parts.items()}
    for mark, formula in FORMULAS.items():
        if mark in parts:
            tuned = formula(base, parts)
            return decomposed(tuned, parts["dora_scale"]) if "dora_scale" in parts else tuned
    raise KeyError(f"no formula is known for {', '.join(sorted(parts))}")


def decomposed(tuned: Tensor, scale: Tensor) -> Tensor:
    """DoRA (Liu et al. 2024): the direction of the tuned weight, at the learned length of each row (or column)."""
    rows = scale.shape[0] == tuned.shape[0]
    dims = [dim for dim in range(tuned.dim()) if dim != (0 if rows else 1)]
    length = tuned.square().sum(dim=dims, keepdim=True).sqrt()
    shape = [1] * tuned.dim()
    shape[0 if rows else 1] = -1
    return tuned / length.clamp(min=torch.finfo(length.dtype).eps) * scale.reshape(shape)


def strength_of(parts: Parts, rank: int) -> float:
    """Alpha over rank; 1 where the file names no alpha."""
    return float(parts["alpha"]) / rank if "alpha" in parts else 1.0


def low_rank(base: Tensor, parts: Parts) -> Tensor:
    """W + alpha / rank * up down; with a mid tensor, Tucker's form of a convolution."""
    down, up = parts["lora_down.weight"], parts["lora_up.weight"]
    if "lora_mid.weight" in parts:
        added = tucker(parts["lora_mid.weight"], up.flatten(1).t(), down.flatten(1))
    else:
        added = up.flatten(1) @ down.flatten(1)
    return base + strength_of(parts, down.shape[0]) * added.reshape(base.shape)


def tucker(core: Tensor, out: Tensor, inner: Tensor) -> Tensor:
    """(rank, rank, k, k) between (rank, out) and (rank, in): a whole convolution weight."""
    return torch.einsum("i j k l, i p, j r -> p r k l", core, out, inner)


def hadamard(base: Tensor, parts: Parts) -> Tensor:
    """LoHa: the elementwise product of two products of low rank."""
    halves = []
    for half in ("1", "2"):
        a, b = parts[f"hada_w{half}_a"], parts[f"hada_w{half}_b"]
        core = parts.get(f"hada_t{half}")
        halves.append(a @ b if core is None else tucker(core, a, b))
    return base + strength_of(parts, parts["hada_w1_b"].shape[0]) * (halves[0] * halves[1]).reshape(base.shape)


def kronecker(base: Tensor, parts: Parts) -> Tensor:
    """LoKr: a Kronecker product, each factor whole or itself a product. Alpha counts only where one is a product."""
    rank = next((parts[name].shape[0] for name in ("lokr_w1_b", "lokr_w2_b") if name in parts), 0)
    first = parts["lokr_w1"] if "lokr_w1" in parts else parts["lokr_w1_a"] @ parts["lokr_w1_b"]
    if "lokr_w2" in parts:
        second = parts["lokr_w2"]
    elif "lokr_t2" in parts:
        second = tucker(parts["lokr_t2"], parts["lokr_w2_a"], parts["lokr_w2_b"])
    else:
        second = parts["lokr_w2_a"] @ parts["lokr_w2_b"]
    added = torch.kron(first.reshape(*first.shape, *[1] * (second.dim() - 2)), second.contiguous())
    return base + (strength_of(parts, rank) if rank else 1.0) * added.reshape(base.shape)


def scaled(base: Tensor, parts: Parts) -> Tensor:
    """(IA)^3: rows of the weight times 1 + w; columns where the file says that the layer's input is scaled."""
    shape = [1] * base.dim()
    shape[1 if bool(parts["on_input"]) else 0] = -1
    return base * (1 + parts["weight"].reshape(shape))


def rotation(blocks: Tensor, constraint: float = 0.0) -> Tensor:
    """Cayley's map: an orthogonal matrix from each block's skew part, whose norm together is held to the constraint."""
    skew = blocks - blocks.transpose(1, 2)
    if constraint > 0:
        skew = skew * (constraint / (skew.norm() + 1e-8)).clamp(max=1.0)
    one = torch.eye(blocks.shape[-1], device=blocks.device, dtype=blocks.dtype)
    turned: Tensor = (one + skew) @ torch.linalg.inv(one - skew)
    return turned


def rotated(base: Tensor, parts: Parts) -> Tensor:
    """OFT (Qiu et al. 2023), as LyCORIS's diag-oft and kohya's write it: the rows are turned, block by block."""
    blocks = parts["oft_blocks"]
    turns = rotation(blocks, float(parts.get("alpha", torch.zeros(()))) * base.shape[0])
    rows = base.reshape(blocks.shape[0], blocks.shape[1], -1)
    tuned = torch.einsum("k n m, k n i -> k m i", turns, rows).reshape(base.shape)
    return tuned * parts["rescale"] if "rescale" in parts else tuned


def added(base: Tensor, parts: Parts) -> Tensor:
    """The whole difference, as files of full training and of extracted models have it."""
    return base + parts["diff"].reshape(base.shape)


FORMULAS: dict[str, Callable[[Tensor, Parts], Tensor]] = {
    "lora_up.weight": low_rank,
    "hada_w1_a": hadamard,
    "lokr_w1": kronecker,
    "lokr_w1_a": kronecker,
    "on_input": scaled,
    "oft_blocks": rotated,
    "diff": added,
}
"""by the tensor that tells the kind"""
