"""Is the verdict right? Runs of many kinds on the pocket base, their verdicts beside what is true of them.

`make bench-verdict` makes the runs that are not done yet (`build/verdict/looks.jsonl` has a line for each checkpoint)
and prints every figure beside its goal. ``--told`` judges what is written down and trains nothing; ``--only TEXT``
makes only runs whose name contains it; ``--seconds N`` begins nothing new after so many CPU seconds. What is true is
defined in `benchmarks/verdict_truth.py`, which runs there are in `benchmarks/verdict_plans.py`.
"""

import argparse
import sys
import time
from pathlib import Path

from benchmarks import verdict_copies, verdict_labels, verdict_ladder, verdict_leaks, verdict_remedies, verdict_visible
from benchmarks.goal import Goal
from benchmarks.verdict_notes import Notebook
from benchmarks.verdict_plans import Plan, field, for_one_question
from benchmarks.verdict_told import choosing, culprits, preservation, rightness
from core.errors import TrainingFailed


def make(root: Path, notebook: Notebook, plans: list[Plan], seconds: float) -> bool:
    """The runs that are not done yet, each put down when it is looked at to the end; whether all are done."""
    from benchmarks.verdict_looks import Looker

    looker = Looker(root)
    for plan in plans:
        if plan.name in notebook.runs():
            continue
        if time.process_time() > seconds:
            return False
        try:
            looks = looker.looked_at(plan)
        except TrainingFailed as error:
            print(f"{plan.name}: {error}", flush=True)
            continue
        notebook.add(looks)
        print(f"{plan.name}: {looks[-1].seconds['all']:.0f} CPU seconds", flush=True)
    verdict_visible.make(root, list(notebook.runs("field").values()), root / "visible.jsonl")
    verdict_remedies.make(looker, root / "remedies.jsonl")
    verdict_ladder.make(root, root / "ladder.json")
    verdict_labels.make(root / "mixed.json")
    verdict_copies.make(root / "copies.json")
    verdict_leaks.make(root, root / "leaks.json")
    return True


def told(root: Path, notebook: Notebook) -> list[Goal]:
    """All that can be said of what is written down."""
    runs, others = notebook.runs("field"), notebook.runs()
    drift = {name: looks for name, looks in others.items() if looks[0].plan.purpose == "drift"}
    return [
        *choosing(runs),
        *rightness(runs),
        *verdict_copies.told(root / "copies.json"),
        *verdict_visible.told(verdict_visible.known(root / "visible.jsonl")),
        *preservation(drift),
        *verdict_remedies.told(verdict_remedies.known(root / "remedies.jsonl")),
        *culprits(others),
        *verdict_labels.by_chance(runs),
        *verdict_leaks.told(root / "leaks.json"),
        *verdict_labels.captions(others),
        *verdict_labels.mixed(root / "mixed.json"),
        *verdict_ladder.told(root / "ladder.json"),
    ]


def main() -> int:
    """Make what is missing, then tell; 1 where a figure falls short of its goal."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("build/verdict"), help="where it works and what is done")
    parser.add_argument("--only", default="", help="make only runs whose name contains this")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no run after so many CPU seconds")
    parser.add_argument("--told", action="store_true", help="only judge what is written down")
    asked = parser.parse_args()
    root = asked.folder.absolute()
    notebook = Notebook(root / "looks.jsonl")
    if not asked.told:
        plans = [plan for plan in (*field(), *for_one_question()) if asked.only in plan.name]
        make(root, notebook, plans, asked.seconds)
    goals = told(root, notebook)
    print("\n".join(map(str, goals)))
    return int(not all(goal.met for goal in goals if goal.asked))


if __name__ == "__main__":
    sys.exit(main())
