"""What metadata.jsonl, .csv or .parquet files say of the pictures in their folders, as Hugging Face reads them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from posixpath import dirname, join, normpath

from core.errors import SourceError
from curation import exported
from curation.places import Place
from curation.sidecars import LICENCE, licence_of
from curation.source import Found, failing
from curation.tables import CAPTION, Table, kind_of, words_of
from curation.walking import files, pictures_below

METADATA = frozenset(f"metadata.{end}" for end in ("jsonl", "csv", "parquet"))


@dataclass(frozen=True, slots=True)
class Said:
    """What one row says."""

    caption: str
    where: str
    """the metadata file, for people"""
    licence: str = ""
    export: exported.Said | None = None
    """tags, weight and name, in an export of ours"""


def names_below(root: Place) -> list[str]:
    """All files below a folder, sorted, as paths in it."""
    if root.is_local:
        return [path.relative_to(root.path).as_posix() for path in files(root.path, frozenset()) if path != root.path]
    return list(root.files())


def metadata_in(root: Place, names: list[str], caption: str) -> tuple[dict[str, Said], str]:
    """What is said of each picture by its name below ``root``, and a note."""
    said: dict[str, Said] = {}
    note = ""
    for name in names:
        if name.rpartition("/")[2] not in METADATA:
            continue
        table = Table(root.below(name))
        column = table.column(caption, CAPTION, "caption")
        file = table.column("", ("file_name", *(one for one in table.columns if one.endswith("_file_name"))), "")
        if not file:
            raise SourceError(f"{table.place.uri} has no column file_name; it has {', '.join(table.columns)}")
        if not column:
            note = f"{table.place.uri} has no column of captions among {', '.join(table.columns)}: name it in `caption`"
        ours = exported.columns_in(table.columns)
        licence = table.column("", LICENCE, "")
        told = [one for one in (column, licence) if one]
        for value, *words in table.rows(file, *told, *ours):
            if isinstance(value, str) and value:
                at = normpath(join(dirname(name), value)) if not value.startswith("/") else value
                row = dict(zip((*told, *ours), words, strict=True))
                export = exported.Said.of(row) if ours else None
                said[at] = Said(words_of(row.get(column)), table.place.uri, licence_of(row.get(licence)), export)
    return said, note


def pictures_with_metadata(root: Place, names: list[str], caption: str) -> Iterator[Found]:
    """The pictures of a folder with what its metadata says; what it names and what is not there is a refused row."""
    said, note = metadata_in(root, names, caption)
    for picture in pictures_below(root):
        known = said.pop(picture.name, None)
        if known is not None and known.caption:
            picture = replace(picture, caption=known.caption, note="")
        if known is not None and known.licence:
            picture = replace(picture, licence=known.licence)
        if known is not None and known.export is not None:
            picture = known.export.of_picture(picture)
        if note:
            picture, note = replace(picture, note=picture.note or note), ""
        yield picture
    for name, row in sorted(said.items()):
        outside = name.startswith(("/", "../"))
        what = "leads out of the folder" if outside else "is not there, or is no picture"
        error = OSError(f"{row.where} names it, but it {what}")
        yield Found(name, name if outside else root.below(name).uri, 0, 0, failing(error))


def parquet_files(names: list[str]) -> list[str]:
    """Those that hold pictures themselves."""
    return [name for name in names if kind_of(name) == "parquet" and name.rpartition("/")[2] not in METADATA]
