from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from store.store import Store
from tests.store.things import a_caption, a_record, all_rows, an_image, put_singly, write_everything


@pytest.mark.parametrize("attempt", range(2))
def test_four_processes_that_store_the_same_things_leave_each_once(
    tmp_path: Path, writers: ProcessPoolExecutor, attempt: int
) -> None:
    uri = str(tmp_path / "new" / "store")  # they also make it at once
    new = list(writers.map(write_everything, [uri] * 4, [0, 0, 7, 30]))
    store = Store.open(uri)
    assert sum(new) == 60
    for table, key in [("images", "sha256"), ("records", "id"), ("captions", "record"), ("embeddings", "key")]:
        keys = [row[key] for row in all_rows(store, table)]
        assert len(keys) == len(set(keys)) == 60, f"duplicates in {table}"
    assert store.records() == sorted((a_record(number) for number in range(60)), key=lambda record: record.id)
    assert store.captions() == {a_record(number).id: a_caption(number) for number in range(60)}
    assert all(store.image(an_image(number).sha256) == an_image(number).data for number in range(60))


def test_joining_small_files_loses_nothing_while_others_write(tmp_path: Path, writers: ProcessPoolExecutor) -> None:
    store = Store.open(tmp_path / "store")
    keys = [f"key-{number}" for number in range(60)]
    list(writers.map(put_singly, [store.uri] * 4, [keys, keys, keys[::-1], keys[30:] + keys[:30]]))
    assert sorted(row["key"] for row in all_rows(store, "latents")) == sorted(keys)
