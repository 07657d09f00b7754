"""Pictures drawn from a seed, records of them, and what the other processes of a test do."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image as Pillow

from augment.generator import Generator
from augment.png import png_of
from augment.transform import Transform
from core.hashing import sha256_of
from core.pixels import Pixels
from core.record import Record
from core.seeding import generator


def a_picture(number: int = 1, width: int = 80, height: int = 64) -> Pixels:
    """A coloured shape with a black outline, off the centre, on a coloured ground: no two are alike."""
    rng = generator("test picture", number)
    low = rng.integers(0, 256, size=(4, 5, 3), dtype=np.uint8)
    image = np.asarray(Pillow.fromarray(low).resize((width, height), Pillow.Resampling.BICUBIC)).copy()
    image[height // 4 : height // 2, width // 5 : width // 2] = rng.integers(0, 256, size=3)
    image[height // 4 : height // 2 : 12, width // 5 : width // 2] = 0
    return image


def a_record(number: int = 1, **fields: Any) -> Record:
    image = a_picture(number)
    name = f"{number}.png"
    sha256 = sha256_of(png_of(image))
    plain = Record(Record.id_of("test", name, sha256), sha256, "test", name, f"/pictures/{name}")
    height, width = image.shape[:2]
    return replace(plain, width=width, height=height, split="train", group=f"group-{number}", **fields)


def reader(*records: Record) -> Callable[[Record], Pixels]:
    pictures = {record.id: a_picture(int(record.name.removesuffix(".png"))) for record in records}
    return lambda record: pictures[record.id]


def made_in_another_process(kind: str, numbers: list[int], seed: int) -> list[bytes]:
    """PNG bytes in the order of ``numbers``."""
    block = Transform.of_kind(kind)()
    return [
        png_of(block.apply(a_picture(n), generator(a_record(n).id, block.fingerprint, seed)).pixels) for n in numbers
    ]


def generated_in_another_process(blocks: list[dict[str, Any]]) -> list[list[bytes]]:
    """PNG bytes of two pictures by each block."""
    batch = [(a_record(n), a_picture(n), "a red cat") for n in (1, 2)]
    made = [Generator.parse(block).generate(batch, [generator(n) for n in (1, 2)]) for block in blocks]
    return [[png_of(one.pixels) for one in pictures] for pictures in made]
