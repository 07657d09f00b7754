"""What a LoRA file says of itself: the keys that kohya's tools and the web UIs read, and our own."""

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from backbones.backbone import Backbone
from core.marks import REGULARISATION
from training.data import Example
from training.spec import Train

OBJECTIVE = {
    "noise_offset": "ss_noise_offset",
    "adaptive_offset": "ss_adaptive_noise_scale",
    "multires_levels": "ss_multires_noise_iterations",
    "multires_discount": "ss_multires_noise_discount",
    "input_perturbation": "ss_ip_noise_gamma",
    "min_snr_gamma": "ss_min_snr_gamma",
    "debiased": "ss_debiased_estimation",
    "zero_terminal_snr": "ss_zero_terminal_snr",
    "huber": "ss_huber_c",
}
"""the loss's keys and kohya's words for them"""
ADAPTER = {"dropout": "ss_network_dropout", "max_norm": "ss_scale_weight_norms"}


def describe(spec: Train, backbone: Backbone, examples: Sequence[Example]) -> Mapping[str, str]:
    """Metadata of a run, all of it text. No dates: the same run writes the same bytes.

    What only the caller knows is given to `train`: ``velatura.manifest``, ``velatura.recipe``, ``velatura.trigger``,
    ``modelspec.title``, ``ss_sd_model_name``, ``ss_output_name``.
    """
    sizes = Counter(
        (e.latent.shape[2] * backbone.latent_scale, e.latent.shape[1] * backbone.latent_scale) for e in examples
    )
    width, height = max(sizes, key=lambda size: (sizes[size], size), default=(0, 0))
    return {
        "format": "pt",
        **of_base(backbone),
        **of_course(spec, examples),
        **of_pictures(examples, sizes),
        **said(spec.objective.model_dump(), OBJECTIVE),
        **said(spec.adapter.model_dump(), ADAPTER),
        "ss_resolution": f"({width}, {height})",
        "modelspec.sai_model_spec": "1.0.1",
        "modelspec.architecture": f"{backbone.architecture}/lora",
        "modelspec.implementation": "diffusers",
        "modelspec.title": "velatura",
        "modelspec.resolution": f"{width}x{height}",
        "modelspec.prediction_type": {"v_prediction": "v"}.get(backbone.prediction_type, backbone.prediction_type),
        "velatura.train": json.dumps(spec.model_dump(mode="json"), sort_keys=True),
        "velatura.base": backbone.fingerprint("network"),
        "velatura.base_sha256": backbone.base_sha256,
    }


def of_base(backbone: Backbone) -> dict[str, str]:
    """Which base it goes on."""
    return {
        "ss_v2": str(backbone.kohya_version.startswith("sd_v2")),
        "ss_base_model_version": backbone.kohya_version,
        "ss_new_sd_model_hash": backbone.base_sha256,
        "ss_clip_skip": "None",
    }


def of_course(spec: Train, examples: Sequence[Example]) -> dict[str, str]:
    """How it was trained."""
    a_round = max(1, math.ceil(sum(e.weight for e in examples) / spec.batch_size))
    words = spec.text_encoder
    captions = spec.captions
    return {
        "ss_seed": str(spec.seed),
        "ss_max_train_steps": str(spec.end),
        "ss_num_batches_per_epoch": str(a_round),
        "ss_num_epochs": str(math.ceil(spec.end / a_round)),
        "ss_batch_size_per_device": str(spec.batch_size // spec.pieces),
        "ss_total_batch_size": str(spec.batch_size),
        "ss_gradient_accumulation_steps": str(spec.accumulate),
        "ss_gradient_checkpointing": str(spec.gradient_checkpointing),
        "ss_max_grad_norm": str(spec.clip_norm or 0.0),
        "ss_learning_rate": str(spec.optimizer.learning_rate),
        "ss_unet_lr": str(spec.optimizer.learning_rate),
        "ss_text_encoder_lr": str(words.learning_rate if words is not None else None),
        "ss_optimizer": spec.optimizer.kind,
        "ss_lr_scheduler": spec.schedule.kind,
        "ss_lr_warmup_steps": str(spec.schedule.warmup),
        "ss_mixed_precision": {"fp32": "no"}.get(spec.precision, spec.precision),
        "ss_cache_latents": "True",
        "ss_caption_dropout_rate": str(spec.caption_dropout),
        "ss_caption_tag_dropout_rate": str(captions.tag_dropout),
        "ss_shuffle_caption": str(captions.shuffle),
        "ss_keep_tokens": str(captions.keep_tokens),
        "ss_max_token_length": str(captions.tokens) if captions.tokens > 75 else "None",
        "ss_enable_bucket": str(spec.buckets is not None),
        "ss_prior_loss_weight": str(spec.class_pictures.weight if spec.class_pictures is not None else 1.0),
    }


def of_pictures(examples: Sequence[Example], sizes: Mapping[tuple[int, int], int]) -> dict[str, str]:
    """What it has seen: pictures, sizes, tags."""
    tags = Counter(tag.strip() for e in examples for tag in e.caption.split(",") if tag.strip())
    regular = sum(e.record.startswith("class-") for e in examples)
    buckets = {
        str(number): {"resolution": list(size), "count": sizes[size]} for number, size in enumerate(sorted(sizes))
    }
    return {
        "ss_num_train_images": str(len(examples) - regular),
        "ss_num_reg_images": str(regular),
        "ss_dataset_dirs": json.dumps({"velatura": {"n_repeats": 1, "img_count": len(examples) - regular}}),
        "ss_reg_dataset_dirs": json.dumps({REGULARISATION: {"n_repeats": 1, "img_count": regular}} if regular else {}),
        "ss_bucket_info": json.dumps({"buckets": buckets}),
        "ss_tag_frequency": json.dumps({"velatura": dict(sorted(tags.items()))}),
    }


def said(values: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, str]:
    """The settings that there are, under kohya's names."""
    return {theirs: str(values[ours]) for ours, theirs in names.items() if ours in values}
