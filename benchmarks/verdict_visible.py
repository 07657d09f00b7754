"""At what drift does one see it? What the base knew, drawn by networks that drifted by more or less, and named by CLIP.

The line of `drifted` is a matter of meaning, not of fit: a network has forgotten where ordinary prompts surely no
longer give what they gave. So for one checkpoint after another 24 prompts that no recipe names are drawn with the same
seeds, and the share is counted in which CLIP picks the right one of all names, beside the base's share. A line of JSON
each goes into `visible.jsonl`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.goal import Goal
from benchmarks.verdict_notes import Look
from benchmarks.verdict_plans import SAMPLER, recipe_of
from core.files import write_text
from core.seeding import seed_of

if TYPE_CHECKING:
    from backbones.backbone import Backbone

COUNT = 24


@dataclass(frozen=True, slots=True)
class Seen:
    """What one network draws of what the base knew."""

    run: str
    step: int
    drift: float
    """true, mean rho"""
    right: tuple[bool, ...]
    base: tuple[bool, ...]


def chosen(runs: Sequence[Sequence[Look]], count: int = 8) -> list[Look]:
    """Last checkpoints, evenly spread over their drift."""
    ordered = sorted((run[-1] for run in runs), key=lambda look: float(np.mean(look.truth["known"])))
    places = sorted({round(at * (len(ordered) - 1) / (count - 1)) for at in range(count)}) if ordered else []
    return [ordered[at] for at in places]


def make(root: Path, runs: Sequence[Sequence[Look]], path: Path) -> None:
    """Those that are not written down yet; once there are any, no others are chosen."""
    done = known(path)
    for look in chosen(runs) if len(done) < 8 else []:
        if not any((one.run, one.step) == (look.plan.name, look.step) for one in done):
            done.append(seen(root, look, done[0].base if done else None))
            write_text(path, "".join(json.dumps(asdict(one)) + "\n" for one in done))


def seen(root: Path, look: Look, base: tuple[bool, ...] | None = None) -> Seen:
    """Draw with the base and with the checkpoint, and let CLIP name both."""
    from benchmarks.verdict_truth import taken
    from flows import stages
    from flows.judging import candidate_of

    recipe = recipe_of(root, look.plan)
    job = stages.prepare_job(recipe, taken(recipe, stages.open_store(recipe)))
    backbone = recipe.family.load(device="cpu")
    base = base or named(backbone, recipe.samples.prior)
    with candidate_of(job, look.step).on(backbone):
        tuned = named(backbone, recipe.samples.prior)
    return Seen(look.plan.name, look.step, float(np.mean(look.truth["known"])), tuned, base)


def named(backbone: Backbone, recipe: Sequence[str]) -> tuple[bool, ...]:
    """Whether CLIP picks the right name of each picture that this network draws."""
    from backbones.clip import Clip
    from benchmarks.verdict_truth import known_prompts

    prompts = known_prompts(recipe)[:COUNT]
    things = [prompt.partition(" emoji of a ")[2].partition(" on a ")[0] for prompt in known_prompts(recipe)]
    names = list(dict.fromkeys(things))
    clip = Clip.open("pocket")
    seeds = [seed_of("visible", prompt) % 2**32 for prompt in prompts]
    drawn = backbone.sample(prompts, seeds, steps=SAMPLER[0], guidance=SAMPLER[1])
    scores = clip.embed_pictures(drawn) @ clip.embed_texts([f"an emoji of a {name}" for name in names]).T
    return tuple(names[at] == thing for at, thing in zip(scores.argmax(1), things, strict=False))


def known(path: Path) -> list[Seen]:
    """What is written down."""
    rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [Seen(row["run"], row["step"], row["drift"], tuple(row["right"]), tuple(row["base"])) for row in rows]


def told(found: Sequence[Seen]) -> list[Goal]:
    """By drift."""
    ordered = sorted(found, key=lambda one: one.drift)
    return [
        Goal(
            f"true drift {one.drift:+.2f}: ordinary prompts whose picture CLIP names",
            f"{np.mean(one.right):.2f}, the base's {np.mean(one.base):.2f}",
        )
        for one in ordered
    ]
