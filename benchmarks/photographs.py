"""Pictures that cost what photographs cost: smooth at every scale, a little noise, no two alike."""

from pathlib import Path

import numpy as np
import simplejpeg
from PIL import Image


def photograph(seed: int, width: int, height: int) -> np.ndarray:
    """Clouds of random colours, from an eighth of the picture to a few pixels."""
    rng = np.random.default_rng(seed)
    whole = np.zeros((height, width, 3), np.float32)
    for octave in range(3, 9):
        if 2**octave > min(width, height):
            break
        noise = rng.normal(size=(2**octave, 2**octave, 3)).astype(np.float32)
        for channel in range(3):
            plane = Image.fromarray(noise[..., channel]).resize((width, height), Image.Resampling.BICUBIC)
            whole[..., channel] += np.asarray(plane) * 1.7**-octave
    whole = 128 + whole * (50 / whole.std()) + rng.normal(size=(height, width, 1)) * 2.5
    return np.clip(whole, 0, 255).astype(np.uint8)


def write_photographs(folder: Path, count: int, width: int, height: int) -> list[Path]:
    """JPEGs of quality 88 with halved chroma, as cameras and the web have them."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{seed:03}.jpg" for seed in range(count)]
    for seed, path in enumerate(paths):
        pixels = photograph(seed, width, height)
        path.write_bytes(simplejpeg.encode_jpeg(pixels, quality=88, colorsubsampling="420"))
    return paths


def write_small(folder: Path, numbers: range, side: int = 256, change: int = 0) -> None:
    """Many small JPEGs, a thousand to a folder; another ``change`` makes others of the same names."""
    for number in numbers:
        rng = np.random.default_rng((number, change))
        few = rng.integers(0, 256, (6, 6, 3), np.uint8)
        pixels = np.asarray(Image.fromarray(few).resize((side, side), Image.Resampling.BICUBIC))
        path = folder / f"{number // 1000:04}" / f"{number:07}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(simplejpeg.encode_jpeg(np.ascontiguousarray(pixels), quality=88))
