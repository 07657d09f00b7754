"""A base in one original file (.safetensors), as model sites have them: its header says what it is, offline."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backbones.clip_vocabulary import SIZE, clip_tokenizer
from backbones.family import UNKNOWN
from backbones.files import Files
from backbones.folder import check_part, header_of, sha256_once
from backbones.original import Original
from backbones.prediction import said_prediction
from backbones.shapes import configs_of
from core.errors import MissingBase
from core.hashing import digest, folder_digest, sha256_of

if TYPE_CHECKING:
    from torch import Tensor, nn

    from backbones.backbone import Backbone

CONFIGS = "velatura.parts"
"""in the metadata of the files that we write: the parts' configurations, for what no shape tells"""
SCHEDULER = {
    "_class_name": "DDIMScheduler",
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "clip_sample": False,
    "num_train_timesteps": 1000,
    "set_alpha_to_one": False,
    "steps_offset": 1,
    "timestep_spacing": "leading",
}
"""the noise schedule that SD 1.x, SD 2.x and SDXL share"""


class SingleFile(Files):
    """Nothing is converted or copied: each part's tensors are read where they stand, under their original names."""

    def __init__(self, path: Path, original: Original) -> None:
        self.path, self.original = path, original
        header = header_of(path)
        self.metadata: Mapping[str, str] = header.pop("__metadata__", {})
        self.shapes = {name: tuple(entry["shape"]) for name, entry in header.items()}

    @cached_property
    def configs(self) -> dict[str, dict[str, Any]]:
        """Of every part: as the file's metadata has them, or else as its shapes tell."""
        if CONFIGS in self.metadata:
            try:
                said: dict[str, dict[str, Any]] = json.loads(self.metadata[CONFIGS])
            except ValueError:
                raise MissingBase(f"{self.path}: {CONFIGS} in its metadata is not JSON; fetch it again") from None
            return said
        try:
            parts = configs_of(self.shapes, self.original)
        except (KeyError, StopIteration) as error:
            raise MissingBase(f"{self.path} is not a whole base model: it lacks {error}") from None
        usual = UNKNOWN if self.original.sample_size_v else "epsilon"
        schedule: dict[str, Any] = SCHEDULER | {"prediction_type": usual}
        schedule |= said_prediction(self.path, self.metadata, self.shapes)
        if schedule["prediction_type"] == "v_prediction" and self.original.sample_size_v:
            parts["unet"]["sample_size"] = self.original.sample_size_v
        return parts | {"scheduler": schedule}

    @cached_property
    def index(self) -> Mapping[str, Any]:
        tokenizers = [f"tokenizer{part.removeprefix('text_encoder')}" for part in self.original.towers]
        classes = {
            "unet": ["diffusers", "UNet2DConditionModel"],
            "vae": ["diffusers", "AutoencoderKL"],
            "scheduler": ["diffusers", "DDIMScheduler"],
            **{part: ["transformers", self.config(part)["architectures"][0]] for part in self.original.towers},
            **{part: ["transformers", "CLIPTokenizer"] for part in tokenizers},
        }
        more = {"force_zeros_for_empty_prompt": True} if len(tokenizers) > 1 else {"requires_safety_checker": False}
        return {"_class_name": self.original.pipeline, **classes, **more}

    def config(self, part: str) -> Mapping[str, Any]:
        if part not in self.configs:
            raise MissingBase(f"{self.path} says nothing of its {part}")
        return self.configs[part]

    def check(self, modules: Sequence[str], tokenizers: Sequence[str]) -> None:
        for part in modules:
            self.config(part)
        for part in tokenizers:
            self.check_tokenizer(part)

    def check_tokenizer(self, part: str) -> None:
        own = self._own_tokenizer(part)
        if own.is_dir():
            check_part(own.parent, own.name, ["vocab.json", "merges.txt"])
        elif (size := self.config(self._encoder(part))["vocab_size"]) != SIZE:
            raise MissingBase(
                f"{self.path} has a vocabulary of {size} tokens, which is not CLIP's ({SIZE}); put the base's "
                f"vocab.json, merges.txt and tokenizer_config.json into {own}/"
            )

    def _own_tokenizer(self, part: str) -> Path:
        return self.path.with_name(f"{self.path.stem}.{part}")

    @staticmethod
    def _encoder(tokenizer: str) -> str:
        return f"text_encoder{tokenizer.removeprefix('tokenizer')}"

    def module(self, kind: Any, part: str, dtype: Any) -> nn.Module:
        from accelerate import init_empty_weights
        from safetensors import safe_open

        config = {name: value for name, value in self.config(part).items() if name != "architectures"}
        try:
            with init_empty_weights():  # its own weights are not drawn first: they would be thrown away
                built = kind.from_config(config) if hasattr(kind, "from_config") else kind(kind.config_class(**config))
            wanted: dict[str, Tensor] = dict(built.named_parameters())
            places = {name: self.original.place(part, name, config) for name in wanted}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise MissingBase(f"{self.path}: its {part} is of a shape that is not known here ({error})") from error
        found: dict[str, Tensor] = {}
        with safe_open(self.path, framework="pt") as file:
            for name, parameter in wanted.items():
                place = places[name]
                if place.key not in self.shapes:
                    raise MissingBase(f"{self.path} is not a whole base model: it lacks {place.key}")
                tensor = place.read(file.get_tensor(place.key)).to(dtype)
                if tensor.numel() != parameter.numel():
                    raise MissingBase(
                        f"{self.path}: {place.key} is {list(tensor.shape)}, the rest of the file wants "
                        f"{list(parameter.shape)}; it is not a base that is known here"
                    )
                found[name] = tensor.reshape(parameter.shape).contiguous()
        built.load_state_dict(found, assign=True, strict=True)
        module: nn.Module = built
        return module

    def tokenizer(self, part: str) -> Any:
        own = self._own_tokenizer(part)
        if own.is_dir():
            from transformers import CLIPTokenizer

            return CLIPTokenizer.from_pretrained(own, local_files_only=True)
        return clip_tokenizer(**self._padding(part))

    def tokenizer_length(self, part: str) -> int:
        return int(self.config(self._encoder(part))["max_position_embeddings"])

    def tokenizer_digest(self, part: str) -> str:
        own = self._own_tokenizer(part)
        return folder_digest(own) if own.is_dir() else digest("CLIP's tokenizer", SIZE)

    def _padding(self, part: str) -> dict[str, str]:
        # the second text encoder of SDXL is open_clip's, which fills up with token 0
        return {"padding": "!"} if part == "tokenizer_2" else {}

    def fingerprint(self, parts: Sequence[str]) -> str:
        configs = {part: dict(self.configs.get(part, {})) for part in parts}
        return digest("single file", self.sha256(""), list(parts), configs, length=32)

    @property
    def digest(self) -> str:
        size = self.path.stat().st_size
        with self.path.open("rb") as file:
            head = file.read(1 << 20)
            file.seek(-min(size, 1 << 20), 2)
            return digest("single file", size, sha256_of(head + file.read()), length=64)

    def sha256(self, part: str) -> str:  # noqa: ARG002
        return sha256_once(self.path)

    def write_folder(self, backbone: Backbone, folder: Path) -> None:
        from backbones.folder_files import write_parts

        write_parts(backbone, folder)


def configs_text(backbone: Backbone) -> dict[str, str]:
    """Metadata for a single file of the backbone's parts: what no shape tells."""
    from backbones.folder_files import plain

    configs = {part: plain(backbone.files.config(part)) for part in (*backbone.modules, "scheduler")}
    configs["scheduler"] = plain(backbone.scheduler_config)
    return {CONFIGS: json.dumps(configs, sort_keys=True)}
