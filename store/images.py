"""The table of pictures: added once, never changed, found by the hash of their bytes."""

from collections.abc import Iterable, Sequence

from core.errors import StoreError
from core.hashing import sha256_of
from store.batches import batches
from store.image import Image
from store.rows import Row, arrow_of
from store.table import Table
from store.tables import IMAGES


class Images:
    """Remembers where each picture lies: rows never move or go away, so that only new ones have to be looked up."""

    def __init__(self, uri: str, table: Table) -> None:
        self._uri = uri
        self._table = table
        self._rows: dict[str, int] = {}
        self._fragments: set[int] = set()

    def put(self, images: Iterable[Image]) -> int:
        """Add pictures that are not there yet; how many those were."""
        new = 0
        for batch in batches(images, size=lambda image: len(image.data)):
            there = self.find([image.sha256 for image in batch])
            missing = {image.sha256: image for image in batch if image.sha256 not in there}
            for image in missing.values():
                assert image.data, "an empty file is no picture"
                assert sha256_of(image.data) == image.sha256, f"{image.sha256} is not the hash of its picture"
            if missing:
                rows: list[Row] = [(i.sha256, i.data, i.media_type, i.width, i.height) for i in missing.values()]
                new += self._table.insert(arrow_of(rows, IMAGES))
        return new

    def find(self, sha256s: Sequence[str]) -> dict[str, int]:
        """The rows of those pictures that are there."""
        if any(sha256 not in self._rows for sha256 in sha256s):
            rows, self._fragments = self._table.new_row_ids(self._fragments)
            self._rows.update(rows)
        return {sha256: self._rows[sha256] for sha256 in sha256s if sha256 in self._rows}

    def read(self, sha256s: Sequence[str]) -> dict[str, bytes]:
        """The original bytes, whose hashes were compared with the names; all of them are in memory at once."""
        asked = list(dict.fromkeys(sha256s))
        rows = self.find(asked)
        for sha256 in asked:
            if sha256 not in rows:
                raise StoreError(f"the store {self._uri} has no picture {sha256}; ingest its source again")
        files = dict(zip(asked, self._table.blobs("data", [rows[sha256] for sha256 in asked]), strict=True))
        for sha256, data in files.items():
            if sha256_of(data) != sha256:
                raise StoreError(
                    f"the picture {sha256} in the store {self._uri} is damaged; copy the store back from a backup"
                )
        return files
