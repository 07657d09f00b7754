"""What becomes of a record when its file is found again: the same, read anew, set aside, or back."""

from collections.abc import Iterable
from dataclasses import replace

from core.hashing import digest
from core.record import Reason, Record, Value
from curation import formats
from curation.measure import Measured
from curation.places import is_web
from curation.reading import Reading
from curation.source import Found

ABSENT = frozenset(("removed", "source_not_named"))
"""reasons for which a record is set aside until its picture is seen again"""
PASSING = frozenset(("unreadable", "worker_died", "took_too_long", "too_much_memory", "check_failed"))
"""refusals that may be the machine's fault, not the picture's: tried again each time"""


def unchanged(found: Found, records: Iterable[Record], reading: Reading, needed: frozenset[str]) -> Record | None:
    """The record of a picture that need not be read: location, size and time are those of the last ingest.

    ``needed``: the scores that filters want.
    """
    for record in records:
        if is_same_file(record, found) and not is_frame(record) and is_read(record, reading, needed):
            return None if worth_another_try(record) else record
    return None


def is_same_file(record: Record, found: Found) -> bool:
    """Whether location, size and time say so."""
    return (record.uri, record.size, record.mtime_ns) == (found.uri, found.size, found.mtime_ns)


def is_read(record: Record, reading: Reading, needed: frozenset[str]) -> bool:
    """Whether all is known that reading the picture again would tell."""
    if record.drawn.get("reading") != reading.key or (record.width and not needed <= record.quality.keys()):
        return False
    return not is_animated(record) or record.drawn.get("taken", "") == reading.taken


def is_settled(record: Record, reading: Reading, needed: frozenset[str]) -> bool:
    """Whether nothing is to be done for a file that has not changed since, nor what stands beside it."""
    if record.verdict == "removed" or is_frame(record) or (is_animated(record) and reading.taken):
        return False
    return is_read(record, reading, needed) and not worth_another_try(record)


def is_animated(record: Record) -> bool:
    """Whether its file has more frames than this one."""
    return "frames" in record.drawn


def is_frame(record: Record) -> bool:
    """Whether it is a later frame of an animated picture, which has a name and bytes of its own."""
    return "frame" in record.drawn


def is_thought_there(record: Record) -> bool:
    """Whether the record stands for a file of its own that was not seen to be gone when its source was last read."""
    return not is_frame(record) and all(reason.code != "removed" for reason in record.reasons)


def file_of(record: Record) -> str:
    """The name of the file that it comes from."""
    return record.name.removesuffix(f"#{record.drawn['frame']}") if is_frame(record) else record.name


def worth_another_try(record: Record) -> bool:
    """Whether a picture that could not be decoded may be now, although the file is the same."""
    if record.width:
        return False
    if is_web(record.uri):  # what a server gave, such as an error page, may be something else tomorrow
        return True
    codes = {reason.code for reason in record.reasons}
    return bool(codes & PASSING) or ("unsupported_format" in codes and record.drawn.get("plugins") != plugins())


def plugins() -> str:
    """The optional formats that can be read here, as a record remembers them."""
    return ",".join(formats.plugins())


def read_anew(record: Record, result: Measured | Record | Reason, reading: Reading) -> Record:
    """The record with what reading its picture told; a record as ``result`` is that of a picture of the same content.

    What cannot be decoded has no size: that tells it from what filters refused.
    """
    drawn: dict[str, Value] = {**record.drawn, "reading": reading.key}
    for name in ("plugins", "frames", "taken", "matte"):
        drawn.pop(name, None)
    if reading.ground:
        drawn["matte"] = reading.ground
    if isinstance(result, Reason):
        if result.code == "unsupported_format":
            drawn["plugins"] = plugins()
        record = replace(record, width=0, height=0, phash=0, phash_mirrored=0, quality={})
        return replace(record, drawn=drawn, verdict="refused", reasons=(result,))
    if record.width == 0:
        record = replace(record, verdict="kept", reasons=())
    num_frames = result.num_frames if isinstance(result, Measured) else result.drawn.get("frames", 1)
    if num_frames != 1:
        drawn |= {"frames": num_frames, "taken": reading.taken}
    return replace(
        record,
        width=result.width,
        height=result.height,
        phash=result.phash,
        phash_mirrored=result.phash_mirrored,
        quality=dict(result.quality),
        drawn=drawn,
    )


def as_found(record: Record, found: Found) -> Record:
    """The record with what its source says of it now."""
    drawn = {**record.drawn, "sidecar": mark_of(found.caption), "licence": found.licence}
    if not found.licence:
        del drawn["licence"]
    return replace(
        record,
        uri=found.uri,
        size=found.size,
        mtime_ns=found.mtime_ns,
        tags=found.tags,
        weight=found.weight,
        drawn=drawn,
    )


def caption_of(user: str, before: Record | None, found: Found) -> str:
    """The user caption of a picture that has the user caption ``user`` and was ``before`` when last seen.

    What stands beside the picture is taken when it is new or has changed, and then only if ``user`` is empty or came
    from there: a person's edit in the store stays.
    """
    if before is None:
        return found.caption
    mark = str(before.drawn.get("sidecar", ""))
    came_from_there = not user or mark_of(user) == mark
    return found.caption if mark_of(found.caption) != mark and came_from_there else user


def mark_of(caption: str) -> str:
    """What a record remembers of the caption beside its picture."""
    return digest("sidecar", caption) if caption else ""


def set_aside(record: Record, reason: Reason) -> Record:
    """Removed for a reason; what it was refused for before is kept."""
    return replace(record, verdict="removed", reasons=(*record.reasons, reason))


def back(record: Record, absences: frozenset[str] = ABSENT) -> Record:
    """The record as it was before it was set aside for one of ``absences``."""
    reasons = tuple(reason for reason in record.reasons if reason.code not in absences)
    if record.verdict != "removed" or len(reasons) == len(record.reasons):
        return record
    if any(reason.code in ABSENT for reason in reasons):
        return replace(record, reasons=reasons)
    return replace(record, verdict="refused" if reasons else "kept", reasons=reasons)
