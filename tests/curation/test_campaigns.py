"""A short share of the campaigns: `make fuzz`, `make bench-ingest-kills` and the figures of `make bench-curation`."""

from pathlib import Path

import numpy as np

from benchmarks.curation_pairs import planted, recall
from benchmarks.fuzz import campaign
from benchmarks.ingest_kills import at_once, disturbed, make_pictures, to_its_end
from benchmarks.mutations import mutated
from benchmarks.specimens import archives, pictures
from core.seeding import generator
from curation.hamming import pairs_within


def test_damaged_files_end_no_run_and_write_nothing(tmp_path: Path) -> None:
    outcome = campaign(300, 7, tmp_path)
    assert outcome.broken == []
    assert sum(outcome.codes[code] for code in outcome.codes if not code.startswith("member")) == 300
    assert {"picture whole", "picture damaged", "picture truncated", "archive"} <= outcome.codes.keys()


def test_the_same_seed_damages_in_the_same_way() -> None:
    for specimens in (pictures(), archives()):
        first, second = ([mutated(specimens, generator("again", n)) for n in range(40)] for _ in range(2))
        assert first == second and len(set(first)) > 30


def test_an_ingest_killed_at_random_moments_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    make_pictures(tmp_path / "pictures", 60)
    truth, seconds = to_its_end(tmp_path / "undisturbed", tmp_path / "pictures")
    moments = generator("ingest kills", 1).uniform(0, 1, 2).tolist()
    assert disturbed(tmp_path / "killed", tmp_path / "pictures", truth, seconds, moments) == []
    assert at_once(tmp_path / "at once", tmp_path / "pictures", truth, count=2) == []


def test_no_pair_is_missed_among_thousands() -> None:
    hashes = planted(20_000)
    found = pairs_within(hashes, 6)
    assert len(found) > 50 and recall(hashes, found) == 1.0
    assert np.all(found[:, 0] < found[:, 1])
