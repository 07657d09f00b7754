"""Pixels to PNG bytes: the same pixels give the same bytes, without dates, profiles or comments."""

import io

from PIL import Image

from core.pixels import Pixels


def png_of(pixels: Pixels) -> bytes:
    """The picture as an 8-bit RGB PNG."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG", compress_level=6)
    return buffer.getvalue()
