"""What a LoRA file says of itself: the keys that kohya's tools and the web UIs read, and our own."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence

from backbones.backbone import Backbone
from training.data import Example
from training.spec import Train


def describe(spec: Train, backbone: Backbone, examples: Sequence[Example]) -> Mapping[str, str]:
    """Metadata of a run, all of it text. No dates: the same run writes the same bytes.

    What only the caller knows is given to `train`: ``velatura.manifest``, ``velatura.recipe``, ``velatura.trigger``,
    ``modelspec.title``, ``modelspec.date``, ``ss_sd_model_name``, ``ss_output_name``, ``ss_training_started_at``.
    """
    _, height, width = examples[0].latent.shape if examples else (0, 0, 0)
    size = f"{width * backbone.latent_scale}x{height * backbone.latent_scale}"
    tags = Counter(tag.strip() for e in examples for tag in e.caption.split(",") if tag.strip())
    return {
        "format": "pt",
        "ss_v2": str(backbone.kohya_version.startswith("sd_v2")),
        "ss_base_model_version": backbone.kohya_version,
        "ss_resolution": f"({size.replace('x', ', ')})",
        "ss_clip_skip": "None",
        "ss_seed": str(spec.seed),
        "ss_max_train_steps": str(spec.steps),
        "ss_batch_size_per_device": str(spec.batch_size),
        "ss_learning_rate": str(spec.optimizer.learning_rate),
        "ss_optimizer": spec.optimizer.kind,
        "ss_lr_scheduler": spec.schedule.kind,
        "ss_mixed_precision": {"fp32": "no"}.get(spec.precision, spec.precision),
        "ss_caption_dropout_rate": str(spec.caption_dropout),
        "ss_num_train_images": str(len(examples)),
        "ss_dataset_dirs": json.dumps({"velatura": {"n_repeats": 1, "img_count": len(examples)}}),
        "ss_tag_frequency": json.dumps({"velatura": dict(sorted(tags.items()))}),
        "modelspec.sai_model_spec": "1.0.1",
        "modelspec.architecture": f"{backbone.architecture}/lora",
        "modelspec.implementation": "diffusers",
        "modelspec.title": "velatura",
        "modelspec.resolution": size,
        "modelspec.prediction_type": backbone.prediction_type,
        "velatura.train": json.dumps(spec.model_dump(mode="json"), sort_keys=True),
        "velatura.base": backbone.fingerprint("network"),
        "velatura.base_sha256": backbone.base_sha256,
    }
