"""CPU seconds for the CLIP vectors of pictures in a store: the stage, and a bare open_clip loop over the same files.

`python -m benchmarks.curation_embedding FOLDER SIDE CLIP`: on one processor, with the pocket CLIP or any other model of
open_clip's by name (with random weights, which cost the same). Beside it the seconds on the clock with all processors,
which decode while the network computes.
"""

import io
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from PIL import Image

from backbones.clip import Clip
from backbones.embedding import Embedder
from benchmarks.photographs import write_photographs
from core.cache import Memory
from core.hashing import sha256_of
from core.record import Record
from curation.pictures import Pictures
from store.image import Image as Stored
from store.store import Store

BATCH, REPEATS = 16, 5


def main() -> None:
    """The least of some rounds each."""
    torch.set_num_threads(1)
    folder, side, name = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    count = 320 if name == "pocket" else 64
    files = [path.read_bytes() for path in write_photographs(folder / "pictures", count, side, side)]
    names = [sha256_of(data) for data in files]
    records = [Record(name, name, "bench", name, name) for name in names]
    store = Store.open(folder / "store")
    store.put_images(Stored(name, data, "image/jpeg", side, side) for name, data in zip(names, files, strict=True))
    clip, read = opened(name, folder), Pictures(store)

    def stage() -> None:
        Embedder.of(clip, Memory()).pictures(records, read)

    def bare() -> None:
        with torch.inference_mode():
            for start in range(0, count, BATCH):
                batch = [clip.prepare(Image.open(io.BytesIO(data)).convert("RGB")) for data in files[start:][:BATCH]]
                clip.model.encode_image(torch.stack(batch), normalize=True)

    everywhere, both = os.sched_getaffinity(0), (time.process_time, time.monotonic)
    bare()
    stage()
    os.sched_setaffinity(0, {max(everywhere)})
    alone: dict[str, list[list[float]]] = {"stage": [], "bare": []}
    for _ in range(REPEATS):  # by turns: a machine that gets busier does so for both
        alone["stage"].append(taken(stage, *both))
        alone["bare"].append(taken(bare, *both))
    os.sched_setaffinity(0, everywhere)
    (stage_clock,) = least([taken(stage, time.monotonic) for _ in range(REPEATS)])
    bare_cpu, bare_clock = least(alone["bare"])
    told = {"stage": least(alone["stage"])[0], "bare": bare_cpu, "stage_clock": stage_clock, "bare_clock": bare_clock}
    print(json.dumps(told))


def taken(work: Callable[[], None], *clocks: Callable[[], float]) -> list[float]:
    """What some work takes by each clock."""
    began = [clock() for clock in clocks]
    work()
    return [clock() - before for clock, before in zip(clocks, began, strict=True)]


def least(rounds: list[list[float]]) -> list[float]:
    """The least of some rounds, clock by clock."""
    return [min(values) for values in zip(*rounds, strict=True)]


def opened(name: str, folder: Path) -> Clip:
    """The pocket CLIP, or one of open_clip's with random weights."""
    if name == "pocket":
        return Clip.open()
    import open_clip

    weights = folder / f"{name}.pt"
    torch.save(open_clip.create_model(name).state_dict(), weights)
    return Clip.open(f"{name}:{weights}")


if __name__ == "__main__":
    main()
