"""Are copies told, and nothing else? Asked of sets of drawings, without any network.

A set is dealt into trained and held-out drawings; its samples are drawings of neither, of which some are replaced by
copies: at a distance between .35 and .7, which is where readers called nearly all samples copies. The verdict sees
what it sees of a run: the distances of the samples and of the real pictures, three times as many samples where it is
in doubt.
"""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.goal import Goal
from benchmarks.verdict_notes import copies_of
from core.files import write_text
from evaluation.findings import Thresholds, copied, copies_in_doubt
from evaluation.metric import Figure, Measured
from evaluation.metrics.memorisation import Memorisation
from evaluation.nearest import pixel_distances, thumbnails
from flows.bench import MORE

SETS = 500
"""of each size and style"""
SIZES = ((8, 6), (20, 7), (60, 20), (8, 0), (20, 0), (60, 0))
"""trained and held-out drawings; without any where a small set is judged by its parts"""
SAMPLES = 24
SHARES = (0.0, 0.3, 0.5)
"""of the samples that are copies"""
NEAREST, FURTHEST = 0.35, 0.7
MOST_FALSE, LEAST_FOUND = 0.02, 0.9
MOST_ALONE = 0.03
"""without held-out pictures: the trained ones are held against one fewer than the samples are"""


def measured(samples: NDArray[np.float64], real: NDArray[np.float64]) -> Measured:
    """What the verdict judges copies by."""
    return Measured((*copies_of(samples, real), *(Figure(name, 0.0) for name in ("c_t_pixel", "pull_pixel"))))


def called_memorised(samples: NDArray[np.float64], real: NDArray[np.float64]) -> bool:
    """Whether the verdict says so, after more samples where that is open."""
    found = measured(samples[:SAMPLES], real)
    if copies_in_doubt(found):
        found = measured(samples, real)
    return copied(found, Thresholds()) is not None


def share_called(apart: NDArray[np.float64], trained: int, held_out: int, copies: float) -> float:
    """Of `SETS` sets, dealt from (n, n) distances between drawings, those that are called memorised."""
    rng, called = np.random.default_rng(0), 0
    for _ in range(SETS):
        dealt = rng.permutation(len(apart))
        own, others, drawn = np.split(dealt, [trained, trained + held_out])
        drawn = drawn[: MORE * SAMPLES]
        among = apart[np.ix_(own, own)] + np.diag(np.full(trained, np.inf))
        real = np.concatenate([among.min(1), apart[np.ix_(others, own)].min(1)])
        samples = apart[np.ix_(drawn, own)].min(1)
        copy = rng.random(len(drawn)) < copies
        called += called_memorised(np.where(copy, rng.uniform(NEAREST, FURTHEST, len(drawn)), samples), real)
    return called / SETS


def make(path: Path) -> None:
    """Ask of all sizes and styles, and write down how often copies were found."""
    from benchmarks.verdict_pictures import Style, drawings, styled

    if path.exists():
        return
    found: dict[str, list[float]] = {}
    styles: tuple[Style, ...] = ("openmoji", "poster")
    for style in styles:
        small = thumbnails([styled(pixels, style) for _, pixels in drawings()], Memorisation().side)
        apart = pixel_distances(small, small)
        for trained, held_out in SIZES:
            name = f"{style}, {trained} + {held_out}"
            found[name] = [share_called(apart, trained, held_out, copies) for copies in SHARES]
    write_text(path, json.dumps(found))


def told(path: Path) -> list[Goal]:
    """For each kind of set how often it is called memorised."""
    if not path.exists():
        return []
    goals = []
    for name, shares in json.loads(path.read_text()).items():
        none, few, half = shares
        most = MOST_ALONE if name.endswith(" 0") else MOST_FALSE
        goals.append(
            Goal(f"copies: {name} drawings, {SETS} sets without any: called memorised", f"{none:.1%}",
                 f"at most {most:.0%}", none <= most)
        )  # fmt: skip
        goals.append(Goal("    three in ten of the samples are copies", f"{few:.0%}"))
        goals.append(Goal("    half of them are", f"{half:.0%}", f"at least {LEAST_FOUND:.0%}", half >= LEAST_FOUND))
    return goals
