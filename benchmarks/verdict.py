"""Is the verdict right? Runs of many kinds on the pocket base, their verdicts beside what is true of them.

`make bench-verdict` makes the runs that are not done yet (`build/verdict/looks.jsonl` has a line for each checkpoint)
and prints every figure beside its goal. ``--told`` judges what is written down and trains nothing; ``--only TEXT``
makes only runs whose name contains it. What is true is defined in `benchmarks/verdict_truth.py`, which runs there are
in `benchmarks/verdict_plans.py`.
"""

import argparse
import sys
import traceback
from pathlib import Path

from benchmarks.verdict_notes import Notebook
from benchmarks.verdict_plans import Plan, field, for_one_question
from core.errors import TrainingFailed


def make(root: Path, notebook: Notebook, plans: list[Plan]) -> None:
    """The runs that are not done yet, each put down when it is looked at to the end."""
    from benchmarks.verdict_looks import Looker

    looker = Looker(root)
    done = {name for name, looks in notebook.runs().items() if looks}
    for plan in plans:
        if plan.name in done:
            continue
        try:
            looks = looker.looked_at(plan)
        except TrainingFailed:
            traceback.print_exc()
            continue
        notebook.add(looks)
        last = looks[-1]
        print(plan.name, {k: round(v) for k, v in last.seconds.items()}, flush=True)


def main() -> int:
    """Make what is missing, then tell; 1 where a figure falls short of its goal."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("build/verdict"), help="where it works and what is done")
    parser.add_argument("--only", default="", help="make only runs whose name contains this")
    parser.add_argument("--told", action="store_true", help="only judge what is written down")
    asked = parser.parse_args()
    root = asked.folder.absolute()
    notebook = Notebook(root / "looks.jsonl")
    if not asked.told:
        make(root, notebook, [plan for plan in (*field(), *for_one_question()) if asked.only in plan.name])
    return 0


if __name__ == "__main__":
    sys.exit(main())
