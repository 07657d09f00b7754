from pathlib import Path

from flows.spool import Outbox, Spool, read


def test_a_line_that_is_still_being_written_waits_for_the_next_time(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    Spool(path).write(1, {"loss": 0.5})
    with path.open("a") as file:
        file.write('{"key": "loss", "val')
    assert [(f.key, f.value, f.step) for f in read(path)] == [("loss", 0.5, 1)]


def test_a_resumed_trainer_takes_back_what_came_after_its_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    spool = Spool(path)
    for step in range(1, 6):
        spool.write(step, {"loss": 1 / step})
    resumed = Spool(path, from_step=3)
    resumed.write(4, {"loss": 0.25})
    assert [f.step for f in read(path)] == [1, 2, 3, 4]


def test_figures_are_sent_once_even_when_the_trainer_wrote_them_twice(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    Spool(path).write(1, {"loss": 0.5, "norm": 2.0})
    outbox = Outbox(path)
    outbox.mark_sent(outbox.look())
    Spool(path, from_step=0).write(1, {"loss": 0.5})
    Spool(path).write(2, {"loss": 0.4})
    for looked in (outbox, Outbox(path)):  # the same one, and the one of a run that goes on
        assert [(f.key, f.step) for f in looked.look()] == [("loss", 2)]


def test_what_is_not_taken_waits_and_a_look_reads_only_what_is_new(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    outbox = Outbox(path)
    assert outbox.look() == []
    Spool(path).write(1, {"loss": 0.5})
    assert [f.step for f in outbox.look()] == [1]
    with path.open("r+b") as file:
        file.write(b"x")  # it would fail if this were read again
    with path.open("a") as file:
        file.write('{"key": "loss", "value": 0.4, ')
    assert [f.step for f in outbox.look()] == [1]
    with path.open("a") as file:
        file.write('"step": 2, "time_ms": 5}\n')
    assert [f.step for f in outbox.look()] == [1, 2]
    assert outbox.step == 2
