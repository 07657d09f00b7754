"""Does a ControlNet's drawing follow the lines? OpenMoji's line art, which none here has seen, with and without it."""

import json
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from backbones.control import Control
from core.pixels import Pixels
from scripts.pocket.captions import usual
from scripts.pocket.compose import Look, compose, widest
from scripts.pocket.concepts import DRAWN
from scripts.pocket.control import drawn_lines
from scripts.pocket.data import Data, tensor

PLAIN = Look(scale=(0.9, 0.9), shift=0.0, white=1.0)
COUNT = 24
STEPS, GUIDANCE = 20, 3.0
INKED = 64
"""of 255: darker than this is a line"""
WITHIN = 1
"""pixels by which a line may lie beside"""
SHOWN = 8

Mask = NDArray[np.bool_]


def agreement(asked: Pixels, drawn: Pixels) -> float:
    """F1 of two line drawings (H, W), light on dark: the share of each that has a line of the other beside it.

    1: the same lines. 0 where one of them has no line at all.
    """
    first, second = asked > INKED, drawn > INKED
    if not first.any() or not second.any():
        return 0.0
    right, found = float(_near(first)[second].mean()), float(_near(second)[first].mean())
    return 2 * right * found / max(right + found, 1e-9)


def _near(lines: Mask) -> Mask:
    wide: Mask = widest(torch.from_numpy(lines).float()[None, None], WITHIN)[0, 0].numpy() > 0
    return wide


def follows(data: Data, folder: Path, control: Path) -> dict[str, float]:
    """Mean agreement with the lines that were asked for: with the ControlNet, without, and with another's lines.

    The same captions and seeds in all; printed, kept as ``control.json``, and some of them shown in ``control.png``.
    """
    from backbones.family import family_of

    base, network = family_of(str(folder)).load(), Control.load(str(control))
    names = {concept.code: concept.name for concept in data.concepts}
    codes = sorted(code for code, name in names.items() if name in DRAWN)
    pictures = data.pictures.where({"openmoji"}, set(codes))
    pictures = pictures.take(list(range(min(COUNT, len(pictures.codes)))))
    composed = compose(tensor(pictures), PLAIN, torch.Generator().manual_seed(0)).pixels
    real = list((composed * 255).round().byte().permute(0, 2, 3, 1).numpy())
    asked = [drawn_lines(picture) for picture in real]
    guides = [np.repeat(lines[..., None], 3, 2) for lines in asked]
    prompts, seeds = [usual(names[code]) for code in pictures.codes], list(range(len(real)))

    def drawn(scale: float) -> list[Pixels]:
        return network.draw(base, guides, prompts, seeds, scale=scale, steps=STEPS, guidance=GUIDANCE)

    bound, free = drawn(1.0), drawn(0.0)
    lines = [drawn_lines(picture) for picture in bound]
    others = asked[1:] + asked[:1]
    figures = {
        "with it": mean_of(asked, lines),
        "without it": mean_of(asked, [drawn_lines(picture) for picture in free]),
        "with it, another picture's lines": mean_of(others, lines),
        "the real picture, encoded and decoded": mean_of(
            asked, [drawn_lines(p) for p in base.decode(base.encode_pictures(real))]
        ),
    }
    (data.folder / "control.json").write_text(json.dumps(figures, indent=2) + "\n")
    rows = [
        np.concatenate([real[at], 255 - guides[at], bound[at], free[at]], 1)
        for at in np.linspace(0, len(real) - 1, SHOWN).round().astype(int).tolist()
    ]
    half = len(rows) // 2
    sheet = np.concatenate([np.concatenate(rows[:half]), np.concatenate(rows[half:])], 1)
    Image.fromarray(sheet).resize((sheet.shape[1] * 2, sheet.shape[0] * 2)).save(data.folder / "control.png")
    for name, value in figures.items():
        print(f"{name:40} {value:.3f}")
    return figures


def mean_of(asked: list[Pixels], drawn: list[Pixels]) -> float:
    """The mean agreement of pairs."""
    return float(np.mean([agreement(one, other) for one, other in zip(asked, drawn, strict=True)]))
