"""Pictures of one colour with their records, for stages that need some and do not mind what they show."""

from dataclasses import replace
from typing import Any

import numpy as np

from core.hashing import digest
from core.pixels import Pixels
from core.record import Record
from core.seeding import generator


def a_record(number: int, **fields: Any) -> Record:
    name, sha256 = f"fruit/red_apple-{number}.png", digest("picture", number, length=64)
    plain = Record(Record.id_of("test", name, sha256), sha256, "test", name, f"/pictures/{name}", split="train")
    return replace(plain, width=32, height=32, **fields)


def read(record: Record) -> Pixels:
    return generator(record.sha256).integers(0, 256, size=(32, 32, 3), dtype=np.uint8)


def unread(record: Record) -> Pixels:
    raise AssertionError(f"{record.name} was read although nothing had to be computed")
