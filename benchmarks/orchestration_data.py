"""Everything before training: `python -m benchmarks.orchestration_data FOLDER FROM TO SIDE`.

Writes the pictures FROM..TO, SIDE pixels a side, beside those that are there, and brings the dataset up to date. Prints
wall seconds, CPU seconds and how many pictures were read.
"""

import json
import sys
import time
from pathlib import Path

from benchmarks.curation_ingest import cpu
from benchmarks.photographs import write_small
from flows import stages
from flows.recipe import check


def main() -> None:
    """As `flows.dataset_to_model.prepare`, without Prefect."""
    folder, begin, end, side = Path(sys.argv[1]), *map(int, sys.argv[2:5])
    write_small(folder / "pictures", range(begin, end), side=side)
    value = {
        "name": "many",
        "home": str(folder / "data"),
        "pictures": {"kind": "folder", "path": str(folder / "pictures")},
    }
    recipe = check(value, "benchmark")
    began, used = time.monotonic(), cpu()
    store = stages.open_store(recipe)
    with store.writer():
        ingested = stages.read_pictures(recipe, store)
        stages.embed_pictures(recipe, store)
        stages.choose_pictures(recipe, store)
        stages.write_captions(recipe, store)
        stages.make_pictures(recipe, store)
        store.snapshot()
    print(json.dumps([time.monotonic() - began, cpu() - used, ingested.read]))


if __name__ == "__main__":
    main()
