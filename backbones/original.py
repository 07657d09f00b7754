"""Where the tensors of a Stable Diffusion stand in the one original file (.safetensors): facts of a family, no weights.

A family says what its file is like (`Original`); a part's tensor has a `Place` there, which reading and writing follow.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from backbones.single_file import UNET, unet_name, vae_name

if TYPE_CHECKING:
    from torch import Tensor

LAYER = {
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "self_attn.out_proj": "attn.out_proj",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
}
"""the layers of a text encoder's block, and open_clip's words for them"""
THIRDS = ("q_proj", "k_proj", "v_proj")
"""in open_clip's files these three are one tensor"""


@dataclass(frozen=True)
class Place:
    """One of a part's tensors in the file."""

    key: str
    third: int | None = None
    """which third of the rows it is, where three tensors are one"""
    turned: bool = False
    """rows and columns change places"""

    def read(self, found: Tensor) -> Tensor:
        """The part's own tensor, of what stands in the file under the key."""
        if self.third is not None:
            found = found.chunk(3)[self.third]
        return found.t() if self.turned else found


@dataclass(frozen=True)
class Tower:
    """A text encoder in the file."""

    prefix: str
    open_clip: bool = False
    """named as open_clip names it; else as transformers does"""

    @property
    def embedding(self) -> str:
        """The key of its look-up table: what tells that the tower is there."""
        return f"{self.prefix}{'' if self.open_clip else 'embeddings.'}token_embedding.weight"

    def place(self, name: str) -> Place:
        """Of one tensor, by its name in transformers' module."""
        name = name.removeprefix("text_model.")  # transformers 5.6 took this level out of some modules
        if not self.open_clip:
            return Place(f"{self.prefix}{name}")
        if found := re.fullmatch(r"encoder\.layers\.(\d+)\.(.+)\.(weight|bias)", name):
            number, layer, end = found.groups()
            block = f"{self.prefix}transformer.resblocks.{number}."
            if layer.rpartition(".")[2] in THIRDS:
                return Place(f"{block}attn.in_proj_{end}", third=THIRDS.index(layer.rpartition(".")[2]))
            return Place(f"{block}{LAYER[layer]}.{end}")
        others = {
            "embeddings.token_embedding.weight": Place(f"{self.prefix}token_embedding.weight"),
            "embeddings.position_embedding.weight": Place(f"{self.prefix}positional_embedding"),
            "text_projection.weight": Place(f"{self.prefix}text_projection", turned=True),
        }
        return others.get(name) or Place(f"{self.prefix}{name.replace('final_layer_norm', 'ln_final')}")


@dataclass(frozen=True)
class Original:
    """What a family's files are like, and what no shape in them tells."""

    pipeline: str
    """the class that `model_index.json` names"""
    towers: Mapping[str, Tower]
    """by part: ``text_encoder``, ``text_encoder_2``"""
    heads: int | None
    """of each attention layer; none: as many as 64 goes into its width"""
    scaling_factor: float
    """of the latents"""
    sample_size: int
    """native side in latents"""
    sample_size_v: int | None = None
    """the same of those that predict v, where the family has both kinds and their files look alike"""

    def recognises(self, names: Collection[str]) -> bool:
        """Whether tensors of these names are a whole base of the family."""
        keys = [f"{UNET}input_blocks.0.0.weight", *(tower.embedding for tower in self.towers.values())]
        return all(key in names for key in keys)

    def place(self, part: str, name: str, config: Mapping[str, Any]) -> Place:
        """Of a part's tensor, by its name in the part's module; ``config`` is that of the part."""
        if part == "unet":
            ups = config["up_block_types"]
            return Place(unet_name(name, int(config["layers_per_block"]), lambda block: "CrossAttn" in ups[block]))
        if part == "vae":
            return Place(vae_name(name, len(config["block_out_channels"])))
        return self.towers[part].place(name)

    def written(self, part: str, tensors: Mapping[str, Tensor], config: Mapping[str, Any]) -> dict[str, Tensor]:
        """A part's tensors as the file has them."""
        return dict(self._written(part, tensors, config))

    def _written(
        self, part: str, tensors: Mapping[str, Tensor], config: Mapping[str, Any]
    ) -> Iterator[tuple[str, Tensor]]:
        import torch

        thirds: dict[str, dict[int, Tensor]] = {}
        for name, tensor in tensors.items():
            place = self.place(part, name, config)
            if place.third is not None:
                thirds.setdefault(place.key, {})[place.third] = tensor
                if len(thirds[place.key]) == len(THIRDS):
                    yield place.key, torch.cat([thirds[place.key][number] for number in range(len(THIRDS))])
            elif part == "vae" and ".attn_1." in place.key and tensor.dim() == 2:
                yield place.key, tensor[:, :, None, None]  # the original's attention layers are 1x1 convolutions
            else:
                yield place.key, tensor.t().contiguous() if place.turned else tensor
