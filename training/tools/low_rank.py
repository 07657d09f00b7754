"""Weights of low rank: what a layer's parts add up to, and the best fewer ranks for it (Eckart and Young 1936)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from backbones.lycoris import retuned
from core.errors import RecipeError
from training.files import Parts

BASE_NEEDED = ("dora_scale", "on_input", "oft_blocks")
"""parts of kinds that change a weight by what it is: without the base nobody knows by how much"""


@dataclass(frozen=True)
class Low:
    """A change of a layer's weight as a product: ``up`` (out, r) times ``down`` (r, in * k * k)."""

    up: Tensor
    down: Tensor
    inner: tuple[int, ...]
    """(in,) of a linear layer, (in, k, k) of a convolution"""

    @property
    def rank(self) -> int:
        return self.down.shape[0]

    @property
    def norm(self) -> float:
        """Frobenius norm of the change, without making it."""
        return float(((self.up.t() @ self.up) * (self.down @ self.down.t())).sum().clamp(min=0).sqrt())

    def whole(self) -> Tensor:
        """The change itself."""
        return (self.up @ self.down).reshape(self.up.shape[0], *self.inner)


@dataclass(frozen=True)
class Fewer:
    """How many ranks are kept: as few as one of these allows, and never more than ``rank``."""

    rank: int | None = None
    ratio: float | None = None
    """keep what is at least the largest singular value over this"""
    energy: float | None = None
    """keep so many that they hold this share of the squared norm"""

    def count(self, values: Tensor) -> int:
        """Of singular values, the largest first; at least one."""
        kept = len(values)
        if self.ratio is not None:
            kept = min(kept, int((values >= values[0] / self.ratio).sum()))
        if self.energy is not None:
            share = values.double().square().cumsum(0) / values.double().square().sum().clamp(min=1e-300)
            kept = min(kept, int((share < self.energy - 1e-12).sum()) + 1)
        return max(1, kept if self.rank is None else min(kept, self.rank))


def low_of(parts: Parts) -> Low | None:
    """What the parts of a plain low-rank layer add, alpha included; none for other kinds."""
    if "lora_up.weight" not in parts or "lora_down.weight" not in parts:
        return None
    down, up = parts["lora_down.weight"].float(), parts["lora_up.weight"].float()
    scale = float(parts["alpha"]) / down.shape[0] if "alpha" in parts else 1.0
    if "lora_mid.weight" in parts:  # Tucker's form is a convolution of rank r like any other, once it is multiplied out
        middle = torch.einsum("i j k l, j r -> i r k l", parts["lora_mid.weight"].float(), down.flatten(1))
        return Low(up.flatten(1) * scale, middle.flatten(1), tuple(middle.shape[1:]))
    return Low(up.flatten(1) * scale, down.flatten(1), tuple(down.shape[1:]))


def change_of(parts: Parts, name: str) -> Tensor:
    """The whole change of a layer's weight (out, in, ...), of any kind that does not depend on the weight itself."""
    needing = [part for part in BASE_NEEDED if part in parts]
    if needing:
        raise RecipeError(
            f"{name}: what {needing[0]} does depends on the base's weight; merge the file into its base "
            "(`velatura lora merge FILE --into BASE`) and extract a LoRA from the result"
        )
    low = low_of(parts)
    if low is not None:
        return low.whole()
    if "w_norm" in parts:
        raise RecipeError(f"{name}: a trained norm (w_norm) has no low rank; merge the file into its base instead")
    shape = _shape(parts, name)
    side = kernel_of(name) if len(shape) == 2 else 0
    if side:  # LoHa keeps a convolution's weight flat
        shape = (shape[0], shape[1] // side**2, side, side)
    return retuned(torch.zeros(shape), parts)


def kernel_of(name: str) -> int:
    """Side of the kernel of the convolution that a layer is by its name in a U-Net; 0 of a linear layer."""
    last = name.rpartition(".")[2]
    if not name.startswith("unet.") or last not in CONVOLUTIONS:
        return 0
    return CONVOLUTIONS[last]


CONVOLUTIONS = {**dict.fromkeys(("conv", "conv1", "conv2", "conv_in", "conv_out"), 3), "conv_shortcut": 1}
"""all that SD 1.x, 2.x and XL have in common; 1.x has 1x1 convolutions as proj_in and proj_out too"""


def _shape(parts: Parts, name: str) -> tuple[int, ...]:
    """Of the weight that the parts are for."""
    if "diff" in parts:
        return tuple(parts["diff"].shape)
    if "hada_w1_a" in parts:
        if "hada_t1" in parts:
            core = parts["hada_t1"].shape
            return (parts["hada_w1_a"].shape[1], parts["hada_w1_b"].shape[1], *core[2:])
        return (parts["hada_w1_a"].shape[0], parts["hada_w1_b"].shape[1])
    sides = []
    for half in ("1", "2"):
        if f"lokr_w{half}" in parts:
            sides.append(tuple(parts[f"lokr_w{half}"].shape))
        elif f"lokr_t{half}" in parts:
            core = parts[f"lokr_t{half}"].shape
            outer, inner = parts[f"lokr_w{half}_a"].shape[1], parts[f"lokr_w{half}_b"].shape[1]
            sides.append((outer, inner, *core[2:]))
        elif f"lokr_w{half}_a" in parts:
            sides.append((parts[f"lokr_w{half}_a"].shape[0], parts[f"lokr_w{half}_b"].shape[1]))
    if len(sides) != 2:
        raise RecipeError(f"{name} has {', '.join(sorted(parts))}: no kind of adapter is made of that")
    one, other = sides
    return (one[0] * other[0], one[1] * other[1], *other[2:])


def fewer_ranks(low: Low, fewer: Fewer) -> tuple[Low, float]:
    """The nearest product of fewer ranks, and the share of the squared norm that it keeps."""
    tall, upper = torch.linalg.qr(low.up)
    wide, lower = torch.linalg.qr(low.down.t())
    left, values, right = torch.linalg.svd(upper @ lower.t(), full_matrices=False)
    return _cut(tall @ left, values, right @ wide.t(), low.inner, fewer)


def factored(change: Tensor, fewer: Fewer) -> tuple[Low, float]:
    """The nearest product for a whole change, and the share of the squared norm that it keeps."""
    flat = change.float().flatten(1)
    inner = tuple(change.shape[1:])
    most = fewer.rank if fewer.ratio is None and fewer.energy is None else None
    if most is not None and 8 * (most + 8) < min(flat.shape):
        # only the first few are asked for: a randomised search (Halko et al. 2011) finds them in a fraction of the time
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            left, values, right = torch.svd_lowrank(flat, q=2 * most + 8, niter=4)
        found, _ = _cut(left, values, right.t(), inner, fewer)
        total = float(flat.double().square().sum())
        return found, float(values[: found.rank].double().square().sum()) / total if total else 1.0
    left, values, right = torch.linalg.svd(flat, full_matrices=False)
    return _cut(left, values, right, inner, fewer)


def _cut(left: Tensor, values: Tensor, right: Tensor, inner: tuple[int, ...], fewer: Fewer) -> tuple[Low, float]:
    kept = fewer.count(values)
    root = values[:kept].clamp(min=0).sqrt()
    total = float(values.double().square().sum())
    share = float(values[:kept].double().square().sum()) / total if total else 1.0
    return Low(left[:, :kept] * root, root[:, None] * right[:kept], inner), share


def parts_of(low: Low) -> Parts:
    """As a file has it; alpha is the rank, so that the product counts as it is."""
    rank, outer = low.rank, low.up.shape[0]
    ones = [1] * (len(low.inner) - 1)
    return {
        "lora_down.weight": low.down.reshape(rank, *low.inner).contiguous(),
        "lora_up.weight": low.up.reshape(outer, rank, *ones).contiguous(),
        "alpha": torch.tensor(float(rank)),
    }
