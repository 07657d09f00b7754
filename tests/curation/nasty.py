"""Nasty files, made from nothing, in three tables: what each must show, or what it must be refused for."""

import struct
import zlib
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageCms

from tests.curation.conftest import Array, chunk, encoded, png, profile, scene

SCENE = scene(1)
IMAGE = Image.fromarray(SCENE)
RAMP = np.linspace(0, 65535, 96 * 64).reshape(64, 96).astype(np.uint16)
"""every grey from black to white in 16 bits"""
RAMP8 = np.round(RAMP / 257).astype(np.uint8)
ALPHA = RAMP8
LOSSLESS = {"lossless": True, "exact": True}
FINEST = {"quality": 100, "subsampling": 0}
PLAIN = ("BMP", "DDS", "JPEG2000", "PCX", "PPM", "QOI", "SGI", "TGA")
AVIF = {"quality": 100, "subsampling": "4:4:4"}
ADOBE = np.array([[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]])
SRGB = np.array([[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]])


def grey(values: Array) -> Array:
    return np.repeat(values[..., None], 3, axis=2)


def on(pixels: Array, alpha: Array, matte: tuple[int, int, int] = (255, 255, 255)) -> Array:
    share = alpha[..., None] / 255
    return np.round(pixels * share + np.array(matte) * (1 - share)).astype(np.uint8)


def srgb_of(linear: Array) -> Array:
    linear = np.clip(linear, 0, 1)
    curve = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.round(255 * curve).astype(np.uint8)


def with_exif(orientation: int, kind: str, **options: object) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(IMAGE, kind, exif=exif if kind == "TIFF" else exif.tobytes(), **options)


def lab() -> Image.Image:
    srgb, space = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    return ImageCms.applyTransform(IMAGE, ImageCms.buildTransform(srgb, space, "RGB", "LAB"))


def twelve_bits() -> bytes:
    """A TIFF of 12 bits a sample, packed: two samples in three bytes."""
    values = (RAMP >> 4).ravel().astype(np.uint32)
    pairs = values[::2] << 12 | values[1::2]
    data = np.stack((pairs >> 16, pairs >> 8 & 255, pairs & 255), axis=1).astype(np.uint8).tobytes()
    tags = [(256, 4, 96), (257, 4, 64), (258, 3, 12), (259, 3, 1), (262, 3, 1), (273, 4, 8), (277, 3, 1), (278, 4, 64)]
    tags.append((279, 4, len(data)))
    directory = struct.pack("<H", len(tags))
    for tag, kind, value in tags:
        directory += struct.pack("<HHI", tag, kind, 1) + struct.pack(
            "<I" if kind == 4 else "<HH", *([value, 0][: 5 - kind])
        )
    return struct.pack("<2sHI", b"II", 42, 8 + len(data)) + data + directory + b"\0\0\0\0"


DARK = {  # 16-bit samples by file: all of them white in a reader that cuts at 255
    "PNG": lambda: png(RAMP, 0),
    "TIFF": lambda: encoded(RAMP, "TIFF"),
    "compressed TIFF": lambda: encoded(RAMP, "TIFF", compression="tiff_lzw"),
    "PGM": lambda: b"P5\n96 64\n65535\n" + RAMP.astype(">u2").tobytes(),
    "32-bit integer TIFF": lambda: encoded(RAMP.astype(np.int32), "TIFF"),
    "float TIFF to 1": lambda: encoded((RAMP / 65535).astype(np.float32), "TIFF"),
    "float TIFF to 255": lambda: encoded((RAMP / 257).astype(np.float32), "TIFF"),
    "float TIFF to 65535": lambda: encoded(RAMP.astype(np.float32), "TIFF"),
    "12-bit TIFF": twelve_bits,
}


SAME: dict[str, tuple[Callable[[], bytes], Array, int]] = {  # file, what it must show, and by how much it may be off
    "PNG": (lambda: encoded(IMAGE), SCENE, 0),
    "PNG of 16-bit colour": (lambda: png(SCENE.astype(np.uint16) * 257, 2), SCENE, 0),
    "PNG of two pages": (lambda: encoded(IMAGE, save_all=True, append_images=[Image.fromarray(scene(2))]), SCENE, 0),
    "PNG without its last chunk": (lambda: encoded(IMAGE)[:-12], SCENE, 0),
    "bilevel PNG": (lambda: encoded(Image.fromarray(RAMP8 > 99)), grey(np.where(RAMP8 > 99, 255, 0)), 0),
    "bilevel TIFF": (
        lambda: encoded(Image.fromarray(RAMP8 > 99), "TIFF", compression="group4"),
        grey(np.where(RAMP8 > 99, 255, 0)),
        0,
    ),
    "palette PNG": (lambda: encoded(IMAGE.quantize(64)), SCENE, 0),
    "JPEG": (lambda: encoded(IMAGE, "JPEG", **FINEST), SCENE, 4),
    "progressive JPEG": (lambda: encoded(IMAGE, "JPEG", progressive=True, **FINEST), SCENE, 4),
    "grey JPEG": (lambda: encoded(RAMP8, "JPEG", quality=100), grey(RAMP8), 2),
    "CMYK JPEG": (lambda: encoded(IMAGE.convert("CMYK"), "JPEG", quality=100), SCENE, 3),
    "JPEG with something behind it": (lambda: encoded(IMAGE, "JPEG", **FINEST) + b"behind" * 99, SCENE, 4),
    "MPO": (lambda: encoded(IMAGE, "MPO", save_all=True, append_images=[IMAGE], **FINEST), SCENE, 4),
    "CMYK TIFF": (lambda: encoded(IMAGE.convert("CMYK"), "TIFF"), SCENE, 0),
    "YCbCr TIFF": (lambda: encoded(IMAGE.convert("YCbCr"), "TIFF"), SCENE, 4),
    "Lab TIFF": (lambda: encoded(lab(), "TIFF"), SCENE, 8),
    "TIFF of pages": (lambda: encoded(IMAGE, "TIFF", save_all=True, append_images=[IMAGE.rotate(180)]), SCENE, 0),
    "BigTIFF": (lambda: encoded(IMAGE, "TIFF", big_tiff=True), SCENE, 0),
    "animated GIF": (lambda: encoded(IMAGE, "GIF", save_all=True, append_images=[IMAGE.rotate(180)]), SCENE, 0),
    "animated WebP": (
        lambda: encoded(IMAGE, "WEBP", save_all=True, append_images=[IMAGE.rotate(180)], lossless=True),
        SCENE,
        0,
    ),
    "animated AVIF": (lambda: encoded(IMAGE, "AVIF", save_all=True, append_images=[IMAGE], **AVIF), SCENE, 4),
    "AVIF": (lambda: encoded(IMAGE, "AVIF", **AVIF), SCENE, 4),
    **{
        f: (lambda f=f: encoded(IMAGE, f), SCENE, 0)
        for f in ["BMP", "DDS", "JPEG2000", "PCX", "PPM", "QOI", "SGI", "TGA"]
    },
    "one row": (lambda: encoded(SCENE[:1]), SCENE[:1], 0),
    "one pixel": (lambda: encoded(SCENE[:1, :1]), SCENE[:1, :1], 0),
    "RGB profile": (
        lambda: encoded(IMAGE, icc_profile=profile(b"RGB ", 2.19921875, ADOBE)),
        srgb_of((SCENE / 255.0) ** 2.19921875 @ (np.linalg.inv(SRGB) @ ADOBE).T),
        2,
    ),
    "RGB profile in a JPEG": (
        lambda: encoded(IMAGE, "JPEG", icc_profile=profile(b"RGB ", 2.19921875, ADOBE), **FINEST),
        srgb_of((SCENE / 255.0) ** 2.19921875 @ (np.linalg.inv(SRGB) @ ADOBE).T),
        16,
    ),
    "RGB profile on grey": (
        lambda: encoded(RAMP8, icc_profile=profile(b"RGB ", 1.0, SRGB)),
        grey(srgb_of(RAMP8 / 255.0)),
        2,
    ),
    "grey profile": (
        lambda: encoded(RAMP8, icc_profile=profile(b"GRAY", 1.8)),
        grey(srgb_of((RAMP8 / 255.0) ** 1.8)),
        2,
    ),
    "grey profile on 16 bits": (
        lambda: png(RAMP, 0, before=chunk(b"iCCP", b"x\0\0" + zipped(profile(b"GRAY", 1.8)))),
        grey(srgb_of((RAMP8 / 255.0) ** 1.8)),
        2,
    ),
    "grey profile on colour": (lambda: encoded(IMAGE, icc_profile=profile(b"GRAY", 1.0)), SCENE, 0),
    "broken profile": (lambda: encoded(IMAGE, icc_profile=b"nonsense"), SCENE, 0),
    "profile cut off": (lambda: encoded(IMAGE, icc_profile=profile(b"RGB ", 2.2, ADOBE)[:200]), SCENE, 0),
    "broken EXIF": (lambda: encoded(IMAGE, exif=b"Exif\0\0II*\0\xff\xff\xff\xff"), SCENE, 0),
}


def zipped(data: bytes) -> bytes:
    return zlib.compress(data)


def key(*values: int) -> bytes:
    return chunk(b"tRNS", struct.pack(f">{len(values)}H", *values))


def palette_alpha() -> tuple[bytes, Array, Array]:
    few = IMAGE.quantize(4)
    opacity = np.array([0, 128, 255, 255], np.uint8)
    return encoded(few, transparency=opacity.tobytes()), np.asarray(few.convert("RGB")), opacity[np.asarray(few)]


def colour_key() -> tuple[bytes, Array, Array]:
    hidden = (SCENE[0, 0] == SCENE).all(axis=2)
    return png(SCENE, 2, before=key(*(int(v) for v in SCENE[0, 0]))), SCENE, np.where(hidden, 0, 255).astype(np.uint8)


TRANSPARENT = {
    "RGBA": lambda: (encoded(np.dstack([SCENE, ALPHA])), SCENE, ALPHA),
    "RGBA of 16 bits": lambda: (
        png(np.dstack([SCENE, ALPHA]).astype(np.uint16) * 257, 6),
        SCENE,
        ALPHA,
    ),
    "RGBA in WebP": lambda: (encoded(np.dstack([SCENE, ALPHA]), "WEBP", **LOSSLESS), SCENE, ALPHA),
    "RGBA in TIFF": lambda: (encoded(np.dstack([SCENE, ALPHA]), "TIFF"), SCENE, ALPHA),
    "grey and alpha": lambda: (
        encoded(Image.fromarray(np.dstack([RAMP8[::-1], ALPHA]), "LA")),
        grey(RAMP8[::-1]),
        ALPHA,
    ),
    "palette": palette_alpha,
    "colour key": colour_key,
    "grey key": lambda: (png(RAMP8, 0, before=key(7)), grey(RAMP8), np.where(RAMP8 == 7, 0, 255).astype(np.uint8)),
    "16-bit key": lambda: (
        png(RAMP, 0, before=key(int(RAMP[5, 5]))),
        grey(RAMP8),
        np.where(RAMP[5, 5] == RAMP, 0, 255).astype(np.uint8),
    ),
}


def raw_camera(*tags: tuple[int, int, int]) -> bytes:
    """A TIFF of 16 x 16 grey pixels whose directory says more."""
    base = [(256, 4, 16), (257, 4, 16), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 8), (277, 3, 1), (279, 4, 256)]
    table = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in sorted([*base, *tags]))
    return struct.pack("<2sHI", b"II", 42, 264) + bytes(256) + struct.pack("<H", 8 + len(tags)) + table + bytes(4)


def spoilt(data: bytes, at: float) -> bytes:
    place = int(len(data) * at)
    return data[:place] + b"\0\xff\xd9\x12" + data[place + 4 :]


BLANK = np.zeros((1, 1), np.uint8)
REFUSED: dict[str, tuple[Callable[[], bytes], str, str]] = {  # file, code, and what the words must say
    "empty": (lambda: b"", "empty", "no bytes"),
    "web page": (lambda: b"\n<!DOCTYPE html><html>", "not_a_picture", "web page"),
    "text": (lambda: b"hello", "not_a_picture", "text"),
    "zeros": (lambda: bytes(5000), "not_a_picture", "zeros"),
    "pointer": (lambda: b"version https://git-lfs.github.com/spec/v1\n", "not_a_picture", "git lfs pull"),
    "PDF": (lambda: b"%PDF-1.7", "not_a_picture", "PDF"),
    "zip": (lambda: b"PK\3\4" + bytes(30), "not_a_picture", "zip"),
    "video": (lambda: b"\0\0\0\x20ftypisom" + bytes(30), "not_a_picture", "video"),
    "all bytes": (lambda: bytes(range(256)), "not_a_picture", "not that of any"),
    "TGA by chance": (lambda: bytes([0, 0, 2, *[0] * 9, 4, 0, 4, 0, 24, 0]) + bytes(60), "not_a_picture", "not that"),
    "HEIC": (lambda: b"\0\0\0\x18ftypheic" + bytes(30), "unsupported_format", "pillow-heif"),
    "HEIC by another brand": (lambda: b"\0\0\0\x18ftypmif1" + bytes(30), "unsupported_format", "pillow-heif"),
    "JPEG XL": (lambda: b"\xff\x0a" + bytes(30), "unsupported_format", "pillow-jxl-plugin"),
    "JPEG XL in boxes": (lambda: b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(9), "unsupported_format", "pillow-jxl-plugin"),
    "SVG": (lambda: b'<?xml version="1.0"?>\n<svg xmlns="x"/>', "unsupported_format", "render it"),
    "EPS": (lambda: b"%!PS-Adobe-3.0", "unsupported_format", "render it"),
    "OpenEXR": (lambda: b"\x76\x2f\x31\x01" + bytes(30), "unsupported_format", "PNG or TIFF"),
    "Canon raw": (lambda: b"II*\0\x10\0\0\0CR\2\0" + bytes(30), "unsupported_format", "develop it"),
    "Fujifilm raw": (lambda: b"FUJIFILMCCD-RAW 0201", "unsupported_format", "develop it"),
    "DNG": (lambda: raw_camera((50706, 1, 1)), "unsupported_format", "develop it"),
    "Nikon raw": (lambda: raw_camera((254, 4, 1), (330, 4, 8)), "unsupported_format", "develop it"),
    "74 bytes of 50k x 50k": (lambda: png(BLANK, 0, size=(50_000, 50_000)), "bomb", "2,500,000,000 pixels"),
    "few bytes of 9k x 9k": (lambda: png(BLANK, 0, size=(9_000, 9_000)), "bomb", "81,000,000 pixels"),
    "bomb in an icon": (
        lambda: struct.pack("<HHHBBBBHHII", 0, 1, 1, 0, 0, 0, 0, 1, 32, 67, 22) + png(BLANK, 0, size=(50_000, 50_000)),
        "bomb",
        "2,500,000,000 pixels",
    ),
    "no width": (lambda: png(BLANK, 0, size=(0, 5)), "damaged", "header cannot be read"),
    "JPEG spoilt": (lambda: spoilt(encoded(IMAGE, "JPEG", quality=95), 0.5), "damaged", "premature end of data"),
    "PNG spoilt": (lambda: spoilt(encoded(IMAGE), 0.5), "damaged", "PNG"),
    "PNG with endless text": (
        lambda: png(SCENE, 2, before=chunk(b"zTXt", b"a\0\0" + zipped(bytes(1 << 24)))),
        "damaged",
        "PNG",
    ),
    "only a beginning": (lambda: b"\xff\xd8\xff\xe0", "truncated", "JPEG"),
    **{
        f"{kind} cut at {share:.0%}": (
            lambda f=kind, share=share: (data := encoded(IMAGE, f))[: int(len(data) * share)],
            "truncated",
            "ends too early",
        )
        for kind in ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "AVIF", "JPEG2000", "PPM", "QOI")
        for share in (0.1, 0.5, 0.9)
    },
    "JPEG without its end": (lambda: encoded(IMAGE, "JPEG")[:-2], "truncated", "ends too early"),
}
