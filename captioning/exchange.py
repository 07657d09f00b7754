"""Captions as a table for a spreadsheet or a script: out as CSV or JSONL, and back in with what was changed."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from core.caption import Caption
from core.errors import SourceError
from core.record import Record

COLUMNS = ("id", "name", "caption", "by", "automatic", "source", "split")
"""what is written; only `id` (or `name`) and `caption` are read back, the others are there to look at"""
FORMATS = (".csv", ".jsonl")


def table(records: Iterable[Record], captions: Mapping[str, Caption]) -> list[dict[str, str]]:
    """A row for each record, in the order of names."""
    rows = []
    for record in sorted(records, key=lambda record: (record.source, record.name)):
        said = captions.get(record.id, Caption(record.id))
        by = "person" if said.user else "machine" if said.automatic else ""
        values = (record.id, record.name, said.text, by, said.automatic, record.source, record.split)
        rows.append(dict(zip(COLUMNS, values, strict=True)))
    return rows


def written(rows: Sequence[Mapping[str, str]], suffix: str) -> str:
    """The rows as the text of a file."""
    if suffix == ".jsonl":
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, COLUMNS)
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


def suffix_of(path: Path) -> str:
    """Which format a file has, by its name."""
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise SourceError(f"{path}: captions are written and read as {' or '.join(FORMATS)}, not {suffix or 'nothing'}")
    return suffix


def read_rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    """The rows of a file with their line numbers; a `SourceError` says which line cannot be read, and why."""
    suffix = suffix_of(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")  # spreadsheets put a mark in front; line ends stay as they are
    except OSError as error:
        raise SourceError(f"{path} cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise SourceError(f"{path} is not UTF-8 ({error.reason} at byte {error.start}); save it as UTF-8") from None
    return _json_lines(path, text) if suffix == ".jsonl" else _csv_lines(path, text)


def changes(path: Path, records: Sequence[Record], captions: Mapping[str, Caption]) -> dict[str, str]:
    """What a file changes: the person's words by record id. An empty caption gives the automatic one back.

    A caption that is as it was is no change. A row that names no picture of the dataset refuses the whole file.
    """
    ids = {record.id for record in records}
    names: dict[str, list[str]] = {}
    for record in records:
        names.setdefault(record.name, []).append(record.id)
    wanted: dict[str, str] = {}
    for line, row in read_rows(path):
        found = [row["id"]] if row.get("id") in ids else names.get(row.get("name", ""), [])
        if len(found) != 1:
            what = row.get("id") or row.get("name")
            why = "names more than one picture; give its id" if found else "is no picture of this dataset"
            raise SourceError(f"{path}, line {line}: {what!r} {why}. Nothing was changed")
        if "caption" not in row:
            raise SourceError(f"{path}, line {line}: there is no `caption`. Nothing was changed")
        if wanted.setdefault(found[0], row["caption"]) != row["caption"]:
            raise SourceError(
                f"{path}, line {line}: {row.get('name') or found[0]} has two captions. Nothing was changed"
            )
    return {key: text.strip() for key, text in wanted.items() if _changes(captions.get(key, Caption(key)), text)}


def _changes(before: Caption, text: str) -> bool:
    return text != before.text and text.strip() != before.user


def _csv_lines(path: Path, text: str) -> list[tuple[int, dict[str, str]]]:
    head = text.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)  # some countries' spreadsheets write semicolons
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[tuple[int, dict[str, str]]] = []
    try:
        columns = set(reader.fieldnames or ())
        if "caption" not in columns or not columns & {"id", "name"}:
            raise SourceError(f"{path}: the first line must name the columns `id` (or `name`) and `caption`")
        for row in reader:
            if None in row or None in row.values():
                raise SourceError(f"{path}, line {reader.line_num}: it has another number of columns than the first")
            rows.append((reader.line_num, row))
    except csv.Error as error:
        raise SourceError(f"{path}, line {reader.line_num}: not CSV ({error})") from None
    return rows


def _json_lines(path: Path, text: str) -> list[tuple[int, dict[str, str]]]:
    rows = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise SourceError(f"{path}, line {number}: not JSON ({error})") from None
        if not isinstance(row, dict) or not all(isinstance(row.get(key, ""), str) for key in ("id", "name", "caption")):
            raise SourceError(f"{path}, line {number}: expected an object with texts `id` (or `name`) and `caption`")
        rows.append((number, row))
    return rows
