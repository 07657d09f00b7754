"""WebDataset shards: tar files in which picture, .txt caption and .json of a sample share one key."""

import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from core.progress import track
from curation.export import Export, Item
from curation.export_names import shards, suffix_of


class Webdataset(Export):
    """`train-000000.tar` and `held_out-000000.tar`, keys numbered through. Equal data gives equal bytes."""

    megabytes: int = Field(default=500, ge=1)
    """of pictures in a shard"""

    def write(self, items: Sequence[Item], folder: Path, stands: Path) -> list[str]:  # noqa: ARG002
        key = 0
        for side in ("train", "held_out"):
            mine = [item for item in items if item.side == side]
            if not mine:
                continue
            done = track(mine, f"exporting {side}", len(mine))
            for number, part in enumerate(shards([item.record.size for item in mine], self.megabytes * 10**6)):
                with tarfile.open(folder / f"{side}-{number:06}.tar", "x", format=tarfile.PAX_FORMAT) as shard:
                    for _ in part:
                        add_sample(shard, f"{key:09}", next(done))
                        key += 1
            next(done, None)  # or the last one would not be reported
        return []


def add_sample(shard: tarfile.TarFile, key: str, item: Item) -> None:
    """Picture, caption and the rest, in this order."""
    data = item.read()
    suffix = suffix_of(item.name, data)
    row = json.dumps(item.row(), ensure_ascii=False).encode()
    for end, content in ((suffix, data), (".txt", item.caption.encode()), (".json", row)):
        member = tarfile.TarInfo(key + end)
        member.size = len(content)
        shard.addfile(member, io.BytesIO(content))
