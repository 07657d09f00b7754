"""How right CLIP's tags are, against OpenMoji's names and groups, beside two simpler rules, and what ranking costs.

`python -m benchmarks.captions` draws every named OpenMoji on a ground of some colour, calibrates on one half of the
names and measures on the other. The names are emojibase's (MIT); npm fetches them once.
"""

import argparse
import sys
from pathlib import Path

from benchmarks.captions_rules import FACETS, Bench
from benchmarks.captions_truth import drawings, precision, recall
from benchmarks.goal import Goal
from captioning.captioners.clip_tags import ClipTags
from scripts.pocket.packages import WORDS

PROMISES = (0.7, 0.8, 0.9)


def measure(bench: Bench) -> list[Goal]:
    """Every figure beside its goal."""
    return [*found(bench), *precisions(bench), *promises(bench), costs(bench)]


def found(bench: Bench) -> list[Goal]:
    """How much of a name the best phrases say."""
    goals = []
    for k in (1, 5):
        ours = recall(bench.judged, bench.ours(k))
        zero = recall(
            bench.judged, [[forms[0] for forms in row] for row in bench.plain([bench.vocabulary["subject"]], k)]
        )
        goals.append(
            Goal(f"recall@{k} of a name's words; plain zero-shot {zero:.3f}", f"{ours:.3f}", "above it", ours > zero)
        )
    classic = recall(bench.judged, [[forms[0] for forms in row] for row in bench.classic()])
    what = f"recall@5; clip-interrogator's classic (5 phrases) {classic:.3f}"
    return [*goals, Goal(what, f"{ours:.3f}", "above it", ours > classic)]


def precisions(bench: Bench) -> list[Goal]:
    """How many of the tags are right, without any review."""
    right, many = precision(bench.judged, bench.tagged(ClipTags(clip=bench.name, facets=FACETS), reviewed=False)[0])
    facets = [bench.vocabulary[name] for name in FACETS]
    flat, k = precision(bench.judged, bench.plain(facets, max(1, round(many))))
    rule, m = precision(bench.judged, bench.classic())
    what = f"precision, {many:.1f} tags a picture; zero-shot top {k:.0f} {flat:.3f}"
    return [
        Goal(what, f"{right:.3f}", "above it", right > flat),
        Goal(
            f"precision; the classic rule, {m:.0f} tags a picture, {rule:.3f}", f"{right:.3f}", "above it", right > rule
        ),
    ]


def promises(bench: Bench) -> list[Goal]:
    """What the scores promise, and how many of the tags are right, on pictures that were not calibrated on.

    Each half is judged by what was learned from the other. Where less than 50 tags are said there is nothing to tell.
    """
    goals = []
    halves = (bench, Bench([*bench.judged, *bench.reviewed], bench.name))
    for facets in (("subject",), ("group",), ("palette",), FACETS):
        for asked in PROMISES:
            tags = [ClipTags(clip=bench.name, facets=facets, precision=asked) for _ in halves]
            right, told, promised = 0.0, 0.0, 0.0
            for half, captioner in zip(halves, tags, strict=True):
                said, mean = half.tagged(captioner, reviewed=True)
                kept, many = precision(half.judged, said)
                num = many * len(half.judged)
                right, told, promised = right + kept * num, told + num, promised + mean * num
            if told < 50:
                continue
            kept, promised = right / told, promised / told
            name = facets[0] if len(facets) == 1 else "all facets"
            what = f"{name}: {asked} asked, {promised:.3f} promised, {told:.0f} tags"
            goals.append(Goal(what, f"{kept:.3f}", "the promise, within .05", kept >= promised - 0.05))
    return goals


def costs(bench: Bench) -> Goal:
    """CPU time a picture."""
    embedding, ranking, wording = bench.cost()
    what = f"ranking, of {embedding:.2f} ms for embedding; wording takes {wording:.2f} ms"
    return Goal(what, f"{ranking:.3f} ms = {ranking / embedding:.1%}", "under 5 %", ranking < 0.05 * embedding)


def main() -> int:
    """Print the figures; 1 where one falls short of its goal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clip", default="pocket", help="which CLIP, as a recipe names it")
    parser.add_argument("--pictures", type=int, default=2000, help="at most so many")
    parser.add_argument("--packages", type=Path, default=Path("build/pocket/npm"), help="where npm's package goes")
    asked = parser.parse_args()
    bench = Bench(drawings(WORDS.fetch(asked.packages), asked.pictures), asked.clip)
    num = sum(len(facet.phrases) for facet in bench.vocabulary.values())
    print(f"{len(bench.drawn)} drawings, half of them to calibrate on; {num} phrases", flush=True)
    goals = measure(bench)
    for goal in goals:
        print(goal)
    return int(not all(goal.met for goal in goals))


if __name__ == "__main__":
    sys.exit(main())
