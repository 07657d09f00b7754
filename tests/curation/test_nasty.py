"""A folder of deliberately nasty files through the real ingest: right to the pixel, or refused for the right reason."""

import base64
import gzip
import io
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from curation.decode import decode
from curation.filters.information import Information
from curation.filters.sharpness import Sharpness
from curation.ingest import ingest
from curation.sources.folder import Folder
from store.store import Store
from tests.curation.conftest import Array, chunk, encoded, png
from tests.curation.nasty import (
    DARK,
    FINEST,
    IMAGE,
    RAMP8,
    REFUSED,
    SAME,
    SCENE,
    TRANSPARENT,
    grey,
    on,
    with_exif,
    zipped,
)

FILTERS = [Information(bits=0), Sharpness(least=0)]
BLANK = np.zeros((1, 1), np.uint8)
TURNED = np.rot90(SCENE, -1)
TURNED_EXIF = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06" + bytes(6)


@dataclass(frozen=True)
class Nasty:
    make: Callable[[], bytes]
    wanted: Array | str
    """what it must show, or the code that it must be refused for"""
    off: int = 0


def patched(data: bytes, at: int, form: str, *values: int) -> bytes:
    return data[:at] + struct.pack(form, *values) + data[at + struct.calcsize(form) :]


def tiff_of(**changes: int) -> bytes:
    """A grey TIFF of 16 x 16 zeros, some of its numbers replaced."""
    tags = {"width": 16, "height": 16, "offset": 8, "bytes": 256, "next": 0} | changes
    rows = [(256, 4, tags["width"]), (257, 4, tags["height"]), (258, 3, 8), (259, 3, 1), (262, 3, 1)]
    rows += [(273, 4, tags["offset"]), (277, 3, 1), (278, 4, tags["height"]), (279, 4, tags["bytes"])]
    table = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in rows)
    head = struct.pack("<2sHI", b"II", 42, 264) + bytes(256)
    return head + struct.pack("<H", len(rows)) + table + struct.pack("<I", tags["next"])


def in_zip(data: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.png", data)
    return file.getvalue()


def ascii_pixels() -> bytes:
    return b"P3\n# a comment\n96 64\n255\n" + b" ".join(b"%d" % value for value in SCENE.ravel()) + b"\n"


def ascii_mode(data: bytes) -> bytes:
    """What a transfer in text mode makes of it."""
    return data.replace(b"\r\n", b"\n")


PNG, JPEG = encoded(IMAGE), encoded(IMAGE, "JPEG", **FINEST)
MORE: dict[str, Nasty] = {
    "new\nline.png": Nasty(lambda: PNG, SCENE),
    "frog \U0001f438.png": Nasty(lambda: PNG, SCENE),
    "no suffix": Nasty(lambda: PNG, SCENE),
    "LOUD.PNG": Nasty(lambda: PNG, SCENE),
    "two.txt.png": Nasty(lambda: PNG, SCENE),
    "long " + "x" * 240 + ".png": Nasty(lambda: PNG, SCENE),
    "jpeg.png": Nasty(lambda: JPEG, SCENE, 4),
    "png.jpg": Nasty(lambda: PNG, SCENE),
    "ascii.ppm": Nasty(ascii_pixels, SCENE),
    "top down.bmp": Nasty(lambda: patched(encoded(IMAGE, "BMP"), 22, "<i", -64), SCENE[::-1]),
    "restarts.jpg": Nasty(lambda: encoded(IMAGE, "JPEG", restart_marker_blocks=1, **FINEST), SCENE, 4),
    "grey and turned.jpg": Nasty(
        lambda: encoded(Image.fromarray(RAMP8), "JPEG", quality=100, exif=TURNED_EXIF), np.rot90(grey(RAMP8), -1), 2
    ),
    "turned.jpg": Nasty(lambda: with_exif(6, "JPEG", **FINEST), TURNED, 4),
    "orientation 9.jpg": Nasty(lambda: with_exif(9, "JPEG", **FINEST), SCENE, 4),
    "text with a wrong sum.png": Nasty(
        lambda: png(SCENE, 2, before=struct.pack(">I", 4) + b"tEXta\0bc" + b"\0\0\0\0"), "damaged"
    ),
    "a strip.png": Nasty(lambda: encoded(np.resize(SCENE, (1, 60_000, 3))), np.resize(SCENE, (1, 60_000, 3))),
    "pages without end.tif": Nasty(lambda: tiff_of(next=264), np.zeros((16, 16, 3), np.uint8)),
    "sum wrong.png": Nasty(lambda: PNG[:60] + bytes([PNG[60] ^ 1]) + PNG[61:], "damaged"),
    "profile that unpacks to much.png": Nasty(
        lambda: png(SCENE, 2, before=chunk(b"iCCP", b"x\0\0" + zipped(bytes(1 << 24)))), "damaged"
    ),
    "data elsewhere.tif": Nasty(lambda: tiff_of(offset=1 << 30), "truncated"),
    "60,000 wide.tif": Nasty(lambda: tiff_of(width=60_000, height=60_000), "bomb"),
    "65,535 wide.gif": Nasty(lambda: patched(encoded(IMAGE, "GIF"), 6, "<HH", 65_535, 65_535), "bomb"),
    "65,500 wide.jpg": Nasty(
        lambda: JPEG[: (at := JPEG.index(b"\xff\xc0"))] + patched(JPEG[at:], 5, ">HH", 65_500, 65_500), "bomb"
    ),
    "2 thousand million wide.bmp": Nasty(lambda: patched(encoded(IMAGE, "BMP"), 18, "<ii", 2**31 - 1, 1), "bomb"),
    "no colours.png": Nasty(lambda: png(np.zeros((8, 8), np.uint8), 3), "damaged"),
    "a colour too many.png": Nasty(
        lambda: png(np.full((8, 8), 9, np.uint8), 3, before=chunk(b"PLTE", bytes((1, 2, 3)))), np.zeros((8, 8, 3))
    ),
    "text mode.png": Nasty(lambda: ascii_mode(PNG), "not_a_picture"),
    "packed.png": Nasty(lambda: gzip.compress(PNG), "not_a_picture"),
    "zipped.png": Nasty(lambda: in_zip(PNG), "not_a_picture"),
    "in letters.png": Nasty(lambda: base64.b64encode(PNG), "not_a_picture"),
    "for a page.png": Nasty(lambda: b"data:image/png;base64," + base64.b64encode(PNG), "not_a_picture"),
    "wide letters.png": Nasty(lambda: "not a picture".encode("utf-16"), "not_a_picture"),
    "page with a mark.jpg": Nasty(lambda: b"\xef\xbb\xbf<!DOCTYPE html>", "not_a_picture"),
    "film.jpg": Nasty(lambda: b"\x1aE\xdf\xa3" + bytes(60), "not_a_picture"),
    "something before it.png": Nasty(lambda: b"\n\n" + PNG, "not_a_picture"),
    "spoilt.avif": Nasty(lambda: patched(encoded(IMAGE, "AVIF"), 40, "<Q", 2**63), "damaged"),
    "last row missing.png": Nasty(
        lambda: png(SCENE[:-1], 2, size=(96, 64)), "truncated"
    ),
    "last row missing and dark.png": Nasty(lambda: png(SCENE[:-1] * 0, 2, size=(96, 64)), "truncated"),
    "dark to the end.png": Nasty(lambda: png(SCENE * 0, 2), SCENE * 0),
    "dark to the end, two bits.png": Nasty(lambda: encoded(Image.fromarray(SCENE * 0).quantize(4)), SCENE * 0),
    "one row too many.png": Nasty(lambda: png(SCENE, 2, size=(96, 63)), SCENE[:63]),
    "header twice.jpg": Nasty(lambda: JPEG[:2] + JPEG, "damaged"),
    "packed data spoilt.png": Nasty(
        lambda: b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(bytes(72))[:-6] + b"\0" * 6)
        + chunk(b"IEND", b""),
        "damaged",
    ),
}  # fmt: skip


def table() -> dict[str, Nasty]:
    """All of them by file name."""
    files = {f"same {at}.png": Nasty(*row) for at, row in enumerate(SAME.values())}
    files |= {f"dark {at}.png": Nasty(make, grey(RAMP8), 1) for at, make in enumerate(DARK.values())}
    for at, make in enumerate(TRANSPARENT.values()):
        data, pixels, alpha = make()
        files[f"transparent {at}.png"] = Nasty(lambda data=data: data, on(pixels, alpha), 1)
    files |= {f"refused {at}.jpg": Nasty(make, code) for at, (make, code, _) in enumerate(REFUSED.values())}
    return files | MORE


def test_each_nasty_file_is_right_to_the_pixel_or_refused_for_the_right_reason(tmp_path: Path) -> None:
    files = table()
    assert len(files) > 150
    root = tmp_path / "pictures"
    root.mkdir()
    for name, nasty in files.items():
        (root / name).write_bytes(nasty.make())
    (root / os.fsdecode(b"bytes \xff\xfe.png")).write_bytes(PNG)
    (root / "nowhere.png").symlink_to(tmp_path / "gone")
    os.mkfifo(root / "pipe.png")
    before = state(root)
    store = Store.open(tmp_path / "store")
    told = ingest(store, Folder(path=str(root)), FILTERS)
    assert told.found == len(files) + 3
    records = {record.name: record for record in store.records()}
    wrong = [words for name, nasty in files.items() if (words := difference(store, records[name], nasty))]
    assert not wrong, "\n".join(wrong)
    assert records["bytes \\xff\\xfe.png"].verdict == "kept"
    assert {records[name].reasons[0].code for name in ("nowhere.png", "pipe.png")} == {"unreadable"}
    assert state(root) == before, "nothing of the user's is changed"


def state(folder: Path) -> dict[str, tuple[int, int, int, int]]:
    """All that reading a file must not change."""
    found = {path.name: path.lstat() for path in folder.iterdir()}
    return {name: (one.st_mode, one.st_size, one.st_mtime_ns, one.st_ctime_ns) for name, one in found.items()}


def difference(store: Store, record, nasty: Nasty) -> str:
    """How a record is not what it must be, in words."""
    code = record.reasons[0].code if record.reasons else ""
    if isinstance(nasty.wanted, str):
        return "" if code == nasty.wanted else f"{record.name!r}: {code or 'kept'}, not {nasty.wanted} {record.reasons}"
    if code:
        return f"{record.name!r}: {record.reasons}"
    pixels = decode(store.image(record.sha256)).pixels
    if pixels.shape != nasty.wanted.shape:
        return f"{record.name!r}: {pixels.shape}, not {nasty.wanted.shape}"
    off = int(np.abs(pixels.astype(int) - nasty.wanted).max())
    return "" if off <= nasty.off else f"{record.name!r}: off by {off}"
