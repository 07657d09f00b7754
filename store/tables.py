"""The columns of every table, and which of them is its key."""

from typing import Literal, TypeAlias

import pyarrow as pa

# Set when the table is created, so that no writer can ever find it without. Lance lets two writers insert the same
# key twice unless the key is declared, non-null, and not looked up through an index.
KEY = {"lance-schema:unenforced-primary-key": "true", "lance-schema:unenforced-primary-key:position": "1"}


def key(name: str) -> pa.Field:
    """A key column."""
    return pa.field(name, pa.string(), nullable=False, metadata=KEY)


def column(name: str, kind: pa.DataType) -> pa.Field:
    """A column that is always filled."""
    return pa.field(name, kind, nullable=False)


IMAGES = pa.schema(
    [
        key("sha256"),
        pa.field("data", pa.large_binary(), nullable=False, metadata={"lance-encoding:blob": "true"}),
        column("media_type", pa.string()),
        column("width", pa.int32()),
        column("height", pa.int32()),
    ]
)

RECORDS = pa.schema(
    [
        key("id"),
        column("sha256", pa.string()),
        column("source", pa.string()),
        column("name", pa.string()),
        column("uri", pa.string()),
        column("size", pa.int64()),
        column("mtime_ns", pa.int64()),
        column("width", pa.int32()),
        column("height", pa.int32()),
        column("parent", pa.string()),
        column("depth", pa.int32()),
        column("made_by", pa.string()),
        column("seed", pa.int64()),
        column("drawn", pa.string()),  # JSON
        column("group", pa.string()),
        column("split", pa.string()),
        column("phash", pa.uint64()),
        column("phash_mirrored", pa.uint64()),
        column("quality", pa.string()),  # JSON
        column("tags", pa.list_(column("item", pa.string()))),
        column("weight", pa.float64()),
        column("verdict", pa.string()),
        column(
            "reasons",
            pa.list_(column("item", pa.struct([column("code", pa.string()), column("words", pa.string())]))),
        ),
    ]
)

CAPTIONS = pa.schema(
    [
        key("record"),
        column("automatic", pa.string()),
        column("scores", pa.string()),  # JSON
        column("engine", pa.string()),
        column("user", pa.string()),
    ]
)

ARRAYS = pa.schema(
    [
        key("key"),
        column("dtype", pa.string()),
        column("shape", pa.list_(column("item", pa.int64()))),
        column("data", pa.large_binary()),
    ]
)

SNAPSHOTS = pa.schema(
    [
        key("tag"),
        column("manifest", pa.string()),
        column("count", pa.int64()),
        column("held_out", pa.int64()),
    ]
)

NAMES = pa.schema([key("name"), column("tag", pa.string())])

EDITS = pa.schema(
    [
        key("key"),  # number of the edit / id of the record
        column("number", pa.int64()),
        column("made", pa.string()),
        column("what", pa.string()),
        column("undoes", pa.int64()),
        column("record", pa.string()),
        column("before", pa.string()),
        column("after", pa.string()),
    ]
)

TAGGED = {
    "images": IMAGES,
    "records": RECORDS,
    "captions": CAPTIONS,
    "embeddings": ARRAYS,
    "latents": ARRAYS,
    "text_states": ARRAYS,
}
CacheName: TypeAlias = Literal["embeddings", "latents", "text_states"]
DESCRIBING = ("captions", "records")
"""the tables that say what a dataset is; the others hold pictures and what follows from them"""
TABLES = {**TAGGED, "snapshots": SNAPSHOTS, "names": NAMES, "edits": EDITS}
