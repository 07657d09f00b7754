"""Parquet files with the pictures inside, as the Hugging Face hub has them."""

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import Field

from core.progress import track
from curation.export import Export, Item
from curation.export_names import shards, suffix_of
from curation.exports.imagefolder import SPLITS

ROWS = 100
"""in a row group: what is read at once"""
STRINGS = ("text", "name", "split", "group", "source", "sha256", "licence")
FEATURES = {
    "image": {"_type": "Image"},
    "tags": {"feature": {"dtype": "string", "_type": "Value"}, "_type": "List"},
    "weight": {"dtype": "float64", "_type": "Value"},
    **{name: {"dtype": "string", "_type": "Value"} for name in STRINGS},
}
"""as `datasets` writes its types into a file's schema"""


class Parquet(Export):
    """`data/train-00000-of-00001.parquet`; the column image holds the bytes and the file's name."""

    megabytes: int = Field(default=500, ge=1)
    """of pictures in a file"""

    def write(self, items: Sequence[Item], folder: Path, stands: Path) -> list[str]:  # noqa: ARG002
        (folder / "data").mkdir()
        for side, split in SPLITS.items():
            mine = [item for item in items if item.side == side]
            if not mine:
                continue
            parts = shards([item.record.size for item in mine], self.megabytes * 10**6)
            done = track(mine, f"exporting {split}", len(mine))
            for number, part in enumerate(parts):
                name = f"{split}-{number:05}-of-{len(parts):05}.parquet"
                write_file(folder / "data" / name, done, len(part))
            next(done, None)  # or the last one would not be reported
        return []


def schema() -> Any:
    """The columns of a file."""
    import pyarrow as pa

    order = ("image", "text", "name", "tags", "weight", "split", "group", "source", "sha256", "licence")
    kinds = {
        "image": pa.struct([("bytes", pa.binary()), ("path", pa.string())]),
        "tags": pa.list_(pa.string()),
        "weight": pa.float64(),
    }
    features = {name: FEATURES[name] for name in order}
    about = {"huggingface": json.dumps({"info": {"features": features}})}
    return pa.schema([(name, kinds.get(name, pa.string())) for name in order], metadata=about)


def write_file(path: Path, items: Iterator[Item], count: int) -> None:
    """The next ``count`` items, a row group at a time, so that memory holds few pictures."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetWriter(path, schema()) as file:
        for start in range(0, count, ROWS):
            rows = [row_of(item) for item in islice(items, min(ROWS, count - start))]
            file.write_table(pa.Table.from_pylist(rows, schema()))


def row_of(item: Item) -> dict[str, Any]:
    """One picture."""
    data = item.read()
    path = Path(item.name).stem + suffix_of(item.name, data)
    return {"image": {"bytes": data, "path": path}, "text": item.caption, **item.row()}
