"""Tables that say something of pictures, row by row: CSV, TSV, JSON lines, JSON, parquet, or text with a line each."""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import PurePosixPath
from typing import TextIO, cast

from core.errors import SourceError
from curation.places import Place
from curation.sidecars import tidy
from curation.unpacking import packing, unpacked

Row = Mapping[str, object]
CAPTION = ("caption", "text", "prompt", "captions", "description", "alt", "alt_text", "title")
"""what a column of captions is usually called"""
LOOKED = 1000
"""rows of JSON lines that are looked at to learn its columns"""
LONGEST_LINE = 1 << 24


def kind_of(name: str) -> str:
    """``csv``, ``tsv``, ``jsonl``, ``json``, ``parquet`` or ``txt``; empty for what is no table. ``.gz`` is packing."""
    suffix = PurePosixPath(name.lower().removesuffix(".gz")).suffix.removeprefix(".")
    return {"ndjson": "jsonl"}.get(suffix, suffix if suffix in READERS or suffix == "parquet" else "")


class Table:
    """Rows of one file; whatever is wrong with it is a `SourceError` that names it."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.kind = kind_of(place.name)
        if not self.kind:
            raise SourceError(f"{place.uri} is no table known here: .csv, .tsv, .jsonl, .json, .parquet or .txt")
        self.columns = self._columns()

    def _columns(self) -> list[str]:
        try:
            if self.kind == "parquet":
                import pyarrow.parquet as pq

                with self.place.open() as file:
                    return list(pq.ParquetFile(file).schema_arrow.names)
            names = chain.from_iterable(islice(self._texts(), LOOKED))
            return list(dict.fromkeys(name for name in names if name))
        except SourceError:
            raise
        except Exception as error:
            raise self._broken(error) from None

    def rows(self, *columns: str) -> Iterator[tuple[object, ...]]:
        """The values of some columns, row by row; ``None`` where a row has none."""
        try:
            for row in self._parquet(columns) if self.kind == "parquet" else self._texts():
                yield tuple(row.get(column) for column in columns)
        except (SourceError, GeneratorExit):
            raise
        except Exception as error:
            raise self._broken(error) from None

    def column(self, given: str, usual: Sequence[str], key: str) -> str:
        """The column named in the recipe, or the first with a usual name; empty where there is none."""
        if given and given not in self.columns:
            raise SourceError(f"{self.place.uri} has no column {given!r} (`{key}`); it has {', '.join(self.columns)}")
        by_lower = {column.lower(): column for column in reversed(self.columns)}
        return given or next((by_lower[name] for name in usual if name in by_lower), "")

    def _parquet(self, columns: Sequence[str]) -> Iterator[Row]:
        import pyarrow.parquet as pq

        with self.place.open() as file:
            for batch in pq.ParquetFile(file).iter_batches(batch_size=1024, columns=list(columns)):
                yield from cast(list[Row], batch.to_pylist())

    def _texts(self) -> Iterator[Row]:
        with self.place.open() as raw:
            stream = unpacked(raw, packing(self.place))
            text = io.TextIOWrapper(cast(io.BufferedReader, stream), encoding="utf-8-sig", newline="")
            yield from READERS[self.kind](text)

    def _broken(self, error: Exception) -> SourceError:
        if isinstance(error, FileNotFoundError):
            return SourceError(f"{self.place.uri} does not exist: `path` must be a file")
        if isinstance(error, UnicodeDecodeError):
            return SourceError(f"{self.place.uri} is not UTF-8: save it as UTF-8")
        if isinstance(error, OSError):
            return SourceError(f"{self.place.uri} cannot be read: {error.strerror or error}")
        return SourceError(f"{self.place.uri} cannot be read as {self.kind}: {error}")


def lines(file: TextIO) -> Iterator[tuple[int, str]]:
    """Lines that hold something, with their numbers."""
    number = 0
    while line := file.readline(LONGEST_LINE):
        number += 1
        if len(line) == LONGEST_LINE:
            raise ValueError(f"line {number} has more than {LONGEST_LINE:,} characters")
        if line.strip():
            yield number, line.strip()


def of_text(file: TextIO) -> Iterator[Row]:
    """One address a line; a line that begins with # is a remark."""
    return ({"url": line} for _, line in lines(file) if not line.startswith("#"))


def of_json_lines(file: TextIO) -> Iterator[Row]:
    """One JSON object a line."""
    for number, line in lines(file):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"line {number} is not JSON ({error})") from None
        if not isinstance(row, dict):
            raise ValueError(f'line {number} is no JSON object such as {{"url": "...", "caption": "..."}}')
        yield row


def of_json(file: TextIO) -> Iterator[Row]:
    """A JSON list of objects."""
    rows = json.load(file)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError("it is no list of JSON objects")
    return iter(rows)


def of_csv(file: TextIO) -> Iterator[Row]:
    """Columns are named in the first line."""
    return iter(csv.DictReader(file))


def of_tsv(file: TextIO) -> Iterator[Row]:
    """The same with tabs."""
    return iter(csv.DictReader(file, delimiter="\t"))


READERS: dict[str, Callable[[TextIO], Iterator[Row]]] = {
    "csv": of_csv,
    "tsv": of_tsv,
    "jsonl": of_json_lines,
    "json": of_json,
    "txt": of_text,
}


def words_of(value: object) -> str:
    """A caption from a cell: text, or the first text of a list."""
    if isinstance(value, list | tuple):
        value = next((one for one in value if isinstance(one, str) and one.strip()), "")
    return tidy(value) if isinstance(value, str) else ""
