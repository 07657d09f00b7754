"""Write the kept pictures of a dataset for another program: whole or not at all, and never over anything."""

import errno
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Literal

from core.caption import Caption
from core.errors import DiskFull, ExportError, NotEnoughData
from core.marks import DERIVED, FRAME_OF
from core.record import Record
from curation.export import Export, Item
from curation.records import is_frame
from curation.sidecars import tidy
from store.store import Store

Side = Literal["train", "held_out", "all"]


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written."""

    folder: Path
    kind: str
    pictures: int
    derived: int
    """how many of them were made from others"""
    held_out: int
    notes: tuple[str, ...]


def export(
    store: Store, kind: Export, folder: Path, *, side: Side = "all", tag: str = "", derived: bool = False
) -> Exported:
    """Write the kept pictures of a snapshot, or of the present state, into a new or empty folder.

    What is written grows beside it, under a hidden name with ``partial``, and is renamed at the end; a process that is
    killed leaves that folder and nothing else.
    """
    items = items_of(store, side, tag, derived)
    if not items:
        raise NotEnoughData(f"nothing to export from {store.uri}: no picture is kept there on the side {side!r}")
    with whole(folder) as partial_folder:
        notes = kind.write(items, partial_folder, folder.expanduser().resolve())
    made = sum(item.record.depth > 0 for item in items)
    if made:
        words = f"{made} derived pictures are tagged `derived=` with the hash of the real one: imported again they"
        notes.append(f"{words} are trained on and never held out")
    frames = sum(is_frame(item.record) for item in items)
    if frames:
        words = f"{frames} later frames of animated pictures are PNGs of their own, tagged `frame_of=` with the hash of"
        notes.append(f"{words} the whole file: imported again they are in one group with it")
    held = sum(item.side == "held_out" for item in items)
    return Exported(folder.expanduser().resolve(), kind.kind, len(items), made, held, tuple(notes))


def items_of(store: Store, side: Side, tag: str, derived: bool) -> list[Item]:
    """What is to be written, sorted by name."""
    records, captions = store.records(tag=tag), store.captions(tag=tag)
    by_id = {record.id: record for record in records}
    wanted = [
        record
        for record in records
        if record.verdict == "kept" and (derived or record.depth == 0) and side in ("all", record.split or "train")
    ]
    wanted.sort(key=lambda record: (record.depth > 0, record.source, record.name, record.id))
    taken: set[str] = set()
    items = [item_of(record, captions, by_id, taken, store) for record in wanted]
    return sorted(items, key=lambda item: item.name)


def item_of(
    record: Record, captions: Mapping[str, Caption], by_id: Mapping[str, Record], taken: set[str], store: Store
) -> Item:
    """One record to be written, under a name that no other has."""
    name, tags = record.name, record.tags
    if record.depth:
        path = PurePosixPath(name)
        maker = record.made_by.rpartition("-")[0] or "made"
        name = str(path.with_name(f"{path.stem}~{maker}-{record.id[:8]}{path.suffix}"))
        tags = (*tags, f"{DERIVED}{root_of(record, by_id).sha256}")
    if is_frame(record) and (first := by_id.get(str(record.drawn["first"]))) is not None:
        tags = (*tags, f"{FRAME_OF}{first.sha256}")
    if name in taken:
        name = f"{record.source}/{name}"
    if name in taken:
        name = f"{record.id}/{name}"
    taken.add(name)
    caption = captions[record.id].text if record.id in captions else ""
    return Item(record, name, tidy(caption), tags, partial(store.image, record.sha256))


def root_of(record: Record, by_id: Mapping[str, Record]) -> Record:
    """The real picture that a derived one goes back to."""
    while record.depth and record.parent in by_id:
        record = by_id[record.parent]
    return record


@contextmanager
def whole(folder: Path) -> Iterator[Path]:
    """Yield a folder beside the one that is meant, and give it that name at the end."""
    target = folder.expanduser().resolve()
    check(target)
    growing = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        growing.mkdir()
        yield growing
        growing.replace(target)
    except OSError as error:
        shutil.rmtree(growing, ignore_errors=True)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(f"no room left while exporting to {target}; nothing is left of it") from error
        raise ExportError(f"{target} cannot be written: {error.strerror or error}") from error
    except BaseException:
        shutil.rmtree(growing, ignore_errors=True)
        raise


def check(target: Path) -> None:
    """`ExportError` where something is there already."""
    if target.exists() and not target.is_dir():
        raise ExportError(f"{target} is a file; name a new or an empty folder")
    there = sorted(path.name for path in target.iterdir()) if target.is_dir() else []
    if there:
        raise ExportError(f"{target} is not empty: it holds {in_short(there)}; name a new or an empty folder")
    if target.parent == target:
        raise ExportError(f"{target} cannot be replaced; name a folder in it")


def leftovers(folder: Path) -> list[Path]:
    """What exports to this folder that were killed have left."""
    target = folder.expanduser().resolve()
    return sorted(target.parent.glob(f".{target.name}.*.partial")) if target.parent.is_dir() else []


def in_short(names: Iterable[str]) -> str:
    """The first few of them."""
    first = list(names)
    return ", ".join(first[:3]) + (", ..." if len(first) > 3 else "")
