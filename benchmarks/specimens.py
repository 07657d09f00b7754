"""Whole files to begin from: a small picture in every format and mode that Pillow writes, and archives of such."""

import io
import tarfile
import zipfile
from collections.abc import Iterator

import numpy as np
from PIL import Image

SIDES = (40, 28)
PLAIN = ("BMP", "DIB", "DDS", "ICNS", "ICO", "JPEG2000", "PCX", "PPM", "QOI", "SGI", "TGA", "TIFF")
TIFFS = ("tiff_lzw", "tiff_adobe_deflate", "packbits", "group4", "jpeg", "webp", "zstd", "lzma")
ANIMATED = ("AVIF", "GIF", "PNG", "WEBP", "TIFF", "MPO")


def drawing(seed: int) -> Image.Image:
    """A ground with a few boxes."""
    rng = np.random.default_rng(seed)
    width, height = SIDES
    pixels = np.full((height, width, 3), rng.integers(0, 256, 3), np.uint8)
    for _ in range(6):
        x, y = rng.integers(0, width - 4), rng.integers(0, height - 4)
        pixels[y : y + rng.integers(4, 20), x : x + rng.integers(4, 20)] = rng.integers(0, 256, 3)
    return Image.fromarray(pixels)


def pictures() -> list[bytes]:
    """One file of each sort; a sort that this Pillow cannot write is left out."""
    image = drawing(0)
    grey, clear = image.convert("L"), image.convert("RGBA")
    clear.putalpha(grey)
    wide = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "a drawing"
    sorts: list[tuple[Image.Image, str, dict[str, object]]] = [
        *((image, kind, {}) for kind in PLAIN),
        *((image.convert("1") if how == "group4" else image, "TIFF", {"compression": how}) for how in TIFFS),
        *((mode, "TIFF", {}) for mode in (wide, clear, image.convert("CMYK"), image.convert("LAB"))),
        *((mode, "PNG", {}) for mode in (image, grey, clear, wide, image.convert("1"), image.quantize(16))),
        (image, "PNG", {"exif": exif.tobytes(), "icc_profile": srgb()}),
        (image.quantize(16), "PNG", {"transparency": bytes(range(16))}),
        (image, "JPEG", {"quality": 90}),
        (image, "JPEG", {"progressive": True, "exif": exif.tobytes(), "icc_profile": srgb()}),
        *((mode, "JPEG", {}) for mode in (grey, image.convert("CMYK"))),
        *((mode, "WEBP", {"lossless": lossless}) for mode in (image, clear) for lossless in (True, False)),
        *((mode, "AVIF", {"exif": exif.tobytes()}) for mode in (image, clear)),
        *((mode, "GIF", {}) for mode in (image, clear)),
        *((mode, "TGA", {"compression": "tga_rle"}) for mode in (image, grey)),
        *((mode, "PPM", {}) for mode in (grey, wide, image.convert("1"))),
        (image.convert("1"), "XBM", {}),
        *((image, kind, {"save_all": True, "append_images": [drawing(1), drawing(2)]}) for kind in ANIMATED),
    ]
    return [data for sort in sorts if (data := saved(*sort))]


def saved(image: Image.Image, kind: str, options: dict[str, object]) -> bytes:
    """A file; empty where this Pillow cannot write it."""
    file = io.BytesIO()
    try:
        image.save(file, kind, **options)  # type: ignore[arg-type]
    except (KeyError, OSError, ValueError, RuntimeError):
        return b""
    return file.getvalue()


def srgb() -> bytes:
    """A profile."""
    from PIL import ImageCms

    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def archives() -> list[bytes]:
    """Zip and tar with every compression that is common."""
    return [*zips(), *tars()]


def members() -> list[tuple[str, bytes]]:
    """What is in them."""
    return [
        ("a.png", saved(drawing(3), "PNG", {})),
        ("a.txt", b"a drawing"),
        ("b/c.jpg", saved(drawing(4), "JPEG", {})),
    ]


def zips() -> Iterator[bytes]:
    """Each with another compression."""
    for how in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", how) as archive:
            for name, data in members():
                archive.writestr(name, data)
        yield file.getvalue()


def tars() -> Iterator[bytes]:
    """Each with another compression and header."""
    for mode, form in (("w", tarfile.GNU_FORMAT), ("w", tarfile.PAX_FORMAT), ("w:gz", 1), ("w:bz2", 1), ("w:xz", 1)):
        file = io.BytesIO()
        with tarfile.open(fileobj=file, mode=mode, format=form) as archive:  # type: ignore[call-overload]
            for name, data in members():
                header = tarfile.TarInfo(name)
                header.size = len(data)
                archive.addfile(header, io.BytesIO(data))
            link = tarfile.TarInfo("link.png")
            link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
            archive.addfile(link)
        yield file.getvalue()
