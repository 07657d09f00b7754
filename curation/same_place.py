"""Whether a source is the one of its name that the store knows, or another place that is called the same."""

import re
from collections.abc import Sequence

from core.errors import SourceError
from core.record import Record
from curation.known import Known
from curation.places import Place
from curation.source import Found, Source
from curation.walking import is_there

LOOKED_AT = 64
"""pictures that are compared"""


def check_same_place(source: Source, known: Known, first: Sequence[Found]) -> None:
    """`SourceError` where the known pictures lie elsewhere and are still there, and those here are others.

    ``first``: the files that the source gave first. A place counts as the known one, moved or copied, if half of some
    files here are known by name and size, or half of the known ones are here; and where nothing is left at the old
    place. Without this, the pictures of one folder would be set aside for those of another that is called the same.
    """
    other = known.elsewhere
    if not other or not first:
        return
    some = spread(first)
    names = {one.name: one.size for one in first}
    before = known.thought_there(LOOKED_AT)
    of_here = sum(any(same(one, record) for record in known.named([one]).get(one.name, ())) for one in some)
    of_known = sum(names.get(record.name) == record.size for record in before)
    if 2 * of_here >= len(some) or 2 * of_known >= len(before) or not still_there(other):
        return
    raise SourceError(
        f"the dataset knows {source.name!r} as the pictures at {place_of(other)}, which are still there, and "
        f"{source.root.removesuffix('!/')} holds others: say `pictures.label: ANOTHER-NAME` for a source of its own, "
        f"or `pictures.label: {source.name}` to let these take the place of those"
    )


def spread(files: Sequence[Found]) -> Sequence[Found]:
    """Some of them, evenly."""
    return files[:: -(-len(files) // LOOKED_AT)]


def same(found: Found, record: Record) -> bool:
    """Whether a file may be the one that a record was made from."""
    return (found.name, found.size) == (record.name, record.size)


def still_there(record: Record) -> bool:
    """Whether the file, or the archive that it is in, is still where it was read."""
    whole = re.split(r"!/|#\d+$", record.uri)[0]
    return is_there(Place(record.uri)) or is_there(Place(whole))


def place_of(record: Record) -> str:
    """Where its source stood: the uri without the picture's own name."""
    return re.sub(r"!/.*|#\d+$", "", record.uri.removesuffix(record.name))
