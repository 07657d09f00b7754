"""What trainers call optimizers and schedules, and our names of them."""

from __future__ import annotations

import re
from typing import Any

from flows.peers.draft import Draft
from training.optimizer import Optimizer
from training.schedule import Schedule

OPTIMIZERS = {
    "adamw": "adamw",
    "adam": "adamw",
    "adamw8bit": "adamw8bit",
    "adam8bit": "adamw8bit",
    "pagedadamw8bit": "adamw8bit",
    "pagedadamw": "adamw",
    "lion": "lion",
    "lion8bit": "lion8bit",
    "pagedlion8bit": "lion8bit",
    "sgdnesterov": "sgd_nesterov",
    "sgd": "sgd_nesterov",
    "sgdnesterov8bit": "sgd_nesterov8bit",
    "dadaptation": "dadaptation",
    "dadaptadam": "dadaptation",
    "dadaptadampreprint": "dadaptation",
    "prodigy": "prodigy",
    "adafactor": "adafactor",
    "adamwschedulefree": "schedule_free",
}
"""by the name without case and module"""
INEXACT = {"adam", "pagedadamw8bit", "pagedadamw", "pagedlion8bit", "sgd"}
ARGUMENTS = {
    "weight_decay": "weight_decay",
    "eps": "epsilon",
    "d_coef": "coefficient",
    "d0": "first",
    "growth_rate": "growth",
    "use_bias_correction": "bias_correction",
    "safeguard_warmup": "safeguard_warmup",
    "momentum": "momentum",
    "clip_threshold": "clip",
}
SCHEDULES = {
    "constant": "constant",
    "constant_with_warmup": "constant",
    "linear": "linear",
    "cosine": "cosine",
    "cosine_with_restarts": "cosine_with_restarts",
    "polynomial": "polynomial",
    "one_cycle": "cosine",
}


def put_optimizer(draft: Draft, key: str, arguments: dict[str, Any], rate: float | None, where: str) -> str:
    """The optimizer that ``key`` names, with its arguments; its kind here. ``where``: the arguments' key."""
    said = str(draft.take(key) or "AdamW")
    short = said.rpartition(".")[2].lower()
    kind = OPTIMIZERS.get(short)
    if kind is None:
        draft.leave(key, "there is no such optimizer here; adamw stands in its place")
        kind = "adamw"
    elif short in INEXACT:
        draft.notes.append(f"{key}: {said} became {kind}")
    draft.put("train.optimizer.kind", kind)
    draft.put("train.optimizer.learning_rate", rate)
    fields = Optimizer.of_kind(kind).model_fields
    for name, value in arguments.items():
        if name == "betas":
            betas = re.split(r"[,\s]+", str(value).strip("()[] ")) if not isinstance(value, list) else value
            for ours, beta in zip(("beta1", "beta2"), betas, strict=False):
                put_or_leave(draft, ours, float(beta), fields, f"{where}.betas")
        elif name not in ("lr", "decouple"):  # weight decay is always decoupled here
            put_or_leave(draft, ARGUMENTS.get(name, name), value, fields, f"{where}.{name}")
    return kind


def put_or_leave(draft: Draft, ours: str, value: Any, fields: Any, theirs: str) -> None:
    """An argument of the optimizer, if ours has it."""
    if ours in fields:
        draft.put(f"train.optimizer.{ours}", number(value))
    else:
        draft.left[theirs] = value, "this optimizer has no such key here"


def number(value: Any) -> Any:
    """Text as the number or truth that it means."""
    if isinstance(value, str):
        if value.lower() in ("true", "false"):
            return value.lower() == "true"
        try:
            return float(value)
        except ValueError:
            return value
    return value


def put_schedule(draft: Draft, key: str, warmup: float | None, cycles: str = "", power: str = "") -> None:
    """The schedule that ``key`` names; ``cycles`` and ``power`` are the keys of its own numbers."""
    said = str(draft.take(key) or "constant").removeprefix("SchedulerType.")
    kind = SCHEDULES.get(said.lower())
    if kind is None:
        draft.leave(key, f"there is no such schedule here; known: {', '.join(Schedule.kinds())}; constant stands there")
        kind = "constant"
    if said == "one_cycle":
        draft.notes.append(f"{key}: one_cycle became cosine after its warm-up")
    draft.put("train.schedule.kind", kind)
    draft.put("train.schedule.warmup", round(warmup) if warmup else None)
    if kind == "cosine_with_restarts" and cycles:
        draft.put("train.schedule.cycles", draft.whole(cycles) or 1)
    if kind == "polynomial" and power:
        draft.put("train.schedule.power", draft.number(power) or 1.0)


def arguments_of(value: Any) -> dict[str, Any]:
    """``["a=1", "b=2"]``, ``"a=1 b=2"`` or a mapping."""
    if isinstance(value, dict):
        return dict(value)
    pieces = value if isinstance(value, list) else re.findall(r"\S+=(?:\([^)]*\)|\S+)", str(value or ""))
    pairs = (str(piece).strip(" \"'").partition("=") for piece in pieces)
    return {name.strip(): text.strip(" \"'") for name, _, text in pairs if text}
