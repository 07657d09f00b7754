"""What changed between two versions of a dataset: columns are compared with columns, and no picture is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow.compute import field

from store.store import Store

KINDS = {
    "added": "pictures that are new, or back",
    "changed": "pictures whose file is another one now",
    "removed": "pictures that are no longer there",
    "refused": "pictures that are refused now and were not before",
    "accepted": "pictures that were refused and are no longer",
    "recaptioned": "pictures that are described in other words",
    "resplit": "pictures that are on another side of the split",
    "reweighted": "pictures that are drawn more or less often",
    "retagged": "pictures of which their source says other tags",
}
COLUMNS = ("id", "sha256", "source", "name", "depth", "split", "verdict", "weight", "tags")
ALTERED = {"recaptioned": "text", "resplit": "split", "reweighted": "weight", "retagged": "tags"}
WAS_KEPT, IS_KEPT = field("verdict_before") == "kept", field("verdict_after") == "kept"
WAS_REFUSED, IS_REFUSED = field("verdict_before") == "refused", field("verdict_after") == "refused"
STAYED, CAME, WENT, REFUSED = WAS_KEPT & IS_KEPT, IS_KEPT & ~WAS_KEPT, WAS_KEPT & ~IS_KEPT, IS_REFUSED & ~WAS_REFUSED
ROWS = pa.schema([(name, pa.string()) for name in ("source", "name", "old", "new", "before", "after")])
"""of each picture: where it is from, the hashes of its bytes then and now, and what differs; empty: does not apply"""


@dataclass(frozen=True, slots=True)
class Difference:
    """What became of the kept pictures, and what is newly refused."""

    changes: Mapping[str, pa.Table]
    """kind of `KINDS` -> its rows, as `ROWS` says, sorted by source and name"""
    derived: Mapping[str, int]
    """how many pictures made from others were ``made``, ``dropped`` and ``recaptioned``"""
    reasons: Mapping[str, int]
    """of the newly refused, by reason code"""

    @property
    def counts(self) -> dict[str, int]:
        """Kind -> how many."""
        return {kind: rows.num_rows for kind, rows in self.changes.items()}

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return not any(self.counts.values()) and not any(self.derived.values())


def difference(store: Store, before: str, after: str) -> Difference:
    """What changed from the snapshot ``before`` to the snapshot ``after``; an empty name is the present state."""
    every = _side_by_side(_state(store, before), _state(store, after))
    real, made = every.filter(field("depth") == 0), every.filter(field("depth") > 0)
    came, went, refused = real.filter(CAME), real.filter(WENT), real.filter(REFUSED)
    replaced, known = _among("key", went["key"]), _among("key", refused["key"])
    reasons = _first_reasons(store, after, refused["id"])
    changes = {
        "added": _rows(came.filter(~replaced & ~WAS_REFUSED), after="text_after"),
        "changed": _replaced(came.filter(replaced), went),
        # a file whose new content is refused counts as that, not as removed
        "removed": _rows(went.filter(~_among("key", came["key"]) & ~known & ~IS_REFUSED), before="text_before"),
        "refused": _rows(refused.join(reasons, "id"), after="words"),
        "accepted": _rows(came.filter(~replaced & WAS_REFUSED), after="text_after"),
        **{kind: _altered(real, column) for kind, column in ALTERED.items()},
    }
    derived = {"made": CAME, "dropped": WENT, "recaptioned": STAYED & _differs("text")}
    counted = pc.value_counts(reasons["code"]).to_pylist()
    return Difference(
        changes,
        {name: made.filter(mask).num_rows for name, mask in derived.items()},
        dict(sorted((one["values"], one["counts"]) for one in counted)),
    )


def _state(store: Store, tag: str) -> pa.Table:
    """One version's records with the text that each is trained on."""
    records = store.columns("records", *COLUMNS, tag=tag)
    captions = store.columns("captions", "record", "automatic", "user", tag=tag)
    tags = pc.binary_join(pc.cast(records["tags"], pa.list_(pa.string())), ", ")
    records = records.set_column(records.column_names.index("tags"), "tags", tags)
    text = pc.if_else(pc.equal(captions["user"], ""), captions["automatic"], captions["user"])
    texts = pa.table({"id": captions["record"], "text": text})
    found = records.join(texts, "id", join_type="left outer")
    return found.set_column(found.column_names.index("text"), "text", pc.fill_null(found["text"], ""))


def _side_by_side(before: pa.Table, after: pa.Table) -> pa.Table:
    """A row for each id that is in either; ``key`` says which file it is, and an empty verdict that it is not there."""
    both = before.join(after, "id", join_type="full outer", left_suffix="_before", right_suffix="_after")
    for name in ("source", "name", "depth"):
        both = both.append_column(name, pc.coalesce(both[f"{name}_after"], both[f"{name}_before"]))
    for name in ("verdict_before", "verdict_after"):
        both = both.set_column(both.column_names.index(name), name, pc.fill_null(both[name], ""))
    return both.append_column("key", pc.binary_join_element_wise(both["source"], both["name"], "\0"))


def _rows(found: pa.Table, *, before: str = "", after: str = "") -> pa.Table:
    """The rows as `ROWS` says, with what differs from these columns."""
    columns = {"source": "source", "name": "name", "old": "sha256_before", "new": "sha256_after"}
    columns |= {"before": before, "after": after}
    nothing = pa.nulls(found.num_rows, pa.string())
    values = [pc.cast(found[name], pa.string()) if name else nothing for name in columns.values()]
    table = pa.table([pc.fill_null(column, "") for column in values], schema=ROWS)
    return table.sort_by([("source", "ascending"), ("name", "ascending"), ("new", "ascending")])


def _replaced(new: pa.Table, old: pa.Table) -> pa.Table:
    """Files with another content: the new record beside the old one of the same name."""
    old = pa.table({"key": old["key"], "sha256_before": old["sha256_before"], "text_before": old["text_before"]})
    new = new.drop_columns(["sha256_before", "text_before"]).join(old, "key")
    return _rows(new, before="text_before", after="text_after")


def _first_reasons(store: Store, tag: str, ids: pa.ChunkedArray) -> pa.Table:
    """The first reason of each of these records: its code and its words."""
    found = store.columns("records", "id", "reasons", tag=tag)
    found = found.filter(_among("id", ids) & (pc.list_value_length(field("reasons")) > 0))
    reasons = found["reasons"].combine_chunks()
    firsts = reasons.values.take(reasons.offsets[:-1])
    return pa.table({"id": found["id"], "code": firsts.field("code"), "words": firsts.field("words")})


def _altered(real: pa.Table, column: str) -> pa.Table:
    """The pictures that are kept in both, with another value in this column."""
    return _rows(real.filter(STAYED & _differs(column)), before=f"{column}_before", after=f"{column}_after")


def _differs(column: str) -> pc.Expression:
    return field(f"{column}_before") != field(f"{column}_after")


def _among(column: str, values: pa.ChunkedArray) -> pc.Expression:
    return field(column).isin(values.combine_chunks())
