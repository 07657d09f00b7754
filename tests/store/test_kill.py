from dataclasses import replace
from multiprocessing import Pipe
from multiprocessing.context import ForkServerContext
from pathlib import Path
from random import Random

from core.hashing import sha256_of
from core.snapshot import manifest_of
from store.store import Store
from tests.store.things import a_record, all_rows, ingest_in_steps, make_store


def test_a_run_killed_at_any_moment_leaves_a_whole_store_and_can_be_run_again(
    tmp_path: Path, mortals: ForkServerContext
) -> None:
    whole = ingest_in_steps(str(tmp_path / "whole"))
    moments = Random(20)
    for attempt in range(3):
        uri = str(tmp_path / f"killed-{attempt}")
        for _ in range(2):
            announced, announces = Pipe()
            run = mortals.Process(target=ingest_in_steps, args=(uri, announces))
            run.start()
            for _ in range(moments.randint(1, 15)):
                announced.recv()
            run.join(moments.uniform(0, 0.02))
            run.kill()
            run.join()
            everything_in_it_is_whole(Store.open(uri))
        again = ingest_in_steps(uri)
        assert (again.manifest, again.count, again.held_out) == (whole.manifest, whole.count, whole.held_out)


def everything_in_it_is_whole(store: Store) -> None:
    for table in store.size():
        key = store._tables[table].key
        keys = [row[key] for row in all_rows(store, table)]
        assert len(keys) == len(set(keys))
    for record in store.records():
        assert replace(record, verdict="kept") == a_record(int(record.name.removesuffix(".png")))
        assert sha256_of(store.image(record.sha256)) == record.sha256
    for snapshot in store.snapshots():
        records, captions = store.records(tag=snapshot.tag), store.captions(tag=snapshot.tag)
        assert manifest_of(records, captions) == snapshot.manifest


def test_a_store_whose_making_was_killed_at_any_moment_is_completed(tmp_path: Path, mortals: ForkServerContext) -> None:
    moments = Random(21)
    for attempt in range(8):
        uri = str(tmp_path / f"killed-{attempt}")
        announced, announces = Pipe()
        run = mortals.Process(target=make_store, args=(uri, announces))
        run.start()
        announced.recv()
        run.join(moments.uniform(0, 0.03))
        run.kill()
        run.join()
        store = Store.open(uri)
        assert store.put_records([a_record(1)]) == 1
        assert store.snapshot().count == 1
