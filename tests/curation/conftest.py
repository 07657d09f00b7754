"""Pictures, made from nothing."""

import io
import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from store.store import Store

Array = NDArray[np.generic]


def scene(seed: int = 0, width: int = 96, height: int = 64) -> NDArray[np.uint8]:
    """A ground with a few boxes: no two seeds look alike, nothing is symmetric."""
    rng = np.random.default_rng(seed)
    pixels = np.empty((height, width, 3), np.uint8)
    pixels[:] = rng.integers(0, 256, 3)
    for _ in range(12):
        y, x = rng.integers(0, height - 8), rng.integers(0, width - 8)
        h, w = rng.integers(8, height // 2), rng.integers(8, width // 2)
        pixels[y : y + h, x : x + w] = rng.integers(0, 256, 3)
    return pixels


def encoded(pixels: Array | Image.Image, kind: str = "PNG", **options: object) -> bytes:
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(samples: Array, colour: int, *, before: bytes = b"", size: tuple[int, int] | None = None) -> bytes:
    """A PNG by hand, for what Pillow does not write: 16-bit colour (2), grey (0), grey and alpha (4), RGBA (6)."""
    height, width = samples.shape[:2]
    bits = samples.dtype.itemsize * 8
    rows = b"".join(b"\0" + row.astype(f">u{samples.dtype.itemsize}").tobytes() for row in samples)
    shown = size or (width, height)
    header = struct.pack(">IIBBBBB", *shown, bits, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + before
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def profile(space: bytes, gamma: float, primaries: Array | None = None) -> bytes:
    """An ICC profile by hand (version 2): a gamma, and for RGB the XYZ (D50) of the primaries as columns."""

    def xyz(values: object) -> bytes:
        return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(v * 65536)) for v in values)

    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    name = b"test\0"
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", len(name)) + name + b"\0" * 79,
        b"cprt": b"text\0\0\0\0none\0",
        b"wtpt": xyz((0.9642, 1.0, 0.8249)),
    }
    if space == b"RGB ":
        for at, letter in enumerate((b"r", b"g", b"b")):
            tags[letter + b"XYZ"] = xyz(primaries[:, at])
            tags[letter + b"TRC"] = curve
    else:
        tags[b"kTRC"] = curve
    table, body = struct.pack(">I", len(tags)), b""
    for tag, data in tags.items():
        data += b"\0" * (-len(data) % 4)
        table += tag + struct.pack(">II", 128 + 4 + 12 * len(tags) + len(body), len(data))
        body += data
    head = struct.pack(
        ">I4s4s4s4s4s", 132 + 12 * len(tags) + len(body), b"lcms", b"\x02\x10\0\0", b"mntr", space, b"XYZ "
    )
    head += b"\0" * 12 + b"acsp" + b"\0" * 28 + xyz((0.9642, 1.0, 0.8249))[8:] + b"\0" * 48
    return head + table + body


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    """A folder of pictures, each from its seed."""

    def make(*seeds: int, name: str = "pictures") -> Path:
        root = tmp_path / name
        root.mkdir(exist_ok=True)
        for seed in seeds:
            (root / f"{seed:03}.png").write_bytes(encoded(scene(seed)))
        return root

    return make


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a store with many kinds of pictures, to be copied."""
    from tests.curation.exports import make_many_kinds

    return make_many_kinds(tmp_path_factory.mktemp("made"))


@pytest.fixture
def many_kinds(made: Path, tmp_path: Path) -> Store:
    """A store to change as one likes: thirteen kept pictures of several formats and sources, some derived ones."""
    return Store.open(shutil.copytree(made, tmp_path / "store"))
