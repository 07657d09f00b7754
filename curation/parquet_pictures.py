"""Pictures in the rows of parquet files, as Hugging Face's `datasets` writes them; nothing of them is decoded."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq

from core.errors import SourceError
from curation.archives import clean
from curation.exported import Said, columns_in
from curation.forward import Forward
from curation.places import Place, is_url
from curation.sidecars import LICENCE, Beside, licence_of
from curation.source import Found, Refused, failing
from curation.tables import CAPTION, Table, words_of
from curation.walking import printable

IMAGE = ("image", "img", "picture", "jpg", "png", "webp", "pixel_values", "image_bytes", "bytes")
"""what a column of pictures is usually called"""
BATCH = 8 << 20
"""bytes that are read at a time, about"""


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns of a file say what."""

    image: str
    has_path: bool
    """whether a picture is a struct of ``bytes`` and ``path``"""
    caption: str
    label: str
    words: tuple[str, ...]
    """what the numbers of ``label`` stand for"""
    licence: str = ""
    ours: tuple[str, ...] = ()
    """those of an export of ours, for tags, weights and names"""


def columns_of(place: Place, image: str, caption: str) -> Columns:
    """The columns given, or those that the file's own description or their names tell."""
    table = Table(place)
    with place.open() as file:
        schema = pq.ParquetFile(file).schema_arrow
    features = features_of(schema)
    described = [name for name in table.columns if features.get(name, {}).get("_type") == "Image"]
    holding = [name for name in table.columns if holds_bytes(schema.field(name).type)]
    usual = [name for name in IMAGE if name in holding]
    chosen = table.column(image, (), "image") or next(iter((*described, *usual, *holding)), "")
    if not chosen or not holds_bytes(schema.field(chosen).type):
        raise SourceError(
            f"{place.uri} has no column of pictures ({{bytes, path}} or bytes) among {', '.join(table.columns)}"
            + (f": `image` names {chosen!r}, which holds {schema.field(chosen).type}" if chosen else "")
        )
    labels = [name for name in table.columns if features.get(name, {}).get("_type") == "ClassLabel"]
    label = labels[0] if labels else ""
    words = tuple(str(word) for word in features.get(label, {}).get("names") or ())
    has_path = pa.types.is_struct(schema.field(chosen).type)
    written = table.column(caption, CAPTION, "caption")
    ours, licence = columns_in(table.columns), table.column("", LICENCE, "")
    return Columns(chosen, has_path, written, label if words else "", words, licence, ours)


def features_of(schema: pa.Schema) -> dict[str, dict[str, Any]]:
    """What `datasets` wrote about the columns; empty where it wrote nothing."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        return {name: what for name, what in features.items() if isinstance(what, dict)}
    except (KeyError, ValueError, TypeError, AttributeError):
        return {}


def holds_bytes(kind: pa.DataType) -> bool:
    """Whether a column may hold pictures."""
    if pa.types.is_struct(kind):
        return any(field.name == "bytes" and is_binary(field.type) for field in kind)
    return is_binary(kind)


def is_binary(kind: pa.DataType) -> bool:
    """Whether values are bytes."""
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind))


class Rows:
    """The rows of one file; they are read forwards, some at a time, however large its row groups are."""

    def __init__(self, place: Place, columns: Columns, anywhere: bool) -> None:
        self.place, self.columns, self._anywhere = place, columns, anywhere
        self._forward = Forward(self._contents)
        with place.open() as file:
            about = pq.ParquetFile(file).metadata
            self.starts, self.means = group_sizes(about, columns.image)
        self.mtime_ns = place.stat().mtime_ns + anywhere  # so that another choice makes all be looked at again

    def said(self) -> Iterator[tuple[int, str, Beside, tuple[str, ...], Said | None]]:
        """Row, path, caption with licence, tags, and what an export of ours says, without reading any picture."""
        names = [f"{self.columns.image}.path"] if self.columns.has_path else []
        columns = self.columns
        names += [name for name in (columns.caption, columns.label, columns.licence, *columns.ours) if name]
        row = 0
        with self.place.open() as file:
            source = pq.ParquetFile(file)
            if not names:
                yield from ((row, "", Beside(), (), None) for row in range(source.metadata.num_rows))
                return
            for batch in source.iter_batches(batch_size=1024, columns=names):
                for one in cast(list[dict[str, Any]], batch.to_pylist()):
                    image = one.get(self.columns.image)
                    path = image.get("path") if isinstance(image, dict) else None
                    label = one.get(self.columns.label)
                    known = isinstance(label, int) and 0 <= label < len(self.columns.words)
                    tags = (self.columns.words[cast(int, label)],) if known else ()
                    licence = licence_of(one.get(columns.licence))
                    said = Beside(words_of(one.get(columns.caption)), licence=licence)
                    yield row, path or "", said, tags, Said.of(one)
                    row += 1

    def group(self, row: int) -> int:
        """The row group that a row is in."""
        return max(index for index, start in enumerate(self.starts) if start <= row)

    def read(self, row: int, path: str) -> bytes:
        """A picture's bytes, or those of the file beside the parquet file that the row names."""
        data = self._forward.get(row)
        if data:
            return data
        if not path:
            raise Refused("empty", "the row holds no picture")
        name, refused = clean(path)
        if refused is None and not is_url(path):
            return self.place.parent.below(name).read()
        if not self._anywhere:
            words = f"the row names {path!r}, which is not below its folder; `anywhere: true` reads it all the same"
            raise Refused("leads_outside", words)
        return Place.of(path if is_url(path) or path.startswith("/") else f"{self.place.parent.uri}/{path}").read()

    def _contents(self, first: int) -> Iterator[tuple[int, bytes]]:
        begin = self.group(first)
        at = self.starts[begin]
        size = max(1, min(64, BATCH // max(self.means[begin], 1)))
        with self.place.open() as file:
            source = pq.ParquetFile(file, buffer_size=1 << 20, pre_buffer=False)
            groups = list(range(begin, source.num_row_groups))
            for batch in source.iter_batches(size, row_groups=groups, columns=[self.columns.image]):
                for value in batch.column(0):
                    if at >= first:
                        yield at, bytes_of(value)
                    at += 1


def bytes_of(value: Any) -> bytes:
    """A cell's bytes; empty where it holds none."""
    if isinstance(value, pa.StructScalar):
        value = value["bytes"] if value.is_valid else None
    found = None if value is None else value.as_py()
    return found if isinstance(found, bytes) else b""


def group_sizes(about: pq.FileMetaData, image: str) -> tuple[list[int], list[int]]:
    """Of each row group its first row and the mean bytes of its pictures."""
    starts, means, row = [], [], 0
    for index in range(about.num_row_groups):
        group = about.row_group(index)
        parts = (group.column(number) for number in range(group.num_columns))
        size = sum(part.total_uncompressed_size for part in parts if part.path_in_schema.split(".")[0] == image)
        starts.append(row)
        means.append(size // max(group.num_rows, 1))
        row += group.num_rows
    return starts or [0], means or [0]


def pictures_in(
    place: Place, prefix: str, taken: dict[str, int], *, image: str, caption: str, anywhere: bool
) -> Iterator[Found]:
    """The pictures of one file. ``taken``: how many rows of a prefix, and which names, earlier files have had."""
    rows = Rows(place, columns_of(place, image, caption), anywhere)
    try:
        for row, path, beside, tags, said in rows.said():
            number = taken[prefix] = taken.get(prefix, -1) + 1
            name = f"{prefix}/{named(path) or format(number, '06')}"
            if name in taken:
                name = f"{name}~{number}"
            taken[name] = 1
            mean = rows.means[rows.group(row)]
            read = partial(rows.read, row, path)
            uri = f"{place.uri}#{row}"
            found = Found(name, uri, mean, rows.mtime_ns, read, beside.caption, tags, licence=beside.licence)
            yield found if said is None else said.of_picture(found)
    except (OSError, pa.ArrowException) as error:
        words = f"it cannot be read to its end as parquet: {error}"
        yield Found(printable(place.name), place.uri, 0, 0, failing(Refused("unreadable", words)))


def named(path: str) -> str:
    """A name from what a row says of its file; empty where it says none."""
    name, refused = clean(path)
    return printable(PurePosixPath(path).name if refused else name)
