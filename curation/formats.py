"""Which picture formats are read, what their files begin with, and what else a file may be: all before decoding."""

import importlib.util
import io
import posixpath
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Literal

from PIL import Image, UnidentifiedImageError

_READ = "AVIF BMP DDS GIF HEIF ICNS ICO JPEG JPEG2000 JXL MPO PCX PNG PPM PSD QOI SGI TGA TIFF WEBP XBM"
READ = frozenset(_READ.split())
"""Pillow's names; without EPS and WMF, whose plugins run other programs"""
ANIMATED = frozenset(("AVIF", "GIF", "PNG", "WEBP"))
"""in which more pictures than one are the frames of one (not pages, as in TIFF, nor views, as in MPO)"""
PLUGINS = {"HEIF": ("pillow_heif", "pillow-heif"), "JXL": ("pillow_jxl", "pillow-jxl-plugin")}
"""format: module, and the package to install"""

_SUFFIXES = """
    apng arw avif bmp cr2 cr3 dds dib dng eps exr gif hdr heic heif icns ico j2c j2k jfif jp2 jpe jpeg jpf jpg jpx jxl
    mpo nef orf pbm pcx pfm pgm png pnm ppm psd qoi raf rw2 sgi svg svgz tga tif tiff webp xbm xcf
"""
SUFFIXES = frozenset(f".{suffix}" for suffix in _SUFFIXES.split())
"""a file so named is meant as a picture, whether it can be read or not"""


@dataclass(frozen=True, slots=True)
class Format:
    """What a file is, by its first bytes."""

    name: str
    remedy: str = ""
    """what would make it readable; empty where it is readable as it is"""


def plugin(name: str) -> str:
    """How to read a format that needs a plugin."""
    return f"install {PLUGINS[name][1]} (pip install {PLUGINS[name][1]}) and ingest again"


CAMERA = "camera raw has no pixels of its own yet: develop it to TIFF, PNG or JPEG"
VECTOR = "render it to PNG at the size you need"
CONVERT = "save it as PNG or TIFF"
MAGIC: tuple[tuple[int, bytes, Format], ...] = (
    (0, b"\xff\xd8\xff", Format("a JPEG")),
    (0, b"\x89PNG\r\n\x1a\n", Format("a PNG")),
    (0, b"GIF87a", Format("a GIF")),
    (0, b"GIF89a", Format("a GIF")),
    (8, b"WEBP", Format("a WebP")),
    (0, b"BM", Format("a BMP")),
    (8, b"CR\x02", Format("a Canon raw file", CAMERA)),
    (0, b"II*\0", Format("a TIFF")),
    (0, b"MM\0*", Format("a TIFF")),
    (0, b"II+\0", Format("a BigTIFF")),
    (0, b"MM\0+", Format("a BigTIFF")),
    (0, b"IIRO", Format("an Olympus raw file", CAMERA)),
    (0, b"IIU\0", Format("a Panasonic raw file", CAMERA)),
    (0, b"FUJIFILMCCD-RAW", Format("a Fujifilm raw file", CAMERA)),
    (4, b"ftypcrx", Format("a Canon raw file", CAMERA)),
    (4, b"ftypavi", Format("an AVIF")),
    *((4, b"ftyp" + brand, Format("a HEIC", plugin("HEIF"))) for brand in (b"hei", b"hev", b"mif1", b"msf1")),
    (0, b"\xff\x0a", Format("a JPEG XL", plugin("JXL"))),
    (0, b"\0\0\0\x0cJXL \r\n\x87\n", Format("a JPEG XL", plugin("JXL"))),
    (0, b"\0\0\0\x0cjP  \r\n\x87\n", Format("a JPEG 2000")),
    (0, b"\xff\x4f\xff\x51", Format("a JPEG 2000")),
    (0, b"8BPS", Format("a Photoshop file")),
    (0, b"qoif", Format("a QOI")),
    (0, b"DDS ", Format("a DDS")),
    (0, b"\0\0\1\0", Format("an icon")),
    (0, b"icns", Format("an icon")),
    (0, b"\x76\x2f\x31\x01", Format("an OpenEXR", CONVERT)),
    (0, b"#?RADIANCE", Format("a Radiance HDR", CONVERT)),
    (0, b"gimp xcf", Format("a GIMP file", CONVERT)),
    (0, b"%!PS", Format("a PostScript file", VECTOR)),
    (0, b"\xc5\xd0\xd3\xc6", Format("a PostScript file", VECTOR)),
    (0, b"<svg", Format("an SVG", VECTOR)),
)


def sniff(data: bytes) -> Format | None:
    """What kind of picture the bytes begin as; ``None`` for what is no picture. Needs the first 1,024 bytes."""
    for offset, magic, what in MAGIC:
        if data.startswith(magic, offset):
            return what
    if b"<svg" in data[:1024] and data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return Format("an SVG", VECTOR)
    if data[:1] == b"P" and data[1:2] in b"123456fFy" and data[2:3].isspace():
        return Format("a PNM")
    return None


def words_for(data: bytes) -> str:
    """What something that is no picture looks like, for a person."""
    start = data[:256].lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return "a web page"
    if start.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer (fetch the real file with `git lfs pull`)"
    if start.startswith(b"%pdf"):
        return "a PDF"
    if start.startswith(b"pk\x03\x04"):
        return "a zip archive"
    if data[4:8] == b"ftyp" or data.startswith(b"\x1aE\xdf\xa3"):
        return "a video"
    if not data.strip(b"\0"):
        return "nothing but zeros"
    if all(32 <= byte < 127 or byte in b"\t\r\n" for byte in data[:256]):
        return "text"
    return "not that of any picture format known here"


def is_short(data: bytes) -> bool:
    """Whether the file itself says that bytes are missing at its end."""
    if len(data) < 16:
        return True
    if data.startswith(b"RIFF"):
        return len(data) < int.from_bytes(data[4:8], "little") + 8
    if data.startswith(b"\x89PNG"):
        return b"IEND" not in data[-16:]
    if data.startswith((b"\xff\xd8\xff", b"\xff\x4f\xff\x51")):
        return b"\xff\xd9" not in data[-1024:]
    if data.startswith(b"GIF8"):
        return b";" not in data[-16:]
    if data.startswith((b"II*\0", b"MM\0*")):
        return directory_end(data) > len(data)
    if data[4:8] in (b"ftyp", b"jP  "):
        return boxes_end(data) > len(data)
    return False


def directory_end(tiff: bytes) -> int:
    """Where the first directory of a TIFF ends."""
    order: Literal["little", "big"] = "little" if tiff.startswith(b"II") else "big"
    start = int.from_bytes(tiff[4:8], order)
    return start + 2 + 12 * int.from_bytes(tiff[start : start + 2], order) + 4


def boxes_end(data: bytes) -> int:
    """Where the last box of an ISO media file ends."""
    end = 0
    while end < len(data):
        size = int.from_bytes(data[end : end + 4], "big")
        if size == 1:
            size = int.from_bytes(data[end + 8 : end + 16], "big")
        if size < 8:  # 0: it goes to the end of the file, however long that is
            break
        end += size
    return end


@cache
def plugins() -> tuple[str, ...]:
    """The optional formats that can be read here; registers them with Pillow."""
    there = []
    if importlib.util.find_spec("pillow_heif"):
        import pillow_heif  # type: ignore[import-not-found]

        pillow_heif.register_heif_opener()
        there.append("HEIF")
    if importlib.util.find_spec("pillow_jxl"):
        import pillow_jxl  # type: ignore[import-not-found]  # noqa: F401

        there.append("JXL")
    return tuple(there)


def opened(data: bytes) -> Image.Image:
    """The picture with its header read and nothing decoded."""
    plugins()
    Image.preinit()  # the few commonest formats; importing all others takes longer than decoding a small picture
    try:
        return Image.open(io.BytesIO(data), formats=sorted(READ & Image.OPEN.keys()))
    except UnidentifiedImageError:
        Image.init()
        return Image.open(io.BytesIO(data), formats=sorted(READ & Image.OPEN.keys()))


def is_guess(image: Image.Image, data: bytes) -> bool:
    """Whether only the lack of a better idea makes it a picture: TGA has no magic bytes, so nearly anything passes."""
    if image.format != "TGA":
        return False
    bits = {1: 8, 2: data[16], 3: data[16]}.get(data[2], 0)
    colours = int.from_bytes(data[5:7], "little") * ((data[7] + 7) // 8)
    exactly = 18 + data[0] + colours + image.width * image.height * ((bits + 7) // 8)
    return b"TRUEVISION-XFILE" not in data[-26:] and (not bits or len(data) != exactly)


@contextmanager
def own_limit(max_pixels: int) -> Iterator[None]:
    """Pillow's own guard at our limit: it also watches what is packed inside icons, which their headers do not tell."""
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = max_pixels
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


def media_type(image: Image.Image) -> str:
    """Such as ``image/png``."""
    name = image.format or ""
    return Image.MIME.get(name, f"image/x-{name.lower()}")


def num_frames(image: Image.Image) -> int:
    """How many frames an animated picture has; 1 for all others. The picture stays at its first frame."""
    if image.format not in ANIMATED:
        return 1
    try:
        return max(1, int(getattr(image, "n_frames", 1)))
    except Exception:  # damaged behind the first frame, which may be whole
        return 1


def preview_only(image: Image.Image) -> str:
    """Words where the first page of a TIFF is but the thumbnail of a raw file; else empty."""
    if image.format != "TIFF":
        return ""
    tags = image.tag_v2  # type: ignore[attr-defined]
    if 50706 in tags or (330 in tags and int(tags.get(254, 0)) & 1):  # DNGVersion; SubIFDs under a reduced picture
        return f"it is a camera raw file; {CAMERA}"
    return ""


def orientation(image: Image.Image) -> int:
    """EXIF's orientation, 1 to 8; 1 (upright) where there is none or it cannot be read."""
    try:
        value = image.getexif().get(0x0112, 1)
    except Exception:  # damaged EXIF is no reason to lose the picture, and its parser raises nearly anything
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def looks_meant(name: str) -> bool:
    """Whether a file's name says that it is a picture."""
    return posixpath.splitext(name)[1].lower() in SUFFIXES
