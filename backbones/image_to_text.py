"""Sentences about pictures from any captioner of transformers (BLIP, GIT, ...) that lies in a folder on this disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from backbones.folder import read_json, weights_of
from backbones.quiet import offline_and_quiet
from core.errors import MissingBase
from core.hashing import folder_digest
from core.pixels import Pixels


def whole_folder(folder: str) -> Path:
    """The folder, known to hold a model; `MissingBase` otherwise."""
    place = Path(folder).expanduser()
    if not place.is_dir():
        raise MissingBase(
            f"image_to_text: there is no folder {place}; expected a captioner as `save_pretrained` writes it"
        )
    read_json(place / "config.json", needed_for="the captioner's kind")
    weights_of(place)
    return place


def fingerprint_of(folder: str) -> str:
    """What every text follows from: the folder's files."""
    return folder_digest(whole_folder(folder))[:32]


@dataclass(frozen=True)
class ImageToText:
    """One captioner with its processor."""

    model: Any
    processor: Any

    @classmethod
    def open(cls, folder: str) -> ImageToText:
        """From a folder that `save_pretrained` wrote, processor included; nothing is fetched, no code of it is run."""
        place = whole_folder(folder)
        offline_and_quiet("transformers")
        from transformers import AutoModelForImageTextToText

        try:
            model = AutoModelForImageTextToText.from_pretrained(
                place, local_files_only=True, use_safetensors=True, trust_remote_code=False
            )
            processor = processor_of(place)
        except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
            raise MissingBase(f"image_to_text: {place} cannot be loaded: {str(error).splitlines()[0]}") from error
        return cls(model.eval().requires_grad_(False), processor)

    @torch.inference_mode()
    def describe(self, pictures: Sequence[Pixels], prompt: str, beams: int, most: int) -> list[str]:
        """A text for each picture; always the same one. ``prompt`` is its beginning, or a question."""
        images = [Image.fromarray(picture) for picture in pictures]
        asked = {"text": [prompt] * len(images), "padding": True} if prompt else {}
        told = self.processor(images=images, return_tensors="pt", **asked)
        made = self.model.generate(**told, num_beams=beams, max_new_tokens=most, do_sample=False)
        texts = self.processor.batch_decode(made, skip_special_tokens=True)
        return [" ".join(text.split()).strip(" .,") for text in texts]


class Pair:
    """An image processor and a tokenizer, for folders that hold them side by side (vision-encoder-decoder)."""

    def __init__(self, place: Path) -> None:
        from transformers import AutoImageProcessor, AutoTokenizer

        self.images = AutoImageProcessor.from_pretrained(place, local_files_only=True)
        self.tokenizer = AutoTokenizer.from_pretrained(place, local_files_only=True)
        self.batch_decode = self.tokenizer.batch_decode

    def __call__(self, images: Sequence[Image.Image], return_tensors: str, **asked: Any) -> dict[str, Any]:
        """What `generate` takes."""
        told = {"pixel_values": self.images(images=images, return_tensors=return_tensors)["pixel_values"]}
        if asked:
            words = self.tokenizer(return_tensors=return_tensors, add_special_tokens=False, **asked)
            told["decoder_input_ids"] = words["input_ids"]
        return told


def processor_of(place: Path) -> Any:
    """What prepares pictures and prompts for the model of a folder."""
    from transformers import AutoProcessor

    kind = read_json(place / "config.json", needed_for="the captioner's kind").get("model_type")
    if kind == "vision-encoder-decoder":
        return Pair(place)
    return AutoProcessor.from_pretrained(place, local_files_only=True, trust_remote_code=False)
