"""Keeps a table of many small commits fast: joins its small files, and lets go of versions nobody reads."""

from datetime import timedelta
from typing import Any

FRAGMENTS = 32  # each commit adds one and slows the next down: after 200 a commit takes more than twice as long
FRAGMENT_BYTES = 128 << 20  # what has grown this large is not rewritten any more
READABLE = timedelta(hours=1)  # how long a version without a tag stays, for whoever is reading it


def join_small(dataset: Any) -> bool:
    """Join the fragments of a Lance dataset if there are many small ones; whether that was so.

    Never for a table of pictures: it would write every byte again.
    """
    fragments = [fragment.metadata for fragment in dataset.get_fragments()]
    if len(fragments) < FRAGMENTS:
        return False
    rows = sum(fragment.physical_rows for fragment in fragments)
    size = sum(file.file_size_bytes or 0 for fragment in fragments for file in fragment.files)
    enough = max(1, int(FRAGMENT_BYTES * rows / max(1, size)))
    if sum(fragment.physical_rows < enough for fragment in fragments) < FRAGMENTS:
        return False
    dataset.optimize.compact_files(target_rows_per_fragment=enough, num_threads=1)
    dataset.cleanup_old_versions(older_than=READABLE, error_if_tagged_old_versions=False)  # snapshots stay
    return True


def let_go(dataset: Any, older_than: timedelta, *, delete: bool) -> int:
    """Bytes of versions that no tag holds and nobody can be reading: how many would be freed, or have been.

    Files that a killed writer left count too, once they are a week old.
    """
    how = {"older_than": max(older_than, READABLE), "error_if_tagged_old_versions": False}
    if delete:
        return int(dataset.cleanup_old_versions(**how).bytes_removed)
    return int(dataset.explain_cleanup_old_versions(**how).stats.bytes_removed)
