"""HCP-Diffusion's YAML (cfgs/train/...), with the files that it builds on."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from flows.peers.draft import EMPTY, Draft, flattened, name_for
from flows.peers.nested import resolved, with_bases
from flows.peers.words import put_optimizer, put_schedule

NEEDLESS = (
    r"(logger|previewer|vis_info|exp_dir|ckpt_type|allow_tf32).*|.*_partial_|.*_target_|train\.(workers|save_step)|.*(cache"
    r"_latents|image_transforms.*|revision|enable_xformers|bg_color|att_mask_encode|num_bucket|set_grads_to_none)"
    r"|train\.(optimizer|scheduler)_pt.*|train\.cfg_scale|train\.scale_lr_pt|train\.loss\.criterion\.reduction|tokenizer_pt\.(emb_dir|replace)"
    r"|model\.(clip_final_norm|force_cast_precision)|.*bucket\.img_root|train\.scheduler\.(scheduler_kwargs|num_.*)"
)
SECTIONS = ["model", "train", "data", "lora_unet", "unet", "lora_text_encoder", "text_encoder", "tokenizer_pt", "seed"]
SECTIONS += ["mixed_precision", "plugin_unet", "plugin_TE"]
"""all that says something by itself"""
REASONS = {
    r"model\.clip_skip": "the text encoder is read where the base itself reads it",
    r"model\.(tokenizer|noise_scheduler|unet|text_encoder|vae).*": "a base is taken as a whole",
    r"train\.resume.*": "a run goes on by itself; train.start_from takes a finished file",
    r".*prompt_template": "`captioner.template` says how captions are made",
    r".*att_mask": "train.masks takes masks from a folder or from transparency",
    r".*(word_names|tag_transforms).*": "`captioner.template` and `captioner.trigger` say it",
    r"plugin.*": "plugins of the network are not made here",
    r"(lora_)?text_encoder.*": "the text encoder is trained as part of lora or locon only",
}


def translated(config: Path) -> Draft:
    """A recipe of what the configuration says."""
    notes: list[str] = []
    value = with_bases(config, "HCP-Diffusion", notes)
    value = resolved(value, value)
    draft = Draft(flattened(value), notes=notes)
    draft.take(*(key for key in draft.values if key.partition(".")[0] not in SECTIONS))  # only others point at them
    draft.put("name", name_for(value.get("character_name") or config.stem))
    put_pictures(draft, value)
    base = draft.take("model.pretrained_model_name_or_path")
    draft.put("base", base or "pocket")
    if base is None:
        draft.notes.append("base has to be filled in: the configuration names none")
    rate, words_rate = put_adapter(draft, value)
    put_training(draft, rate)
    if words_rate is not None:
        steps = draft.recipe["train"].get("steps", 1000)
        draft.put("train.text_encoder", {"learning_rate": words_rate, "steps": steps})
    tokens = 75 * min(3, draft.whole("model.tokenizer_repeats") or 1)
    if tokens > 75 and "text_encoder" not in draft.recipe["train"]:
        draft.put("train.captions.tokens", tokens)
    elif tokens > 75:
        draft.left["model.tokenizer_repeats"] = tokens // 75, "captions have 75 tokens while the text encoder trains"
    draft.finish(REASONS, NEEDLESS)
    return draft


def put_adapter(draft: Draft, value: dict[str, Any]) -> tuple[float | None, float | None]:
    """What is trained: LoRA, whole U-Net, or words; the U-Net's and the text encoder's learning rates."""
    groups = {key: [one for one in value.get(key) or [] if one] for key in ("lora_unet", "unet", "lora_text_encoder")}
    draft.take(*groups)
    learned = (value.get("tokenizer_pt") or {}).get("train") or []
    draft.take("tokenizer_pt.train", "text_encoder")
    words = [one for one in value.get("text_encoder") or [] if one]
    if words:
        draft.left["text_encoder"] = words, "with full training the text encoder stays frozen"
    if groups["lora_unet"]:
        first = groups["lora_unet"][0]
        others = [one for one in groups["lora_unet"][1:] if one.get("rank")]
        wide = [one for one in groups["lora_unet"] if any("resnets" in str(name) for name in one.get("layers") or [])]
        said = float(first.get("rank") or 4)
        rank = int(said) if said >= 1 else 8
        if said < 1:
            draft.left["lora_unet.rank"] = said, "it is a share of each layer's width; 8 stands in its place"
        if any("branch" in one for one in groups["lora_unet"]):
            draft.left["lora_unet.branch"] = "p, n", "there is no second LoRA for the negative prompt"
        draft.put("train.adapter", {"kind": "locon" if wide else "lora", "rank": rank})
        draft.put("train.adapter.alpha", 1.0 if first.get("alpha") is None else first["alpha"])  # both as in HCP,
        draft.put("train.adapter.dropout", 0.1 if first.get("dropout") is None else first["dropout"])  # where unsaid
        if wide:
            draft.put("train.adapter.convolution_rank", max(1, int(wide[0].get("rank") or rank)))
        elif others:
            draft.left["lora_unet"] = others, "one rank for all layers; `train.adapter.ranks` says others by part"
        draft.notes.append(
            "train.adapter: all layers of the transformer blocks; `layers` of the U-Net were not compared"
        )
        told = groups["lora_text_encoder"]
        if told and learned:
            draft.left["tokenizer_pt.train"] = learned, "a word and a LoRA are trained in two runs, the word first"
        return number(first.get("lr")), number(told[0].get("lr")) if told else None
    if groups["unet"]:
        draft.put("train.adapter", "full")
        return number(groups["unet"][0].get("lr")), None
    if learned:
        draft.put("train.adapter", {"kind": "textual_inversion", "word": str(learned[0]["name"])})
        if len(learned) > 1:
            draft.left["tokenizer_pt.train"] = learned[1:], "one word is learned in a run"
        return number(learned[0].get("lr")), None
    draft.notes.append("the configuration names nothing to train; a LoRA stands in its place")
    draft.put("train.adapter", "lora")
    return None, None


def number(value: Any) -> float | None:
    """A learning rate."""
    return None if value in EMPTY else float(value)


def put_training(draft: Draft, rate: float | None) -> None:
    """Steps, loss, optimizer, schedule and ways."""
    train = "train."
    steps, planned = draft.whole(f"{train}train_steps"), draft.whole(f"{train}scheduler.num_training_steps")
    if draft.take(f"{train}train_epochs"):
        draft.leave(f"{train}train_epochs", "set train.steps: epochs follow from it")
    draft.put("train.steps", steps or planned)
    pieces = draft.whole(f"{train}gradient_accumulation_steps") or 1
    batch = draft.recipe["train"].pop("batch", 4) * pieces
    draft.put("train.batch_size", batch)
    if draft.is_on(f"{train}scale_lr") and rate is not None:
        rate *= batch
        draft.notes.append(f"train.optimizer.learning_rate: times {batch}, the examples of a step, as scale_lr has it")
    draft.put("train.accumulate", pieces if pieces > 1 else None)
    draft.put("train.clip_norm", draft.number(f"{train}max_grad_norm"))
    draft.put("train.seed", draft.whole("seed"))
    draft.put("train.caption_dropout", 0.0)
    draft.put(
        "train.precision",
        {"no": "fp32"}.get(str(draft.take("mixed_precision") or "no"), draft.values.get("mixed_precision")),
    )
    draft.put("train.gradient_checkpointing", draft.is_on("model.gradient_checkpointing") or None)
    ema = draft.number("model.ema.decay_max") or draft.number("model.ema_unet")
    draft.put("train.ema", ema if ema and 0 < ema < 1 else None)
    draft.take("model.ema_text_encoder")
    if draft.take(f"{train}loss.type") == "sample":
        draft.leave(f"{train}loss.type", "the base is asked for what it predicts, and not for the picture")
    loss = str(draft.take(f"{train}loss.criterion._target_") or "")
    gamma = draft.number(f"{train}loss.criterion.gamma")
    if loss.endswith("MinSNRLoss"):
        draft.put("train.objective", {"kind": "epsilon", "min_snr_gamma": gamma or 1.0})
    elif loss and not loss.endswith("MSELoss"):
        draft.leave(f"{train}loss.criterion._target_", "the squared error is taken")
    where = f"{train}optimizer"
    own = {key.rpartition(".")[2]: item for key, item in draft.values.items() if key.startswith(f"{where}.")}
    own = {key: item for key, item in own.items() if not key.startswith("_") and item not in EMPTY}
    draft.take(*(f"{where}.{key}" for key in own))
    put_optimizer(draft, f"{where}._target_", own, rate, where)
    put_schedule(draft, f"{train}scheduler.name", draft.number(f"{train}scheduler.num_warmup_steps"))


def put_pictures(draft: Draft, value: dict[str, Any]) -> None:
    """The first data set; one of class pictures is told."""
    data = value.get("data") or {}
    sets = {
        name: one for name, one in data.items() if isinstance(one, dict) and ("source" in one or "batch_size" in one)
    }
    name, first = next(iter(sets.items()), ("", data))
    source = next(iter((first.get("source") or {}).values()), first)
    place = f"data.{name}." if name else "data."
    draft.take(*(key for key in draft.values if key.startswith(place)))
    for other in list(sets)[1:]:
        draft.left[f"data.{other}"] = (
            sets[other].get("source"),
            ("pictures of the class: train.class_pictures draws them with the base, or tag a folder `regularisation`"),
        )
        draft.take(*(key for key in draft.values if key.startswith(f"data.{other}.")))
    bucket = first.get("bucket") or {}
    pictures = source.get("img_root") or bucket.get("img_root")
    draft.put("pictures", {"kind": "folder", "path": str(pictures or "PICTURES")})
    if not pictures:
        draft.notes.append("pictures.path has to be filled in: the configuration names no pictures")
    names = words_of(source)
    if source.get("caption_file"):
        draft.put("captioner", "sidecar")
        draft.notes.append("captions are the texts beside the pictures")
    else:
        draft.put("captioner", {"kind": "clip_tags", "trigger": str(names.get("pt1") or "")})
        draft.put("captioner.class_word", names.get("class"))
        if source.get("prompt_template"):
            why = "`captioner.template` says how captions are made"
            draft.left[f"{place}source.prompt_template"] = source["prompt_template"], why
    said = str(source.get("tag_transforms") or first.get("tag_transforms") or "")
    draft.put("train.captions.shuffle", "TagShuffle" in said or None)
    draft.put("train.captions.tag_dropout", dropped(source.get("tag_transforms") or first.get("tag_transforms")))
    draft.put("train.batch", first.get("batch_size"))
    target, size = bucket.get("target_area"), bucket.get("target_size")
    if str(bucket.get("_target_", "")).endswith("FixedBucket"):
        draft.put("train.resolution", max(size) if isinstance(size, list) else size)
        draft.recipe.setdefault("train", {})["buckets"] = None
    elif isinstance(target, int):
        draft.put("train.resolution", round(math.sqrt(target)))
    elif target not in EMPTY:
        draft.left[f"{place}bucket.target_area"] = target, "it could not be worked out; set train.resolution"


def words_of(source: dict[str, Any]) -> dict[str, Any]:
    """The words that templates are filled with."""
    said = source.get("word_names")
    found: dict[str, Any] = dict(said) if isinstance(said, dict) else {}
    for one in (source.get("tag_transforms") or {}).get("transforms") or []:
        names = one.get("word_names") if isinstance(one, dict) else None
        found |= names if isinstance(names, dict) else {}
    return found


def dropped(transforms: Any) -> float | None:
    """The chance of a tag to be left out."""
    for one in (transforms or {}).get("transforms") or []:
        if isinstance(one, dict) and str(one.get("_target_", "")).endswith("TagDropout"):
            return float(one.get("p") or 0.1)
    return None
