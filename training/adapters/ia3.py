"""(IA)^3 (Liu et al. 2022): one factor per channel of keys, values and feed-forward. Tiny files; wants a high rate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from training.adapter import Adapter

if TYPE_CHECKING:
    from backbones.backbone import Backbone
    from training.peft_adapter import PeftAdapter


class Ia3(Adapter):
    """On the outputs of keys and values of every attention, and the input of every feed-forward's second layer."""

    files: ClassVar[Mapping[str, str]] = {
        "weights": "kohya.safetensors",
        "peft": "adapter_model.safetensors",
        "peft_config": "adapter_config.json",
    }

    def attach(self, backbone: Backbone) -> PeftAdapter:
        from peft import IA3Config

        from training.peft_adapter import Handling, PeftAdapter
        from training.targets import TRANSFORMERS, inside

        layers = inside(backbone.network, TRANSFORMERS)
        forward = [path for path in layers if path.endswith(".ff.net.2")]
        attention = [path for path in layers if path.endswith((".to_k", ".to_v"))]
        config = IA3Config(target_modules=[*attention, *forward], feedforward_modules=forward)
        return PeftAdapter(backbone, {"unet": (backbone.network, config)}, Handling())
