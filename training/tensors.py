"""Safetensors files with the same bytes for the same content, whole or not at all, and checked when read."""

import json
from collections.abc import Mapping
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from core.files import replacing

DTYPES = {
    torch.int64: "I64",
    torch.float64: "F64",
    torch.float32: "F32",
    torch.int32: "I32",
    torch.bfloat16: "BF16",
    torch.float16: "F16",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
"""names of the types, in the order in which the library lays tensors out"""
ORDER = list(DTYPES)


def bytes_of(tensor: Tensor) -> memoryview:
    """The tensor's values as they stand in memory, little-endian, row by row."""
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().data if flat.numel() else memoryview(b"")


def in_order(tensors: Mapping[str, Tensor]) -> list[str]:
    """Names in the order of the file, which is the library's own: by type, then by name."""
    return sorted(tensors, key=lambda name: (ORDER.index(tensors[name].dtype), name))


def header_of(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> bytes:
    """All that stands before the tensors' bytes, its own length included."""
    header: dict[str, Any] = {"__metadata__": dict(sorted(metadata.items()))} if metadata else {}
    end = 0
    for name in in_order(tensors):
        tensor = tensors[name]
        start, end = end, end + tensor.numel() * tensor.element_size()
        header[name] = {"dtype": DTYPES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write a safetensors file."""
    # the library writes metadata in an order that changes from run to run, and reports a full disk as its own error
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(header_of(tensors, metadata))
        for name in in_order(tensors):
            file.write(bytes_of(tensors[name]))


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors (on the CPU) and metadata of a safetensors file."""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118


def write_pt(path: Path, value: Mapping[Any, Any]) -> None:
    """Tensors and plain values as torch writes them, for programs that read nothing else; the same bytes every time."""
    buffer = BytesIO()  # torch writes the file's name into it, and ours is a temporary one
    torch.save(dict(value), buffer)
    with replacing(path) as temporary:
        temporary.write_bytes(buffer.getvalue())


def checksum(tensors: Mapping[str, Tensor]) -> str:
    """Hex SHA-256 over names, types, shapes and values."""
    whole = sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        whole.update(f"{name}|{DTYPES[tensor.dtype]}|{list(tensor.shape)}\n".encode())
        whole.update(bytes_of(tensor))
    return whole.hexdigest()
