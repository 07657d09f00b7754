"""Bytes of any picture file in, upright sRGB pixels out, right to the pixel; or `Undecodable` with a reason.

The header is read first: nothing is unpacked before format, size and ratio are known to be sane. What is done then:

- samples wider than 8 bits are scaled by their real range (`curation/samples.py`), never cut off;
- an ICC profile is applied (to sRGB, relative colorimetric), CMYK and Lab included; a broken profile is ignored;
- alpha (channel, palette or colour key) is laid onto ``matte``, and kept as a mask;
- the EXIF orientation is applied; of an animated picture or a file of many pages the first frame is taken
  (`curation/frames.py` gives the others).
"""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from core.pixels import Pixels
from core.record import Reason
from curation import colour, formats, samples
from curation.png_rows import lacks_rows

Mask = NDArray[np.uint8]
"""(height, width) opacity: 0 = nothing is there, 255 = all of it is"""
Matte = tuple[int, int, int]
"""the sRGB colour that shows where a picture is transparent"""

VERSION = 2
"""Raise it when the same bytes begin to give other pixels: every picture is then read again."""
WHITE: Matte = (255, 255, 255)
MAX_PIXELS = 100_000_000
MOST_ROOM = 1 << 27
"""bytes that are kept from one picture to the next: those of 32 megapixels"""
HARMLESS = 1_000_000
"""pixels; below that no ratio is suspicious"""
MAX_PIXELS_PER_BYTE = 20_000
"""a blank 1-bit PNG has 8,000; what claims more is either a bomb or as good as blank"""


@dataclass(frozen=True, slots=True)
class Decoded:
    """One picture, upright, and what its file was."""

    pixels: Pixels
    alpha: Mask | None
    """``None`` where every pixel is opaque"""
    width: int
    height: int
    media_type: str
    num_frames: int = 1
    """of an animated picture; the pages of a document and the views of a stereo picture do not count"""


class Undecodable(Exception):
    """A file that is refused, and why; the only exception that `decode` raises."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(words)
        self.reason = Reason(code, words)


class Room:
    """Memory that pictures are unpacked into, each over the one before: to get new one costs a tenth of decoding."""

    def __init__(self) -> None:
        self._memory = bytearray()

    def of(self, size: int) -> bytearray | None:
        """At least so many bytes; none for pictures that are seldom so large."""
        if size > MOST_ROOM:
            return None
        if len(self._memory) < size:
            self._memory = bytearray(size)
        return self._memory


def decode(data: bytes, *, matte: Matte = WHITE, max_pixels: int = MAX_PIXELS, room: Room | None = None) -> Decoded:
    """The pixels of a picture file.

    With ``room`` they may lie there, valid until the next picture, and have an unused byte each, as libraries like it.

    Codes of refusal: ``empty``, ``not_a_picture``, ``unsupported_format``, ``too_many_pixels``, ``bomb``,
    ``truncated``, ``damaged``, ``too_much_memory``.
    """
    with refusing(data, max_pixels), header(data, max_pixels) as image:
        media_type, num_frames = formats.media_type(image), formats.num_frames(image)
        pixels, alpha = fast_jpeg(data, image, room), None
        if pixels is None:
            pixels, alpha = unpacked(image, len(data), max_pixels)
            if image.format == "PNG" and not pixels[-1].any() and lacks_rows(data):  # black rows are seldom
                raise Undecodable("truncated", "it is a PNG with fewer rows than its header says")
        elif profile := image.info.get("icc_profile"):
            pixels = np.asarray(colour.with_profile(Image.fromarray(pixels), profile))
        if alpha is not None:
            pixels = over(pixels, alpha, matte)
        orientation = formats.orientation(image)
        if room is None or orientation != 1:
            pixels = np.ascontiguousarray(upright(pixels, orientation))
        mask = None if alpha is None else np.ascontiguousarray(upright(alpha, orientation))
    height, width = pixels.shape[:2]
    return Decoded(pixels, mask, width, height, media_type, num_frames)


@contextmanager
def refusing(data: bytes, max_pixels: int) -> Iterator[None]:
    """Whatever goes wrong within becomes an `Undecodable`."""
    if not data:
        raise Undecodable("empty", "the file has no bytes")
    try:
        with warnings.catch_warnings(), formats.own_limit(max_pixels):
            warnings.simplefilter("ignore")  # what Pillow warns of is either handled here or refused
            yield
    except Undecodable:
        raise
    except MemoryError:
        raise Undecodable("too_much_memory", "decoding it takes more memory than one picture may have") from None
    except Exception as error:  # Pillow's plugins raise nearly anything on damaged bytes
        refuse_damaged(data, error)


def header(data: bytes, max_pixels: int) -> Image.Image:
    """A file whose header says that it can be unpacked; call it within `refusing`."""
    try:
        image = formats.opened(data)
    except UnidentifiedImageError:
        refuse_unknown(data)
    except Image.DecompressionBombError as error:
        claimed = re.search(r"\d+", str(error))
        refuse_oversized((int(claimed.group()) if claimed else 2 * max_pixels + 1, 1), len(data), max_pixels)
        raise
    if formats.is_guess(image, data):
        refuse_unknown(data)
    refuse_oversized(image.size, len(data), max_pixels)
    if image.mode == "P" and image.format == "PNG" and image.palette is None:
        raise Undecodable("damaged", "its pixels are numbers of colours, and it has no list of colours")
    if words := formats.preview_only(image):
        raise Undecodable("unsupported_format", words)
    return image


def unpacked(image: Image.Image, num_bytes: int, max_pixels: int) -> tuple[Pixels, Mask | None]:
    """The pixels of an opened picture as its file has them: not turned upright, not laid onto anything."""
    image.load()
    refuse_oversized(image.size, num_bytes, max_pixels)  # icons name one size and hold another
    return colour.to_srgb(samples.eight_bits(image))


def refuse_oversized(size: tuple[int, int], num_bytes: int, max_pixels: int) -> None:
    """Refuse a picture that is too large to unpack, by what its header claims."""
    width, height = size
    pixels = width * height
    if pixels < 1:
        raise Undecodable("damaged", f"its header says {width}x{height} pixels")
    if pixels > HARMLESS and pixels / num_bytes > MAX_PIXELS_PER_BYTE:
        raise Undecodable("bomb", f"it claims {pixels:,} pixels in {num_bytes:,} bytes, which no real picture has")
    if pixels > max_pixels:
        raise Undecodable("too_many_pixels", f"it has {pixels:,} pixels; at most {max_pixels:,} are decoded")


def refuse_unknown(data: bytes) -> NoReturn:
    """Say what a file is that Pillow cannot open."""
    what = formats.sniff(data)
    if what is None:
        raise Undecodable("not_a_picture", f"its content is {formats.words_for(data)}, whatever its name says")
    if what.remedy:
        raise Undecodable("unsupported_format", f"it is {what.name}; {what.remedy}")
    if formats.is_short(data):
        raise Undecodable("truncated", f"it begins as {what.name} but ends too early")
    raise Undecodable("damaged", f"it begins as {what.name} but its header cannot be read")


def refuse_damaged(data: bytes, error: Exception) -> NoReturn:
    """Say how a file is damaged that Pillow opened but could not decode."""
    what = formats.sniff(data)
    name = what.name if what else "a picture"
    said = " ".join(str(error).split()) or type(error).__name__
    ends = ("truncat", "premature end of jpeg file", "not enough image data", "reached eof")
    if formats.is_short(data) or any(words in said.lower() for words in ends):
        raise Undecodable("truncated", f"it is {name} that ends too early ({said[:120]})") from None
    raise Undecodable("damaged", f"it is {name} that cannot be decoded ({said[:120]})") from None


def fast_jpeg(data: bytes, image: Image.Image, room: Room | None) -> Pixels | None:
    """The pixels of an everyday JPEG, faster than Pillow; ``None`` where Pillow has to do it."""
    if image.format != "JPEG" or not (image.mode == "RGB" or (image.mode == "L" and "icc_profile" not in image.info)):
        return None
    import simplejpeg

    try:
        if simplejpeg.decode_jpeg_header(data)[:2] != (image.height, image.width):
            return None
    except ValueError:
        return None
    try:
        space = "RGB" if room is None else "RGBX"
        into = None if room is None else room.of(image.height * image.width * len(space))
        pixels: Pixels = simplejpeg.decode_jpeg(
            data, colorspace=space, fastdct=False, fastupsample=False, buffer=into, strict=True
        )
        return pixels[..., :3]
    except ValueError as error:  # libjpeg's warnings too: Pillow would fill what is missing with grey and say nothing
        if any(words in str(error) for words in ("extraneous bytes", "Unsupported", "colorspace")):
            return None
        raise


def over(pixels: Pixels, alpha: Mask, matte: Matte) -> Pixels:
    """A picture laid onto a colour, each value rounded."""
    opacity = alpha[..., None].astype(np.uint16)
    shown = pixels * opacity  # 255 * 255 fits, and so does the sum below
    shown += np.array(matte, np.uint16) * (255 - opacity) + 127
    shown //= 255
    return shown.astype(np.uint8)


def upright(array: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Rows and columns turned and mirrored as EXIF's orientation (1 to 8) says."""
    if orientation >= 5:
        array = array.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    return array
