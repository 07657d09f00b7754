"""What augmentation costs: each classic transform beside the albumentations call that it is made of, and the page.

`python -m benchmarks.augment` prints figures beside goals; times are CPU seconds of one thread, the best of several,
since a clock would measure who else is at work.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pillow

from augment.library import functional
from augment.transform import Transform
from augment.transforms.black_and_white import BlackAndWhite
from augment.transforms.color_skew import ColorSkew
from augment.transforms.crop import Crop
from augment.transforms.flip import Flip
from core.hashing import sha256_of
from core.pixels import Pixels
from core.record import Record
from core.seeding import generator
from store.image import Image
from store.store import Store

SIDE = 768
MOST = 0.15
"""goal: what a transform may add to albumentations' own work"""
SHEET_SECONDS, SHEET = 20.0, 1000


def a_picture(number: int, side: int = SIDE) -> Pixels:
    """A soft coloured picture with some grain, from a seed."""
    rng = generator("bench picture", number)
    low = Pillow.fromarray(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8))
    soft = np.asarray(low.resize((side, side), Pillow.Resampling.BICUBIC)).astype(np.int16)
    return (soft + rng.integers(-6, 7, soft.shape)).clip(0, 255).astype(np.uint8)


def bare_calls(image: Pixels) -> dict[str, tuple[Transform, Callable[[], Any]]]:
    """Each transform, and the albumentations call that makes the same picture.

    None skews colours as we do, so there its pure functions are called by hand, with numbers already drawn.
    """
    pixel = functional("pixel")
    import albumentations  # after `functional`, which keeps it from asking the network for news

    def skew() -> Any:
        changed = pixel.adjust_saturation_torchvision(image, 1.2)
        changed = pixel.adjust_hue_torchvision(changed, 0.02)
        return pixel.move_tone_curve(changed, np.array([0.36, 0.3, 0.35]), np.array([0.7, 0.63, 0.68]))

    side = SIDE * 3 // 4
    grey = albumentations.ToGray(p=1)
    crop = albumentations.RandomCrop(side, side, p=1)
    flip = albumentations.HorizontalFlip(p=1)
    return {
        "color_skew": (ColorSkew(), skew),
        "black_and_white": (BlackAndWhite(), lambda: grey(image=image)["image"]),
        "crop": (Crop(size=(0.75, 0.75)), lambda: np.ascontiguousarray(crop(image=image)["image"])),
        "flip": (Flip(), lambda: np.ascontiguousarray(flip(image=image)["image"])),
    }


def seconds(work: Callable[[], Any], rounds: int, times: int) -> float:
    """CPU seconds of one call: the best of ``rounds`` means over ``times`` calls."""
    work()
    found = []
    for _ in range(rounds):
        began = time.process_time()
        for _ in range(times):
            work()
        found.append((time.process_time() - began) / times)
    return min(found)


def transforms(rounds: int) -> list[tuple[str, float, float]]:
    """Kind, seconds of albumentations, seconds of the transform."""
    image, rows = a_picture(0), []
    for kind, (block, by_hand) in bare_calls(image).items():
        rng = generator("bench", kind)
        pairs = [
            (seconds(by_hand, 1, 20), seconds(lambda block=block, rng=rng: block.apply(image, rng), 1, 20))  # type: ignore[misc]
            for _ in range(rounds)
        ]
        rows.append((kind, min(bare for bare, _ in pairs), min(ours for _, ours in pairs)))
    return rows


def a_store(folder: Path) -> Store:
    """A store with 1,000 derived pictures of 200 parents of 512 pixels."""
    store = Store.open(folder / "store")
    block = ColorSkew()
    for start in range(0, SHEET // 5, 50):
        records, images = [], []
        for number in range(start, start + 50):
            image = a_picture(number, 512)
            parent = _put(image, images)
            record = Record(
                f"{number:032d}", parent, "bench", f"{number}.png", "", width=512, height=512, split="train"
            )
            records.append(record)
            for copy in range(5):
                made = block.apply(image, generator(number, copy))
                key = _put(made.pixels, images)
                records.append(record.derive(block, sha256=key, seed=copy, drawn=made.drawn, width=512, height=512))
        store.put_images(images)
        store.put_records(records)
    return store


def _put(pixels: Pixels, images: list[Image]) -> str:
    from io import BytesIO

    buffer = BytesIO()
    Pillow.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    data = buffer.getvalue()
    images.append(Image(sha256_of(data), data, "image/png", *pixels.shape[1::-1]))
    return images[-1].sha256


def sheet() -> tuple[float, float, int]:
    """Seconds and CPU seconds of a page of 1,000, and its bytes."""
    from flows.pages.augment import write_augment_page

    with tempfile.TemporaryDirectory(prefix="velatura-bench-") as folder:
        store, path = a_store(Path(folder)), Path(folder) / "page.html"
        began, cpu = time.monotonic(), time.process_time()
        write_augment_page(store, path, "bench", SHEET)
        return time.monotonic() - began, time.process_time() - cpu, path.stat().st_size


def mark(met: bool) -> str:
    """Whether a goal is met, in four characters."""
    return "ok  " if met else "MISS"


def main() -> int:
    """Print every figure; 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    asked = parser.parse_args()
    missed = 0
    for kind, bare, ours in transforms(asked.rounds):
        added = ours / bare - 1
        missed += added > MOST
        print(
            f"{mark(added <= MOST)} {kind:<16} {bare * 1e3:7.3f} ms there, {ours * 1e3:7.3f} ms here: "
            f"{added:+.1%}   goal: at most {MOST:+.0%}",
            flush=True,
        )
    wall, cpu, size = sheet()
    missed += cpu > SHEET_SECONDS
    print(
        f"{mark(cpu <= SHEET_SECONDS)} contact sheet of {SHEET:,}: {cpu:.1f} CPU s, {wall:.1f} s on the clock, "
        f"{size / 1e6:.1f} MB; load {os.getloadavg()[0]:.1f}   goal: under {SHEET_SECONDS:.0f} CPU s"
    )
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
