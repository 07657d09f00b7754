"""A split that was made to leak: is it said, and is what leaked left out of what is measured?

Of each set of drawings there is every one twice, the second time cut closer by 5 %, and a split that is told not to
look for twins (`split.radius`, `split.difference` and `split.crops` at 0), so that held-out pictures have their twin
among the trained ones. What a run of such a dataset would leave out, and say, is held against the files' names. Beside
it the same without twins, where nothing is to be said, and with twins under the usual split, which keeps them together.
Nothing is trained.
"""

import json
from pathlib import Path

from benchmarks.demo import ROOT
from benchmarks.goal import Goal
from benchmarks.verdict_pictures import UNSEEN, Style, write
from core.files import write_text
from core.record import Record
from flows import stages
from flows.leaking import doubt_of_split, in_snapshot, twins
from flows.recipe import read_recipe

SETS, SIZE = 20, 20
"""of either style"""
BLIND = ("split.radius=0", "split.difference=0", "split.crops=0")


def make(root: Path, path: Path) -> None:
    """Read and split all sets, look for twins as a run does, and write down what was found."""
    if path.exists():
        return
    counts = {"leaked": 0, "found": 0, "wrongly": 0, "said": 0, "said_wrongly": 0, "usual": 0}
    styles: tuple[Style, ...] = ("openmoji", "poster")
    for style in styles:
        for start in range(UNSEEN, UNSEEN + SETS * SIZE, SIZE):
            which = range(start, start + SIZE)
            plain = write(root / "leaks" / f"{style}-{start}", which, style)
            twice = write(root / "leaks" / f"{style}-{start}-twice", which, style)
            write(twice / "closer", which, style, closer=True)
            leaked, found, said = looked(root, twice, BLIND)
            counts["leaked"] += len(leaked)
            counts["found"] += len(leaked & found)
            counts["said"] += said
            _, wrongly, said = looked(root, plain, BLIND)
            counts["wrongly"] += len(wrongly)
            counts["said_wrongly"] += said
            counts["usual"] += len(looked(root, twice, ())[0])
    write_text(path, json.dumps(counts))


def looked(root: Path, folder: Path, split: tuple[str, ...]) -> tuple[set[str], set[str], bool]:
    """Held-out pictures with a trained twin, by name; those that a run would leave out; whether it would say so."""
    name = f"{folder.name}-{'blind' if split else 'usual'}"
    changes = [f"name={name}", f"home={root / 'home'}", f"pictures.path={folder}", "filters=[]", "split.held_out=0.3"]
    recipe = read_recipe(ROOT / "recipes" / "openmoji.yaml", [*changes, *split])
    store = stages.open_store(recipe)
    stages.read_pictures(recipe, store)
    stages.choose_pictures(recipe, store)
    job = stages.prepare_job(recipe, store.snapshot())
    records = in_snapshot(job, store)
    return leaked_in(records), set(twins(records, store)), bool(doubt_of_split(job, store))


def leaked_in(records: list[Record]) -> set[str]:
    """Held-out pictures of which a trained one bears the file's name: the same drawing, cut otherwise."""
    trained = {Path(record.name).name for record in records if record.split == "train"}
    return {record.id for record in records if record.split == "held_out" and Path(record.name).name in trained}


def told(path: Path) -> list[Goal]:
    """How many leaks were found, and how many that are none."""
    if not path.exists():
        return []
    found, sets = json.loads(path.read_text()), 2 * SETS
    share = found["found"] / found["leaked"]
    return [
        Goal(f"leaked: of {found['leaked']} held-out pictures with a trained twin left out", f"{share:.1%}",
             "at least 95 %", share >= 0.95),
        Goal("    sets in which that is said", f"{found['said']} of {sets}", "at least 95 %",
             found["said"] >= 0.95 * sets),
        Goal("    said of sets without twins", f"{found['said_wrongly']} of {sets}", "at most 5 %",
             found["said_wrongly"] <= 0.05 * sets),
        Goal("    held out with a trained twin under the usual split", str(found["usual"]), "at most 1 %",
             found["usual"] <= 0.01 * found["leaked"]),
    ]  # fmt: skip
