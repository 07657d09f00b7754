"""Kohya's configurations: sd-scripts' .toml, the GUI's .json, and the .toml of LoRA scripts that are built on it."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.errors import RecipeError
from flows.peers.draft import Draft, name_for, side_of
from flows.peers.kohya_adapter import put_adapter, put_text_encoder
from flows.peers.kohya_keys import GUI, NEEDLESS, REASONS
from flows.peers.kohya_steps import put_steps
from flows.peers.words import arguments_of, put_optimizer, put_schedule

KNOWN = {"pretrained_model_name_or_path", "learning_rate", "unet_lr", "network_dim", "train_data_dir", "datasets"}
"""keys by which such a file is known"""
PRECISION = {"no": "fp32", "fp16": "fp16", "bf16": "bf16", "float": "fp32", "fp32": "fp32"}


def read(config: Path) -> dict[str, Any]:
    """All keys, flat: as in sd-scripts, sections only order them. The GUI's names become those of sd-scripts."""
    try:
        text = config.read_text(encoding="utf-8-sig")
        value = json.loads(text) if config.suffix.lower() == ".json" else tomllib.loads(text)
    except (OSError, ValueError) as error:
        raise RecipeError(f"{config} cannot be read as a configuration of kohya: {error}") from None
    if not isinstance(value, dict):
        raise RecipeError(f"{config} is no configuration of kohya: it holds no keys")
    flat = unsectioned(value)
    if not {*flat, *value} & KNOWN:
        raise RecipeError(f"{config} is no configuration of kohya: it has none of {', '.join(sorted(KNOWN))}")
    if config.suffix.lower() == ".json":
        flat = {GUI.get(key, key): item for key, item in flat.items()}
    if "datasets" in value:
        flat["dataset_config"] = str(config)
    return flat


def unsectioned(value: Mapping[str, Any], depth: int = 0) -> dict[str, Any]:
    """Sections one in the other as LoRA_Easy_Training_Scripts writes them, too: ``[network_args.args]``."""
    flat: dict[str, Any] = {}
    for key, item in value.items():
        if isinstance(item, dict) and (depth == 0 or key in ("args", "dataset_args")):
            flat.update(unsectioned(item, depth + 1))
        elif key not in ("datasets", "general"):
            flat[key] = item
    return flat


def translated(config: Path) -> Draft:
    """A recipe of what the configuration says."""
    draft = Draft(read(config))
    draft.put("name", name_for(draft.take("output_name") or config.stem))
    put_pictures(draft)
    put_base(draft)
    put_adapter(draft)
    rate = draft.number("unet_lr") or draft.number("learning_rate")
    draft.take("learning_rate", "unet_lr")
    arguments = arguments_of(draft.take("optimizer_args"))
    kind = put_optimizer(draft, "optimizer_type", arguments, rate, "optimizer_args")
    steps = put_steps(draft, config)
    if draft.values.get("lr_scheduler") == "adafactor":
        draft.notes.append("lr_scheduler: adafactor became constant, with the learning rate that is given")
        draft.values = {**draft.values, "lr_scheduler": "constant"}
    warmup = draft.number("lr_warmup_steps") or 0.0
    percent = draft.number("lr_warmup") or 0.0
    warmup = warmup * steps if 0 < warmup < 1 else warmup or percent / 100 * steps
    draft.take("lr_restart_cycles", "lr_scheduler_num_cycles")
    cycles = "lr_scheduler_num_cycles" if draft.values.get("lr_scheduler_num_cycles") else "lr_restart_cycles"
    put_schedule(draft, "lr_scheduler", warmup, cycles, "lr_scheduler_power")
    put_text_encoder(draft, rate, steps, kind)
    put_loss(draft)
    put_captions(draft)
    put_sizes(draft)
    put_ways(draft)
    draft.finish(REASONS, NEEDLESS)
    return draft


def put_pictures(draft: Draft) -> None:
    """Kohya's folders and dataset files are read as they are, with their captions and repeats."""
    pictures = draft.take("dataset_config", "train_data_dir", "image_dir")
    subsets = draft.take("subsets") or []
    if pictures is None and subsets:
        pictures = next((one["image_dir"] for one in subsets if one.get("image_dir")), None)
        draft.leave("subsets", "only the first folder was taken; `kind: kohya` reads them all from a dataset file")
    if pictures is None:
        draft.notes.append("pictures.path has to be filled in: the configuration names no pictures")
    draft.put("pictures", {"kind": "kohya", "path": str(pictures or "PICTURES")})
    draft.put("pictures.regularisation", draft.take("reg_data_dir"))
    if draft.number("prior_loss_weight") not in (None, 1.0):
        why = "pictures of regularisation count as the others do; train.class_pictures has a weight"
        draft.leave("prior_loss_weight", why)
    if draft.number("max_timestep") not in (None, 1000.0):
        draft.leave("max_timestep", "all timesteps are trained")
    extension = draft.take("caption_extension")
    if extension and "none" not in str(extension):
        draft.put("pictures.caption_extension", extension)
    draft.put("captioner", "sidecar")
    draft.notes.append("captions are the texts beside the pictures, as in kohya; `captioner: clip_tags` writes others")


def put_base(draft: Draft) -> None:
    """The base, and a word where it is a pickle."""
    base = draft.take("pretrained_model_name_or_path")
    draft.put("base", base or "pocket")
    if base is None:
        draft.notes.append("base has to be filled in: the configuration names none, and `pocket` is only our small one")
    elif str(base).endswith((".ckpt", ".pt")):
        draft.notes.append(f"base: {base} is a pickle, which is never loaded; save it as .safetensors first")


def put_loss(draft: Draft) -> None:
    """Objective and its fields."""
    objective = "v_prediction" if draft.is_on("v_parameterization") else "epsilon"
    draft.put("train.objective.kind", objective)
    if objective == "v_prediction":
        draft.put("train.objective.zero_terminal_snr", draft.is_on("zero_terminal_snr") or None)
    draft.put("train.objective.min_snr_gamma", draft.number("min_snr_gamma") or None)
    if draft.is_on("debiased_estimation_loss"):
        if draft.recipe["train"]["objective"].get("min_snr_gamma"):
            draft.leave("debiased_estimation_loss", "it weighs timesteps as min_snr_gamma does, which was kept")
        else:
            draft.put("train.objective.debiased", True)
    offset_kind, offset = draft.take("noise_offset_type"), draft.number("noise_offset")
    draft.put("train.objective.noise_offset", offset if offset and offset_kind != "Multires" else None)
    draft.put("train.objective.adaptive_offset", draft.number("adaptive_noise_scale") or None)
    levels, discount = draft.whole("multires_noise_iterations"), draft.number("multires_noise_discount")
    if levels and offset_kind != "Original":
        draft.put("train.objective.multires_levels", min(levels, 12))
        draft.put("train.objective.multires_discount", discount)
    draft.put("train.objective.input_perturbation", draft.number("ip_noise_gamma") or None)
    loss, constant = draft.take("loss_type"), draft.number("huber_c")
    schedule = draft.take("huber_schedule")
    if loss in ("huber", "smooth_l1"):
        draft.put("train.objective.huber", constant or 0.1)
        if schedule in ("snr", "constant"):
            draft.put("train.objective.huber_schedule", schedule)
        else:
            draft.leave("huber_schedule", "known here are snr and constant")
    elif loss not in (None, "l2"):
        draft.leave("loss_type", "the squared error is taken; there is `huber` beside it")
    if draft.is_on("masked_loss", "alpha_mask"):
        draft.put("train.masks.alpha", True)


def put_captions(draft: Draft) -> None:
    """How captions vary. Ours leaves a tenth of them out where nothing is said, kohya none."""
    draft.put("train.caption_dropout", draft.number("caption_dropout_rate") or 0.0)
    draft.put("train.captions.shuffle", draft.is_on("shuffle_caption") or None)
    draft.put("train.captions.keep_tokens", draft.whole("keep_tokens") or None)
    draft.put("train.captions.tag_dropout", draft.number("caption_tag_dropout_rate") or None)
    tokens, weighted = draft.whole("max_token_length"), draft.is_on("weighted_captions")
    fresh = "text_encoder" in draft.recipe["train"] or draft.recipe["train"]["adapter"]["kind"] == "textual_inversion"
    if fresh and (weighted or (tokens or 75) > 75):
        for key in ("max_token_length", "weighted_captions"):
            draft.leave(key, "captions are read anew in each step while the text encoder trains, and then only plainly")
        return
    draft.put("train.captions.tokens", tokens if tokens in (150, 225) else None)
    draft.put("train.captions.emphasis", weighted or None)


def put_sizes(draft: Draft) -> None:
    """Resolution and buckets."""
    side, words = side_of(draft.take("resolution"))
    draft.put("train.resolution", side)
    draft.notes += [words] if words else []
    small, large = draft.whole("min_bucket_reso"), draft.whole("max_bucket_reso")
    step, keep = draft.whole("bucket_reso_steps"), draft.is_on("bucket_no_upscale")
    if not draft.is_on("enable_bucket"):
        draft.recipe["train"]["buckets"] = None
        return
    draft.put("train.buckets.min_side", small or None)
    draft.put("train.buckets.max_side", large or None)
    if step is not None and step >= 8:
        draft.put("train.buckets.step", step)
    elif step:
        draft.leave("bucket_reso_steps", "steps are at least 8 pixels, because latents are an eighth of the picture")
    draft.put("train.buckets.upscale", False if keep else None)
    draft.recipe["train"].setdefault("buckets", {})


def put_ways(draft: Draft) -> None:
    """Everything else that has a word here."""
    draft.put("train.precision", PRECISION.get(str(draft.take("mixed_precision") or "no")))
    draft.put("train.seed", draft.whole("seed"))
    draft.put("train.gradient_checkpointing", draft.is_on("gradient_checkpointing") or None)
    draft.put("train.compile", draft.is_on("torch_compile") or None)
    clip = draft.number("max_grad_norm")
    draft.put("train.clip_norm", clip if clip is None or clip > 0 else None)
    if clip == 0:
        draft.recipe["train"]["clip_norm"] = None
    draft.put("train.start_from", draft.take("network_weights", "lora_network_weights", "weights"))
    transforms: list[Any] = ["flip"] if draft.is_on("flip_aug") else []
    transforms += ["color_skew"] if draft.is_on("color_aug") else []
    transforms += [{"kind": "crop", "where": "random"}] if draft.is_on("random_crop") else []
    if transforms:
        draft.put("augment.transforms", transforms)
        draft.notes.append("augment.transforms: copies are made once and kept, where kohya draws anew at each step")
