"""Ways in which a file gets damaged, or is made to do damage: each takes bytes and gives others, by a seeded draw."""

from collections.abc import Callable, Sequence

import numpy as np

Rng = np.random.Generator
HEADER = 200
"""bytes in which sizes, counts and offsets stand, in most formats"""
NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF)
MOST = 8
"""damages of one file"""


def mutated(specimens: Sequence[bytes], rng: Rng) -> bytes:
    """One of the specimens with one or more damages; now and then something that never was a file."""
    if rng.random() < 0.01:
        return rng.bytes(int(rng.integers(0, 2000)))
    data = specimens[rng.integers(len(specimens))]
    for _ in range(int(min(rng.geometric(0.4), MOST))):
        damage = DAMAGES[rng.integers(len(DAMAGES))]
        data = damage(data, specimens, rng)
    return data


def place(data: bytes, rng: Rng) -> int:
    """Somewhere in a file, every second time in its header."""
    end = min(len(data), HEADER) if rng.random() < 0.5 else len(data)
    return int(rng.integers(0, max(1, end)))


def flip(data: bytes, _: Sequence[bytes], rng: Rng) -> bytes:
    """One bit is another one."""
    at = place(data, rng)
    return data[:at] + bytes(byte ^ 1 << int(rng.integers(8)) for byte in data[at : at + 1]) + data[at + 1 :]


def number(data: bytes, _: Sequence[bytes], rng: Rng) -> bytes:
    """A number that is at the edge of what fits, where another one may have stood."""
    at, width = place(data, rng), int(rng.choice((1, 2, 4)))
    value = NUMBERS[rng.integers(len(NUMBERS))] & (1 << 8 * width) - 1
    order = "big" if rng.random() < 0.5 else "little"
    return data[:at] + value.to_bytes(width, order) + data[at + width :]  # type: ignore[arg-type]


def noise(data: bytes, _: Sequence[bytes], rng: Rng) -> bytes:
    """Some bytes in a row are others."""
    at, length = place(data, rng), int(rng.integers(1, 64))
    return data[:at] + rng.bytes(length) + data[at + length :]


def cut(data: bytes, _: Sequence[bytes], rng: Rng) -> bytes:
    """It ends too early."""
    return data[: place(data, rng)]


def lose(data: bytes, _: Sequence[bytes], rng: Rng) -> bytes:
    """Something in the middle is missing."""
    at = place(data, rng)
    return data[:at] + data[at + int(rng.integers(1, 200)) :]


def repeat(data: bytes, _: Sequence[bytes], rng: Rng) -> bytes:
    """Something stands there twice, or many times."""
    at, length = place(data, rng), int(rng.integers(1, 200))
    return data[:at] + data[at : at + length] * int(rng.integers(2, 50)) + data[at + length :]


def splice(data: bytes, specimens: Sequence[bytes], rng: Rng) -> bytes:
    """It begins as one file and goes on as another."""
    other = specimens[rng.integers(len(specimens))]
    return data[: place(data, rng)] + other[place(other, rng) :]


def zeros(data: bytes, _: Sequence[bytes], rng: Rng) -> bytes:
    """A disk gave nothing back for a while."""
    at, length = place(data, rng), int(rng.integers(1, 512))
    return data[:at] + bytes(min(length, len(data) - at)) + data[at + length :]


DAMAGES: tuple[Callable[[bytes, Sequence[bytes], Rng], bytes], ...] = (
    *(flip, number, number, number, noise, cut, lose, repeat, splice, zeros),
)
