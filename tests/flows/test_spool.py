from pathlib import Path

from flows.spool import Spool, mark_sent, read, unsent


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
    path, sent = tmp_path / "metrics.jsonl", tmp_path / "metrics.sent"
    Spool(path).write(1, {"loss": 0.5, "norm": 2.0})
    mark_sent(sent, unsent(path, sent))
    Spool(path, from_step=0).write(1, {"loss": 0.5})
    Spool(path).write(2, {"loss": 0.4})
    assert [(f.key, f.step) for f in unsent(path, sent)] == [("loss", 2)]
