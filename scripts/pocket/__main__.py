"""Make the pocket base: ``python -m scripts.pocket`` does all stages; name some to do only those.

Every stage goes on where it stopped. Without a GPU the default budgets come to about three hours. Two stages are done
only if they are named: ``control`` trains a ControlNet for line art on the base that is there, into WORK/control, and
``follows`` measures whether drawings follow the lines.
"""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

import torch

from core.errors import VelaturaError
from scripts.pocket import card, clip, control, evaluate, export, follows, reading, tokenizer, unet, vae
from scripts.pocket.data import Data
from scripts.pocket.training import Budget

MINUTES = {"clip": 75.0, "vae": 20.0, "unet": 80.0, "control": 15.0}


def main() -> None:
    """Read the command line and do the stages in order."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.pocket", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    stages = ("data", "tokenizer", "clip", "vae", "unet", "export", "evaluate", "card", "reading")
    extra = ("control", "follows")
    parser.add_argument("stages", nargs="*", metavar="STAGE", help=", ".join((*stages, *extra)))
    parser.add_argument("--minutes", type=float, help="budget of a training stage, all its runs together")
    parser.add_argument("--steps", type=int, help="the same in optimizer steps")
    processes = 1 if torch.cuda.is_available() else min(2, os.cpu_count() or 1)
    parser.add_argument("--workers", type=int, choices=(1, 2), default=processes, help="processes for the U-Net")
    parser.add_argument("--work", type=Path, default=Path("build/pocket"), help="packages, caches, training states")
    parser.add_argument("--out", type=Path, default=Path("backbones/pocket"), help="where the base goes")
    given = parser.parse_args()
    if unknown := set(given.stages) - {*stages, *extra}:
        parser.error(f"no stage {', '.join(sorted(unknown))}; known: {', '.join((*stages, *extra))}")
    data = Data(given.work)

    def budget(stage: str) -> Budget:
        limited = given.minutes is not None or given.steps is not None
        return Budget(given.minutes if limited else MINUTES[stage], given.steps)

    stage_of: dict[str, Callable[[], object]] = {
        "data": lambda: data.pictures,
        "tokenizer": lambda: tokenizer.make(data.concepts, given.work / "tokenizer"),
        "clip": lambda: clip.train(data, budget("clip")),
        "vae": lambda: vae.train(data, budget("vae")),
        "unet": lambda: unet.train(data, budget("unet"), given.workers),
        "export": lambda: export.export(data, given.out),
        "evaluate": lambda: evaluate.evaluate(data, given.out),
        "card": lambda: card.card(data, given.out),
        "control": lambda: control.make(data, given.out, budget("control")),
        "follows": lambda: follows.follows(data, given.out, given.work / "control"),
        "reading": lambda: reading.grids(given.out, given.work / "reading"),
    }
    for stage in given.stages or stages:
        try:
            stage_of[stage]()
        except VelaturaError as error:
            sys.exit(str(error))


main()
