"""Reads a diffusers folder's files and says which of them are missing or cut off, before anything is loaded."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backbones.files import Files
from core.errors import MissingBase
from core.hashing import digest, folder_digest, sha256_of_file

if TYPE_CHECKING:
    from torch import nn

    from backbones.backbone import Backbone

WEIGHTS = ("diffusion_pytorch_model", "model")
"""how diffusers and transformers call a part's weights"""


def read_json(path: Path, *, needed_for: str) -> Mapping[str, Any]:
    """A JSON file of the base; `MissingBase` where it is missing or broken."""
    try:
        value = json.loads(path.read_text())
    except FileNotFoundError:
        raise MissingBase(f"{path} is missing; it is needed for {needed_for}") from None
    except (OSError, ValueError) as error:
        raise MissingBase(f"{path} cannot be read as JSON ({error}); it is needed for {needed_for}") from None
    if not isinstance(value, dict):
        raise MissingBase(f"{path} holds no JSON object; it is needed for {needed_for}")
    return value


def weights_of(part: Path) -> tuple[list[Path], str]:
    """The safetensors files of one part, and the variant (``""`` or ``"fp16"``) to ask the loaders for."""
    for variant in ("", "fp16"):
        middle = f".{variant}" if variant else ""
        for stem in WEIGHTS:
            whole = part / f"{stem}{middle}.safetensors"
            index = part / f"{stem}.safetensors.index{middle}.json"
            if whole.is_file():
                return [check_whole(whole)], variant
            if index.is_file():
                shards = read_json(index, needed_for=f"the weights in {part}").get("weight_map", {})
                return [check_whole(part / shard) for shard in sorted(set(shards.values()))], variant
    pickled = [path.name for path in sorted(part.glob("*.bin"))] if part.is_dir() else []
    said = f" ({', '.join(pickled)} is a pickle, which is never loaded; convert it)" if pickled else ""
    raise MissingBase(f"{part} holds no weights as .safetensors{said}")


def check_whole(path: Path) -> Path:
    """The same path, if the file is as long as its own header says; `MissingBase` otherwise."""
    header_of(path)
    return path


def header_of(path: Path) -> dict[str, Any]:
    """What a whole safetensors file says of its tensors (``shape``, ``dtype``), and its ``__metadata__``."""
    if not path.is_file():
        raise MissingBase(f"{path} is missing")
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        length = int.from_bytes(start, "little")
        if size < 8 or length > size - 8:
            raise MissingBase(f"{path} is not a whole safetensors file ({size} bytes); fetch it again")
        try:
            header: dict[str, Any] = json.loads(file.read(length))
            ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
        except (ValueError, KeyError, TypeError, AttributeError):
            raise MissingBase(f"{path} is not a safetensors file; fetch it again") from None
    expected = 8 + length + max(ends, default=0)
    if size != expected:
        raise MissingBase(f"{path} is cut off: {size} bytes, its header says {expected}; fetch it again")
    return header


def check_part(folder: Path, name: str, files: Sequence[str], *, weights: bool = False) -> None:
    """`MissingBase` unless the part ``name`` of ``folder`` is there with ``files`` and, if asked, whole weights."""
    part = folder / name
    if not part.is_dir():
        raise MissingBase(f"{folder} is not a whole base model: its folder {name}/ is missing")
    missing = [file for file in files if not (part / file).is_file()]
    if missing:
        raise MissingBase(f"{folder} is not a whole base model: {name}/ lacks {', '.join(missing)}")
    if weights:
        weights_of(part)


def sha256_of_part(part: Path) -> str:
    """Hex SHA-256 of a part's weights as anybody can check it; of several files, of their hashes in turn."""
    hashes = [sha256_once(file) for file in weights_of(part)[0]]
    return hashes[0] if len(hashes) == 1 else digest(*hashes, length=64)


def sha256_once(file: Path) -> str:
    """Hex SHA-256 of a file; read again only when it has changed."""
    return _hash_of(str(file), file.stat().st_size, file.stat().st_mtime_ns)


@lru_cache(maxsize=256)
def _hash_of(file: str, _size: int, _mtime_ns: int) -> str:
    return sha256_of_file(Path(file))


def fingerprint_of(folder: Path, parts: Sequence[str]) -> str:
    """Follows from the bytes of the parts' weights, configurations and vocabularies; not from where they stand."""
    files = {}
    for name in parts:
        part = folder / name
        files.update(
            {f"{name}/{file.name}": sha256_of_file(file) for file in (*part.glob("*.json"), *part.glob("*.txt"))}
        )
        if (part / "config.json").is_file():
            files[name] = sha256_of_part(part)
    return digest("base", files, length=32)


class DiffusersFolder(Files):
    """A folder as `save_pretrained` of a diffusers pipeline writes it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def index(self) -> Mapping[str, Any]:
        return read_json(self.path / "model_index.json", needed_for="knowing the base's family")

    def config(self, part: str) -> Mapping[str, Any]:
        name = "scheduler_config.json" if part == "scheduler" else "config.json"
        return read_json(self.path / part / name, needed_for=f"the base's {part}")

    def check(self, modules: Sequence[str], tokenizers: Sequence[str]) -> None:
        check_part(self.path, "scheduler", ["scheduler_config.json"])
        for part in tokenizers:
            self.check_tokenizer(part)
        for part in modules:
            check_part(self.path, part, ["config.json"], weights=True)

    def check_tokenizer(self, part: str) -> None:
        fast = (self.path / part / "tokenizer.json").is_file()
        check_part(self.path, part, ["tokenizer.json"] if fast else ["vocab.json", "merges.txt"])

    def module(self, kind: Any, part: str, dtype: Any) -> nn.Module:
        import torch

        variant = weights_of(self.path / part)[1] or None
        # transformers and diffusers call the same key differently
        called = "torch_dtype" if kind.__module__.startswith("diffusers.") else "dtype"
        chosen = {"local_files_only": True, "use_safetensors": True, "variant": variant, called: dtype}
        loaded = kind.from_pretrained(self.path / part, **chosen)
        assert isinstance(loaded, torch.nn.Module)
        return loaded

    def tokenizer(self, part: str) -> Any:
        from transformers import CLIPTokenizer

        return CLIPTokenizer.from_pretrained(self.path / part, local_files_only=True)

    def tokenizer_length(self, part: str) -> int:
        config = self.path / part / "tokenizer_config.json"
        said = read_json(config, needed_for="how long a text may be") if config.is_file() else {}
        return int(said.get("model_max_length") or 0)

    def tokenizer_digest(self, part: str) -> str:
        return folder_digest(self.path / part)

    def fingerprint(self, parts: Sequence[str]) -> str:
        return fingerprint_of(self.path, parts)

    @property
    def digest(self) -> str:
        return folder_digest(self.path)

    def sha256(self, part: str) -> str:
        return sha256_of_part(self.path / part)

    def write_folder(self, backbone: Backbone, folder: Path) -> None:  # noqa: ARG002
        parts = [path for path in sorted(self.path.iterdir()) if path.is_dir() and any(path.glob("*config.json"))]
        for part in parts:
            left = shutil.ignore_patterns("*.safetensors", "*.bin", "*.index*.json") if part.name == "unet" else None
            shutil.copytree(part, folder / part.name, ignore=left, dirs_exist_ok=True)
        shutil.copyfile(self.path / "model_index.json", folder / "model_index.json")
