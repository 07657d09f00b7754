"""CPU seconds for the CLIP vectors of some pictures: the stage, and a bare open_clip loop over the same files."""

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
from curation.decode import decode

COUNT, SIDE, BATCH, REPEATS = 320, 256, 16, 3


def main() -> None:
    """The least of some rounds each."""
    torch.set_num_threads(1)
    files = [path.read_bytes() for path in write_photographs(Path(sys.argv[1]), COUNT, SIDE, SIDE)]
    names = [sha256_of(data) for data in files]
    records = [Record(name, name, "bench", name, name) for name in names]
    by_name = dict(zip(names, files, strict=True))
    clip = Clip.open()

    def stage() -> None:
        Embedder.of(clip, Memory()).pictures(records, lambda record: decode(by_name[record.sha256]).pixels)

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
