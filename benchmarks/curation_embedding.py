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

    everywhere = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(everywhere)})
    least = {"stage": float("inf"), "bare": float("inf"), "stage_clock": float("inf"), "bare_clock": float("inf")}
    bare()
    stage()
    for _ in range(REPEATS):
        for what, do in (("stage", stage), ("bare", bare)):
            began, clock = time.process_time(), time.monotonic()
            do()
            least[what] = min(least[what], time.process_time() - began)
            least["bare_clock"] = (
                min(least["bare_clock"], time.monotonic() - clock) if do is bare else least["bare_clock"]
            )
    os.sched_setaffinity(0, everywhere)
    for _ in range(REPEATS):
        clock = time.monotonic()
        stage()
        least["stage_clock"] = min(least["stage_clock"], time.monotonic() - clock)
    print(json.dumps(least))


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
