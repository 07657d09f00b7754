"""Hypernetwork (web UI, after NovelAI 2022): small networks before keys and values of attention. Wants 1e-5."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, field_validator

from core.errors import RecipeError
from training.adapter import Adapter

if TYPE_CHECKING:
    from backbones.backbone import Backbone
    from training.hypernetwork_training import HypernetworkTraining


class Hypernetwork(Adapter):
    """One network for keys and one for values of each width, shared by all layers. The web UI reads the file."""

    files: ClassVar[Mapping[str, str]] = {"weights": "hypernetwork.pt"}

    structure: tuple[float, ...] = (1, 2, 1)
    """widths of its layers, as multiples of the attention's own; begins and ends with 1"""
    activation: Literal[
        "linear", "relu", "leakyrelu", "elu", "swish", "tanh", "sigmoid", "gelu", "silu", "mish", "softsign"
    ] = "linear"
    """between its layers; linear is none"""
    layer_norm: bool = False
    """normalises what each of its layers gives"""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """share that is dropped between its layers while training; needs a structure with at least two inner layers"""
    widths: tuple[int, ...] = ()
    """only for attention of these widths (768 is the text of SD 1.x); empty: for all"""

    @field_validator("structure")
    @classmethod
    def _whole(cls, structure: tuple[float, ...]) -> tuple[float, ...]:
        if len(structure) < 3 or structure[0] != 1 or structure[-1] != 1 or min(structure) <= 0:
            raise ValueError("begins and ends with 1, and has a number above 0 between: [1, 2, 1]")
        return structure

    @field_validator("dropout")
    @classmethod
    def _has_a_place(cls, dropout: float, info: object) -> float:
        structure = getattr(info, "data", {}).get("structure", (1, 2, 1))
        if dropout and len(structure) < 4:
            raise ValueError("needs a structure with at least two inner layers, such as [1, 2, 2, 1]")
        return dropout

    def attach(self, backbone: Backbone) -> HypernetworkTraining:
        from backbones.hypernetworks import Shape, widths_of
        from training.hypernetwork_training import HypernetworkTraining

        known = widths_of(backbone.network)
        strange = [width for width in self.widths if width not in known]
        if strange:
            raise RecipeError(
                f"train.adapter.widths: no attention of this base is {strange[0]} wide; "
                f"known: {', '.join(map(str, known))}"
            )
        inner = len(self.structure) - 2
        dropout = (0.0, *[self.dropout] * (inner - 1), self.dropout, 0.0) if self.dropout else ()
        shape = Shape(self.structure, self.activation, self.layer_norm, dropout)
        return HypernetworkTraining(backbone, shape, self.widths or tuple(known))
