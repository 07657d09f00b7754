"""Whether a PNG holds fewer rows than its header says; Pillow leaves the missing ones black and says nothing."""

import struct
import zlib
from collections.abc import Iterator

PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""of an interlaced file: first column and row, and how far the next ones are"""
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""by colour type"""
PIECE = 1 << 20


def lacks_rows(png: bytes) -> bool:
    """Unpacks the file once more, and keeps nothing of it."""
    width, height, bits, colour, _, _, interlaced = struct.unpack_from(">IIBBBBB", png, 16)
    per_pixel = bits * CHANNELS.get(colour, 1)
    passes = PASSES if interlaced else ((0, 0, 1, 1),)
    missing = sum(pass_bytes(width, height, per_pixel, *one) for one in passes)
    unpacker = zlib.decompressobj()
    for packed in packed_parts(png):
        while packed and not unpacker.eof:
            missing -= len(unpacker.decompress(packed, PIECE))
            packed = unpacker.unconsumed_tail
        if missing <= 0 or unpacker.eof:
            break
    return missing > 0


def pass_bytes(width: int, height: int, per_pixel: int, left: int, top: int, across: int, down: int) -> int:
    """Unpacked bytes of one pass, a byte for each row's filter included."""
    columns, rows = -(-(width - left) // across), -(-(height - top) // down)
    return 0 if columns <= 0 or rows <= 0 else rows * (1 + (columns * per_pixel + 7) // 8)


def packed_parts(png: bytes) -> Iterator[bytes]:
    """What stands in the chunks of the picture itself; those of later frames are others."""
    at = 8
    while at + 8 <= len(png):
        length, kind = struct.unpack_from(">I4s", png, at)
        if kind == b"IDAT":
            yield png[at + 8 : at + 8 + length]
        at += 12 + length
