"""Naifu's YAML (config/*.yaml)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core.errors import RecipeError
from flows.peers.draft import Draft, flattened, name_for, side_of
from flows.peers.kohya_adapter import ALGORITHMS, LOW, RANKED
from flows.peers.nested import read_yaml
from flows.peers.words import put_optimizer, put_schedule

NEEDLESS = (
    r"target|trainer\.(wandb_id|use_xformers|save_.*|checkpoint_.*|name)|lightning\.(accelerator|devices|strategy)"
    r"|sampling\.(use_wandb|every_.*|save_dir|height|width|enabled)|advanced\.(vae_encode_batch_size|offset_noise_val|min_snr_val)"
    r"|lycoris\.(multiplier|preset)|scheduler\.params\.last_epoch|advanced\.timestep_(start|end)|_target_|dataset\.target"
)
REASONS = {
    r"trainer\.clip_skip": "the text encoder is read where the base itself reads it",
    r"trainer\.max_epochs": "set train.steps: epochs follow from it",
    r"advanced\.(train_)?text_encoder.*": "the text encoder is trained as part of lora or locon only",
    r"dataset\..*": "`velatura kinds source` tells how pictures are read",
    r"scheduler\..*": "schedules of other libraries are not loaded",
}
PRECISIONS = {"16": "fp16", "bf16": "bf16", "32": "fp32", "64": "fp32"}
TASKS = {"dpo": "on preference pairs", "lcm": "by consistency distillation", "cascade": "Stable Cascade"}
TASKS |= {"pixart": "PixArt", "llm": "a language model", "gpt": "a language model", "phi": "a language model"}
TASKS |= {"llava": "a language model"}
"""by a part of the target's name"""


def translated(config: Path) -> Draft:
    """A recipe of what the configuration says."""
    value = read_yaml(config, "naifu")
    target = str(value.get("target", ""))
    other = next((words for name, words in TASKS.items() if name in target), "")
    if other or not isinstance(value.get("trainer"), dict) or "model_path" not in value["trainer"]:
        raise RecipeError(
            f"{config} trains {other or 'nothing that is known'} ({target}), for which there is no way here"
        )
    draft = Draft(flattened(value))
    name = draft.take("name")
    draft.put("name", name_for(name if name and name != "test-run" else config.stem))
    pictures = draft.take("dataset.img_path", "dataset.path")
    draft.put("pictures", {"kind": "folder", "path": str(pictures or "PICTURES")})
    if not pictures:
        draft.notes.append("pictures.path has to be filled in: the configuration names no pictures")
    draft.put("base", draft.take("trainer.model_path") or "pocket")
    draft.put("captioner", "sidecar")
    draft.notes.append("captions are the texts beside the pictures")
    put_adapter(draft, value)
    params = {key.rpartition(".")[2]: item for key, item in draft.values.items() if key.startswith("optimizer.params.")}
    draft.take(*(f"optimizer.params.{key}" for key in params))
    rate = float(params.pop("lr")) if "lr" in params else None
    put_optimizer(draft, "optimizer.name", params, rate, "optimizer.params")
    put_course(draft)
    put_loss(draft)
    put_words(draft, rate)
    if draft.is_on("sampling.enabled"):
        draft.put("samples.prompts", draft.take("sampling.prompts"))
        draft.put("samples.seed", draft.whole("sampling.seed"))
    draft.take("sampling.prompts", "sampling.seed")
    draft.finish(REASONS, NEEDLESS)
    return draft


def put_adapter(draft: Draft, value: dict[str, Any]) -> None:
    """LyCORIS where there is a section for it, else the whole U-Net."""
    section = next((key for key in ("lycoris", "lora") if isinstance(value.get(key), dict)), "")
    if not section:
        draft.put("train.adapter", "full")
        return
    algorithm = str(draft.take(f"{section}.algo") or "lora").lower()
    if algorithm not in ALGORITHMS:
        raise RecipeError(
            f"{section}.algo: {algorithm!r} is not made here; known: {', '.join(filter(None, ALGORITHMS))}"
        )
    kind, wide = ALGORITHMS[algorithm], draft.whole(f"{section}.conv_dim")
    kind = "locon" if kind == "lora" and wide else kind
    draft.put("train.adapter.kind", kind)
    rank, alpha = (
        draft.whole(f"{section}.linear_dim", f"{section}.rank"),
        draft.number(f"{section}.linear_alpha", f"{section}.alpha"),
    )
    if kind in RANKED:
        draft.put("train.adapter.rank", rank)
        draft.put("train.adapter.alpha", alpha)
    if kind == "locon":
        draft.put("train.adapter.convolution_rank", wide)
        draft.put("train.adapter.convolution_alpha", draft.number(f"{section}.conv_alpha"))
    elif wide and kind in ("loha", "lokr", "oft"):
        draft.put("train.adapter.convolutions", True)
    if kind == "lokr":
        draft.put("train.adapter.factor", draft.whole(f"{section}.factor"))


def put_course(draft: Draft) -> None:
    """Batch, steps, sizes, precision and schedule."""
    pieces = draft.whole("trainer.accumulate_grad_batches") or 1
    draft.put("train.batch_size", (draft.whole("trainer.batch_size") or 1) * pieces)
    draft.put("train.accumulate", pieces if pieces > 1 else None)
    steps = draft.whole("trainer.max_steps")
    draft.put("train.steps", steps if steps and steps > 0 else None)
    if steps and steps > 0:
        draft.take("trainer.max_epochs")
    area = draft.number("dataset.target_area")
    side, words = side_of(draft.take("trainer.resolution", "dataset.resolution") or (area and round(area**0.5)))
    draft.put("train.resolution", side)
    draft.notes += [words] if words else []
    draft.put("train.seed", draft.whole("trainer.seed"))
    draft.put("train.caption_dropout", draft.number("dataset.ucg", "dataset.caption_dropout") or 0.0)
    clip = draft.number("trainer.gradient_clip_val")
    draft.recipe["train"]["clip_norm"] = clip or None
    draft.put("train.compile", draft.is_on("trainer.use_compile") or None)
    if draft.is_on("trainer.use_ema"):
        draft.put("train.ema", 0.9999)
        draft.notes.append("train.ema: 0.9999, which the configuration does not say")
    said = str(draft.take("lightning.precision") or "32")
    draft.put("train.precision", PRECISIONS.get(said.partition("-")[0], "fp32"))
    name = str(draft.values.get("scheduler.name") or "constant").rpartition(".")[2]
    name = name.removeprefix("get_").removesuffix("_schedule_with_warmup").removesuffix("_schedule")
    draft.values = {**draft.values, "scheduler.name": name}
    put_schedule(draft, "scheduler.name", draft.number("scheduler.params.num_warmup_steps"))


def put_loss(draft: Draft) -> None:
    """Objective and its fields; values count only where their switch is on, as in naifu."""
    velocity = draft.is_on("advanced.v_parameterization")
    draft.put("train.objective.kind", "v_prediction" if velocity else "epsilon")
    if velocity:
        draft.put("train.objective.zero_terminal_snr", draft.is_on("advanced.zero_terminal_snr") or None)
    if draft.is_on("advanced.offset_noise"):
        draft.put("train.objective.noise_offset", draft.number("advanced.offset_noise_val"))
    if draft.is_on("advanced.min_snr"):
        draft.put("train.objective.min_snr_gamma", draft.number("advanced.min_snr_val"))
    if (draft.number("advanced.timestep_start") or 0) > 0 or (draft.number("advanced.timestep_end") or 1000) < 1000:
        draft.left["advanced.timestep_start"] = draft.values.get("advanced.timestep_start"), "all timesteps are trained"


def put_words(draft: Draft, rate: float | None) -> None:
    """The text encoder, and how much of a caption is read."""
    on = draft.is_on("advanced.train_text_encoder", "advanced.train_text_encoder_1")
    own = draft.number("advanced.text_encoder_lr", "advanced.text_encoder_1_lr")
    draft.take("advanced.text_encoder_2_lr")
    kind, steps = draft.recipe["train"]["adapter"], draft.recipe["train"].get("steps", 400)
    trained = on and isinstance(kind, dict) and kind["kind"] in LOW
    if trained:
        draft.put("train.text_encoder", {"learning_rate": own or rate or 1e-4, "steps": steps})
    elif on:
        draft.left["advanced.train_text_encoder"] = True, "it is trained as part of lora or locon only"
    tokens = draft.whole("dataset.max_token_length")
    if tokens in (150, 225) and not trained:
        draft.put("train.captions.tokens", tokens)
