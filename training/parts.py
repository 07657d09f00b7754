"""peft's layers as LyCORIS's layout sees them, and what peft has no words for: dropout of ranks, limits on the norm."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from training.files import Parts

NAME = "learned"
HADAMARD = ("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b")
KRONECKER = ("lokr_w1", "lokr_w1_a", "lokr_w1_b", "lokr_w2", "lokr_w2_a", "lokr_w2_b")


def parts_of(layer: Any) -> Parts:
    """What one layer has learned."""
    if hasattr(layer, "lora_A"):
        return _low_rank(layer)
    if hasattr(layer, "ia3_l"):
        learned = layer.ia3_l[NAME].detach().cpu()
        convolution = learned.dim() == 4
        return {
            "weight": (learned - 1).reshape(1, -1, 1, 1) if convolution else (learned - 1).flatten(),
            "on_input": torch.tensor(int(layer.is_feedforward)),
        }
    names = HADAMARD if hasattr(layer, "hada_w1_a") else KRONECKER
    parts = {name: getattr(layer, name)[NAME].detach().cpu() for name in names if NAME in getattr(layer, name)}
    alpha = float(layer.alpha[NAME])
    if "lokr_w1" in parts and "lokr_w2" in parts:  # readers take no alpha there, peft does
        parts["lokr_w1"], alpha = parts["lokr_w1"] * float(layer.scaling[NAME]), float(layer.r[NAME])
    return parts | {"alpha": torch.tensor(alpha)}


def _low_rank(layer: Any) -> Parts:
    down, up = layer.lora_A[NAME].weight.detach().cpu(), layer.lora_B[NAME].weight.detach().cpu()
    parts = {"lora_down.weight": down, "lora_up.weight": up, "alpha": torch.tensor(float(layer.lora_alpha[NAME]))}
    if NAME in layer.lora_magnitude_vector:
        scale = layer.lora_magnitude_vector[NAME].weight.detach().cpu()
        parts["dora_scale"] = scale.reshape(-1, *[1] * (down.dim() - 1))
    return parts


def drop_out(layer: Any, ranks: float, module: float) -> None:
    """Let a LoRA layer lose ranks, or all that was learned, by chance while it trains; as kohya's do."""
    if ranks:
        layer.lora_A[NAME].register_forward_hook(lambda part, _given, low: _fewer(part, low, ranks))
    if module:
        layer.lora_B[NAME].register_forward_hook(lambda part, _given, out: _perhaps(part, out, module))


def _fewer(part: nn.Module, low: Tensor, share: float) -> Tensor:
    if not part.training:
        return low
    channel = 1 if low.dim() == 4 else -1
    shape = [1] * low.dim()
    shape[0], shape[channel] = low.shape[0], low.shape[channel]
    kept = (torch.rand(shape, device=low.device) >= share).to(low.dtype)
    return low * kept / (1 - share)


def _perhaps(part: nn.Module, out: Tensor, chance: float) -> Tensor:
    return out * (torch.rand((), device=out.device) >= chance).to(out.dtype) if part.training else out


def factors(layer: Any) -> list[nn.Parameter]:
    """The weights whose product is what the layer has learned: it is linear in each of them."""
    if hasattr(layer, "lora_A"):
        return [layer.lora_A[NAME].weight, layer.lora_B[NAME].weight]
    names = HADAMARD if hasattr(layer, "hada_w1_a") else KRONECKER
    return [getattr(layer, name)[NAME] for name in names if NAME in getattr(layer, name)]


def norm_of(layer: Any) -> Tensor:
    """Frobenius norm of what the layer adds to the base's weight, without making that of a LoRA."""
    if hasattr(layer, "lora_A"):
        down, up = (factor.flatten(1) for factor in factors(layer))
        return ((up.t() @ up) * (down @ down.t())).sum().clamp(min=0).sqrt() * float(layer.scaling[NAME])
    norm: Tensor = layer.get_delta_weight(NAME).norm()
    return norm


def hold_down(layer: Any, limit: float) -> None:
    """Scale all factors alike until the norm is at most ``limit``; nobody waits for the device."""
    ratio = (limit / norm_of(layer)).clamp(max=1.0)
    weights = factors(layer)
    share = ratio ** (1 / len(weights)) if len(weights) > 1 else ratio
    for weight in weights:
        weight.mul_(share)
