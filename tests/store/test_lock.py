import os
from multiprocessing import Pipe
from multiprocessing.context import ForkServerContext
from pathlib import Path
from threading import Thread

import pytest

from core.record import Record
from store.lock import exclusive, reentrant
from store.store import Store
from tests.store.things import a_caption, a_record, hold_writer, wait_for_writer

PATIENCE = 60  # seconds


@pytest.mark.usefixtures("in_a_folder")
def test_a_second_process_waits_and_is_told_who_writes(store: Store, mortals: ForkServerContext) -> None:
    said, says = Pipe()
    with store.writer():
        assert (Path(store.uri) / ".writer.lock").read_text() == f"{os.getpid()}\n"
        other = mortals.Process(target=wait_for_writer, args=(store.uri, says))
        other.start()
        assert said.poll(PATIENCE)
        assert said.recv() == f"waiting for process {os.getpid()}, which writes to {store.uri}"
        assert not said.poll(0.3)
    assert said.poll(PATIENCE)
    assert said.recv() == "held"
    other.join(PATIENCE)
    assert other.exitcode == 0


def test_the_lock_of_a_killed_process_is_free(store: Store, mortals: ForkServerContext) -> None:
    ready, tells = Pipe()
    other = mortals.Process(target=hold_writer, args=(store.uri, tells))
    other.start()
    assert ready.poll(PATIENCE)
    other.kill()
    other.join(PATIENCE)
    told: list[str] = []
    with store.writer(told.append):
        assert all(str(other.pid) in words for words in told)


@pytest.mark.usefixtures("in_a_folder")
def test_the_writer_may_enter_again_from_any_of_its_threads(store: Store) -> None:
    entered: list[bool] = []

    def task() -> None:
        with Store.open(store.uri).writer():
            entered.append(True)

    with store.writer(), store.writer():
        thread = Thread(target=task)
        thread.start()
        thread.join(PATIENCE)
    assert entered == [True]
    with exclusive(Path(store.uri) / ".writer.lock"):  # it is free now: this one does not share
        pass


def test_a_failure_lets_go_of_the_lock(tmp_path: Path) -> None:
    for _ in range(2):
        try:
            with reentrant(tmp_path / "lock"):
                raise ValueError
        except ValueError:
            pass
    with exclusive(tmp_path / "lock"):
        pass


def test_an_edit_by_hand_does_not_wait_for_a_run(store: Store, mortals: ForkServerContext) -> None:
    store.put_records([a_record(1)])
    ready, tells = Pipe()
    other = mortals.Process(target=hold_writer, args=(store.uri, tells))
    other.start()
    assert ready.poll(PATIENCE)
    store.edit_caption(a_record(1).id, "by hand")
    ready.send("stop")
    other.join(PATIENCE)
    assert store.captions()[a_record(1).id].text == "by hand"


def test_edits_and_captioners_at_once_lose_no_edit(store: Store) -> None:
    records: list[Record] = [a_record(number) for number in range(8)]
    store.put_records(records)

    def caption_again_and_again() -> None:
        for engine in range(8):
            store.put_captions(a_caption(number, engine=f"engine-{engine}") for number in range(8))

    captioner = Thread(target=caption_again_and_again)
    captioner.start()
    for record in records:
        store.edit_caption(record.id, f"hand {record.name}")
    captioner.join(PATIENCE)
    captions = store.captions()
    assert [captions[record.id].user for record in records] == [f"hand {record.name}" for record in records]
    assert {caption.engine for caption in captions.values()} == {"engine-7"}
