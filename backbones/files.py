"""Where the parts of a base stand: in a diffusers folder, or in one original file. Weights are loaded last."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

    from backbones.backbone import Backbone


class Files(ABC):
    """The files of one base. What is missing or broken in them is a `MissingBase`."""

    path: Path
    """the folder, or the file"""

    @property
    @abstractmethod
    def index(self) -> Mapping[str, Any]:
        """What `model_index.json` says: the pipeline's class as ``_class_name``, and the parts that there are."""

    def has(self, part: str, kind: str) -> bool:
        """Whether there is such a part, of a class whose name begins so."""
        entry = self.index.get(part)
        return isinstance(entry, list) and len(entry) == 2 and str(entry[1] or "").startswith(kind)

    @abstractmethod
    def config(self, part: str) -> Mapping[str, Any]:
        """The configuration of a part: ``unet``, ``vae``, ``text_encoder``, ``scheduler``."""

    @abstractmethod
    def check(self, modules: Sequence[str], tokenizers: Sequence[str]) -> None:
        """`MissingBase` unless each of these parts is there and whole."""

    @abstractmethod
    def module(self, kind: Any, part: str, dtype: Any) -> nn.Module:
        """A part's network, loaded on the CPU; ``kind`` is its class in diffusers or transformers."""

    @abstractmethod
    def check_tokenizer(self, part: str) -> None:
        """`MissingBase` unless the tokenizer is there."""

    @abstractmethod
    def tokenizer(self, part: str) -> Any:
        """A part's `CLIPTokenizer`."""

    @abstractmethod
    def tokenizer_length(self, part: str) -> int:
        """How many tokens a text may have, begin and end included; 0 where it is not said."""

    @abstractmethod
    def tokenizer_digest(self, part: str) -> str:
        """Follows from what the tokenizer makes of texts."""

    @abstractmethod
    def fingerprint(self, parts: Sequence[str]) -> str:
        """Follows from the parts' weights, configurations and vocabularies; not from where they stand."""

    @property
    @abstractmethod
    def digest(self) -> str:
        """As a fingerprint of all parts, without reading large files to the end."""

    @abstractmethod
    def sha256(self, part: str) -> str:
        """Hex SHA-256 of the weights file that has the part, as anybody can check it."""

    @abstractmethod
    def write_folder(self, backbone: Backbone, folder: Path) -> None:
        """A diffusers folder of all parts but the network's weights, which the caller writes."""
