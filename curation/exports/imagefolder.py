"""An image folder of Hugging Face `datasets`: pictures in train/ and validation/, each with a metadata.jsonl."""

import json
from collections.abc import Sequence
from pathlib import Path

from core.progress import track
from curation.export import Export, Item
from curation.export_names import stems, suffix_of, write_new

SPLITS = {"train": "train", "held_out": "validation"}
"""the names that `datasets` knows"""


class Imagefolder(Export):
    """`load_dataset("imagefolder", data_dir=FOLDER)` gives the columns image, text, tags, weight and so on.

    A picture's tags are JSON in a text: `datasets` cannot tell the type of lists that are all empty.
    """

    def write(self, items: Sequence[Item], folder: Path, stands: Path) -> list[str]:  # noqa: ARG002
        for side, split in SPLITS.items():
            mine = [item for item in items if item.side == side]
            if not mine:
                continue
            (folder / split).mkdir()
            with (folder / split / "metadata.jsonl").open("x") as rows:
                names = stems(item.name for item in mine)
                for item, stem in zip(track(mine, f"exporting {split}", len(mine)), names, strict=True):
                    data = item.read()
                    file = stem + suffix_of(item.name, data)
                    write_new(folder / split / file, data)
                    tags = json.dumps(item.tags, ensure_ascii=False)
                    row = {"file_name": file, "text": item.caption, **item.row(), "tags": tags}
                    rows.write(json.dumps(row, ensure_ascii=False) + "\n")
        return []
