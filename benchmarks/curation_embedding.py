"""CPU seconds for the CLIP vectors of pictures in a store: the stage, and a bare open_clip loop over the same files."""

import io
import json
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

COUNT, BATCH, REPEATS = 320, 16, 3


def main() -> None:
    """The least of some rounds each."""
    torch.set_num_threads(1)
    folder, side = Path(sys.argv[1]), int(sys.argv[2])
    files = [path.read_bytes() for path in write_photographs(folder / "pictures", COUNT, side, side)]
    names = [sha256_of(data) for data in files]
    records = [Record(name, name, "bench", name, name) for name in names]
    store = Store.open(folder / "store")
    store.put_images(Stored(name, data, "image/jpeg", side, side) for name, data in zip(names, files, strict=True))
    clip, read = Clip.open(), Pictures(store)

    def stage() -> None:
        Embedder.of(clip, Memory()).pictures(records, read)

    def bare() -> None:
        with torch.inference_mode():
            for start in range(0, COUNT, BATCH):
                batch = [clip.prepare(Image.open(io.BytesIO(data)).convert("RGB")) for data in files[start:][:BATCH]]
                clip.model.encode_image(torch.stack(batch), normalize=True)

    least = {"stage": float("inf"), "bare": float("inf")}
    bare()
    for _ in range(REPEATS):
        for name, do in (("stage", stage), ("bare", bare)):
            began = time.process_time()
            do()
            least[name] = min(least[name], time.process_time() - began)
    print(json.dumps(least))


if __name__ == "__main__":
    main()
