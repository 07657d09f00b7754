"""What is measured after training reaches MLflow once: what a pause has logged is not logged again."""

from pathlib import Path

from core.snapshot import Snapshot
from flows.job import Job
from flows.judgement import Judgement
from flows.publishing import end_figures, verdict_figures
from flows.spool import Spool
from tests.flows.pictures import short_recipe

SNAPSHOT = Snapshot(store="/somewhere/store", tag="data-0003", count=12, held_out=3, manifest="ab" * 32)


def test_what_no_pause_has_logged_is_logged_of_the_kept_and_the_last_checkpoint(tmp_path: Path) -> None:
    job = Job(tmp_path, "k", short_recipe(tmp_path, "pocket"), SNAPSHOT)
    Spool(job.spool).write(4, {"probe/gap": 0.1})
    kept = {"probe/gap": 0.12, "memorisation/copy_rate": 0.0, "memorisation/copy_rate_high": 0.14}
    judgement = Judgement("healthy", "", "", "overfit", 4, 8, kept, {"memorisation/copy_rate": 0.5}, best_strength=0.6)
    told = {(one.key, one.step): one.value for one in end_figures(job, judgement)}
    assert told == {
        ("memorisation/copy_rate", 4): 0.0,
        ("memorisation/copy_rate_high", 4): 0.14,
        ("memorisation/copy_rate", 8): 0.5,
    }
    assert {one.key: one.value for one in verdict_figures(judgement)}["verdict/best_strength"] == 0.6
