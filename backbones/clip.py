"""Pictures and words in one space: any CLIP that open_clip can build, from weights on this disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from backbones.family import POCKET
from backbones.folder import check_whole, read_json
from backbones.pieces import pieces
from backbones.quiet import offline_and_quiet
from core.errors import MissingBase
from core.hashing import digest, sha256_of_file
from core.pixels import Pixels

Vectors = NDArray[np.float32]
LOCAL = "local-dir:"
WEIGHTS = "open_clip_model.safetensors"
EXPECTED = 'expected "pocket", "local-dir:FOLDER" or "MODEL:FILE" (an open_clip model name and its weights on disk)'


@dataclass(frozen=True)
class Clip:
    """One CLIP. Vectors are float32 of unit length, so that a dot product is a cosine."""

    model: Any
    tokenize: Callable[[list[str]], torch.Tensor]
    prepare: Callable[[Image.Image], torch.Tensor]
    fingerprint: str
    device: str = "cpu"

    @classmethod
    def open(cls, name: str = "pocket", *, device: str = "cpu") -> Clip:
        """``"pocket"``, ``"local-dir:FOLDER"`` or ``"MODEL:FILE"``. `MissingBase` at once; no hub is ever asked."""
        if name == "pocket":
            name = f"{LOCAL}{POCKET / 'clip'}"
        files = _files(name)
        offline_and_quiet()
        import open_clip

        model_name, _, path = name.partition(":")
        try:
            if name.startswith(LOCAL):
                model_name = f"{LOCAL}{Path(path).expanduser()}"
                model, _, prepare = open_clip.create_model_and_transforms(model_name, device=device)
            else:
                weights = str(Path(path).expanduser())
                model, _, prepare = open_clip.create_model_and_transforms(model_name, pretrained=weights, device=device)
            tokenize = open_clip.get_tokenizer(model_name)
        except (OSError, RuntimeError, ValueError, KeyError) as error:
            raise MissingBase(f"clip: {name} cannot be loaded: {str(error).splitlines()[0]}") from error
        return cls(
            model=model.eval().requires_grad_(False),
            tokenize=tokenize,
            prepare=prepare,
            fingerprint=digest(
                "clip", [sha256_of_file(file) for file in files], model_name.partition(":")[0], length=32
            ),
            device=device,
        )

    @torch.inference_mode()
    def embed_pictures(self, pictures: Sequence[Pixels]) -> Vectors:
        """(n, d), one unit vector per picture of any size."""
        made = []
        for some in pieces(pictures, self.device, 64):
            prepared = torch.stack([self.prepare(Image.fromarray(picture)) for picture in some])
            made.append(self.model.encode_image(prepared.to(self.device), normalize=True))
        return _vectors(made)

    @torch.inference_mode()
    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        """(n, d), one unit vector per text; a longer text than the model takes is cut."""
        made = [
            self.model.encode_text(self.tokenize(list(some)).to(self.device), normalize=True)
            for some in pieces(texts, self.device, 64)
        ]
        return _vectors(made)


def _vectors(made: Sequence[torch.Tensor]) -> Vectors:
    if not made:
        return np.zeros((0, 0), dtype=np.float32)
    return torch.cat(list(made)).float().cpu().numpy()


def _files(name: str) -> list[Path]:
    """The files that make up the CLIP, each known to be there."""
    model_name, colon, path = name.partition(":")
    if not colon:
        raise MissingBase(f"clip: {name!r} names no weights; {EXPECTED}")
    place = Path(path).expanduser()
    if name.startswith(LOCAL):
        if not place.is_dir():
            raise MissingBase(f"clip: there is no folder {place}; {EXPECTED}")
        read_json(place / "open_clip_config.json", needed_for="open_clip to know the model's shape")
        rest = [file for file in sorted(place.glob("*")) if file.suffix in (".json", ".txt", ".gz")]
        return [check_whole(place / WEIGHTS), *rest]
    if not place.is_file():
        raise MissingBase(f"clip: there is no weights file {place} for {model_name}; {EXPECTED}")
    return [check_whole(place) if place.suffix == ".safetensors" else place]
