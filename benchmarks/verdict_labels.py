"""Deliberately wrong labels: do the measures say so?

- **Sides by chance** (costs nothing): with trained and held-out pictures dealt anew, the gap must not be found.
- **A leaked split** is `benchmarks.verdict_leaks`.
- **Shuffled captions**: the files bear other pictures' names. So few pictures teach a style and no names, so nothing is
  asked of the training: what is learned of new pictures with right captions does not change, truly or as it is seen.
  What must say so is `captioning.belonging`, which a run's report and `velatura captions lint` ask: here of sets of 20
  drawings in both styles, with right names and with each other's.
"""

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.goal import Goal
from benchmarks.verdict_choosing import true_learning
from benchmarks.verdict_notes import Look
from benchmarks.verdict_pictures import Style
from benchmarks.verdict_remedies import student, words
from core.files import write_text
from evaluation.metrics.probe import Side

Runs = Mapping[str, Sequence[Look]]
DEALS = 20
SETS, SIZE = 40, 20
"""of either style, to mix captions up in"""


def dealt(look: Look, seed: int) -> dict[str, Side]:
    """Sides by chance, as many of each as there are."""
    rng = random.Random(f"{look.plan.name} {look.step} {seed}")
    sides = [side for _, _, side in look.records]
    rng.shuffle(sides)
    return {record: side for (record, _, _), side in zip(look.records, sides, strict=True)}


def by_chance(runs: Runs) -> list[Goal]:
    """How often a gap is found that is not there, among those where one surely is."""
    lasts = [looks[-1] for looks in runs.values()]
    surely = [look for look in lasts if look.probe().gap.low > 0]
    found = [look.probe(swap=dealt(look, deal)).gap.low > 0 for look in surely for deal in range(DEALS)]
    if not found:
        return []
    share = float(np.mean(found))
    name = f"sides by chance: a gap above 0 is found ({len(surely)} runs that have one, {DEALS} deals)"
    return [Goal(name, f"{share:.1%}", "at most 5 %", share <= 0.05)]


def captions(runs: Runs) -> list[Goal]:
    """Learning with shuffled names against learning with right ones, seed by seed: truly, and as a user sees it."""
    lasts: dict[str, dict[int, Look]] = {"right": {}, "shuffled": {}}
    for looks in runs.values():
        plan = looks[-1].plan
        if plan.purpose == "labels-shuffled" or (plan.purpose == "drift" and not plan.prior):
            lasts["right" if plan.purpose == "drift" else "shuffled"][plan.seed] = looks[-1]
    both = sorted(set(lasts["right"]) & set(lasts["shuffled"]))
    if len(both) < 2:
        return []
    pairs = [(lasts["right"][seed], lasts["shuffled"][seed]) for seed in both]
    seen = student([b.probe().learning.value - a.probe().learning.value for a, b in pairs])
    true = student([true_learning(b) - true_learning(a) for a, b in pairs])
    name = f"shuffled captions: change of learning ({len(both)} seeds)"
    return [Goal(f"{name}, truly", words(true)), Goal("    as a run's user sees it", words(seen))]


def make(path: Path) -> None:
    """Ask of sets of drawings whether their captions were mixed up, and write down how often it was said."""
    from backbones.clip import Clip
    from benchmarks.verdict_pictures import UNSEEN, drawings, styled
    from captioning.belonging import mixed_up

    if path.exists():
        return
    clip, said = Clip.open("pocket"), {"right": 0, "mixed up": 0}
    styles: tuple[Style, ...] = ("openmoji", "poster")
    for style in styles:
        for start in range(UNSEEN, UNSEEN + SETS * SIZE, SIZE):
            some = drawings()[start : start + SIZE]
            seen = clip.embed_pictures([styled(pixels, style) for _, pixels in some])
            texts = [f"an emoji of {name}, {style}" for name, _ in some]
            read = clip.embed_texts(texts)
            said["right"] += bool(mixed_up(seen, read, texts))
            said["mixed up"] += bool(mixed_up(seen, np.roll(read, 1, axis=0), texts[-1:] + texts[:-1]))
    write_text(path, json.dumps(said))


def mixed(path: Path) -> list[Goal]:
    """How often captions are said to be mixed up that are, and that are not."""
    if not path.exists():
        return []
    said, count = json.loads(path.read_text()), 2 * SETS
    return [
        Goal("captions said to be mixed up: where they are", f"{said['mixed up']} of {count}", "at least 90 %",
             said["mixed up"] >= 0.9 * count),
        Goal("    and where they are not", f"{said['right']} of {count}", "at most 5 %", said["right"] <= 0.05 * count),
    ]  # fmt: skip
