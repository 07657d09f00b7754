"""CPU milliseconds for a 2-megapixel JPEG: bare decode, our decode, and all that ingest wants to know of it."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import simplejpeg

from benchmarks.photographs import write_photographs
from core.hashing import sha256_of
from curation import perceptual
from curation.decode import WHITE, Room, decode
from curation.filter import Filter
from curation.measure import measured
from curation.view import View

COUNT, WIDTH, HEIGHT = 16, 1632, 1224
REPEATS = 7


def main() -> None:
    """The least of several rounds, in which everything takes turns."""
    files = [path.read_bytes() for path in write_photographs(Path(sys.argv[1]), COUNT, WIDTH, HEIGHT)]
    filters = [Filter.of_kind(kind)() for kind in Filter.kinds()]

    def everything(data: bytes) -> None:
        sha256_of(data)
        measured(data, filters, WHITE, 100_000_000, room=room)

    cv2.setNumThreads(1)
    room = Room()  # as a worker has it
    pictures = {data: decode(data, room=Room()).pixels for data in files}
    work: dict[str, Callable[[bytes], object]] = {
        "bare": simplejpeg.decode_jpeg,
        "decode": decode,
        "hash": lambda data: perceptual.hashes(View(pictures[data]).thumbnail_grey),
        "all": everything,
    }
    least = dict.fromkeys(work, float("inf"))
    for _ in range(REPEATS):
        for name, do in work.items():
            began = time.process_time()
            for data in files:
                do(data)
            least[name] = min(least[name], (time.process_time() - began) * 1000 / len(files))
    print(json.dumps({**least, "kilobytes": sum(map(len, files)) / len(files) / 1000}))


if __name__ == "__main__":
    main()
