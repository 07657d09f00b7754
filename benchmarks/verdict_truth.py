"""What is true of a checkpoint: asked of 200 pictures of the style that no run ever saw, and of many samples.

Defined before any run was judged, and measured apart from the verdict: other pictures, other prompts, other seeds.

- **Learning and gap** are the probe's quantities (timesteps 150, 300, 500, 700; logarithm of tuned over base loss, the
  same noise in both), of all 200 unseen pictures, each at one of the timesteps in turn, and of 20 trained ones at all.
- **Overfit**: a gap above .3 (a quarter of the error on trained pictures went away by heart), or unseen pictures
  predicted at least 5 % worse than at an earlier checkpoint or than by the base, with a gap above 0.
- **Memorised**: more than a tenth of 24 samples of trained and unseen captions are copies: nearer than .7 in pixels to
  a trained picture. Three readers who saw 117 such pairs, and nothing else, called 97 % of those copies. (Before, it
  was being nearer than all but 1 % of the unseen pictures: a line between .41 and .83, by which what was plainly seen
  to be a copy was none.)
- **Drifted**: 48 pictures that the base made of other things it knows, none of them among the prompts of a recipe,
  are predicted with twice the error (mean rho above log 2 = .69). What that looks like is drawn and named by CLIP
  (`benchmarks/verdict_visible.py`).

The means have 95 % intervals of their own (bootstrap over pictures). Where one contains its line, or 2 of the 24
samples are copies (1 is what unseen pictures would give), the truth itself is not known; such checkpoints are counted
apart.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from backbones.backbone import Backbone, joined
from benchmarks.demo import ROOT
from benchmarks.verdict_pictures import Style, unseen, write
from benchmarks.verdict_plans import CLASS, SAMPLER, common
from core.pixels import Pixels, pictures_of
from core.seeding import seed_of
from evaluation.case import Case, prior_cases
from evaluation.nearest import pixel_distances, thumbnails, to_groups
from evaluation.paired import noise_of, undisturbed
from flows import stages
from flows.job import reader
from flows.material import Material, gather
from flows.recipe import read_recipe
from scripts.pocket.concepts import DRAWN
from store.store import Store

TIMESTEPS = (150, 300, 500, 700)
SAMPLES = 24
SIDE = 32
"""pixels at which pictures are compared, as `memorisation` does"""
Floats = NDArray[np.float64]


def known_prompts(recipe: Sequence[str]) -> list[str]:
    """48 things that the base knows and that no recipe names."""
    named = " ".join([*recipe, *CLASS])
    things = [name for name in DRAWN if f" {name}" not in named]
    styles, grounds = ("noto", "twemoji", "fluent"), ("white", "blue", "yellow", "grey", "pink")
    prompts = [
        f"a {styles[(at + turn) % 3]} style emoji of a {thing} on a {grounds[(at + turn) % 5]} background"
        for turn in range(3)
        for at, thing in enumerate(things)
    ]
    return prompts[:48]


@dataclass(frozen=True)
class Unseen:
    """The pictures of one style that the truth is taken from."""

    cases: tuple[Case, ...]
    texts: tuple[str, ...]
    pictures: tuple[Pixels, ...]

    @cached_property
    def small(self) -> NDArray[np.uint8]:
        """As `memorisation` compares them."""
        return thumbnails(self.pictures, SIDE)


def unseen_of(root: Path, style: Style, backbone: Backbone) -> Unseen:
    """Read, captioned and encoded by the same stages as a run's own pictures."""
    changes = [
        *common(root, f"{style}-unseen", write(root / "pictures" / f"{style}-unseen", unseen(), style), 0.5),
        f"captioner.trigger={style}",
        f"name={style}-unseen",
        "samples.prior=[]",
    ]
    recipe = read_recipe(ROOT / "recipes" / "openmoji.yaml", changes)
    store = stages.open_store(recipe)
    job = stages.prepare_job(recipe, taken(recipe, store))
    material = gather(job, store, backbone)
    cases = (*material.evidence.train, *material.evidence.held_out)
    records = {record.id: record for record in material.kept}
    read = list(pictures_of(reader(store), [records[case.record] for case in cases]))
    return Unseen(cases, tuple(material.texts[case.record] for case in cases), tuple(read))


def taken(recipe: Any, store: Store) -> Any:
    """The snapshot of the recipe's pictures, read, split and captioned where that is not done yet."""
    if known := store.snapshots():
        return known[-1]
    with store.writer():
        stages.read_pictures(recipe, store)
        stages.choose_pictures(recipe, store)
        stages.write_captions(recipe, store)
        return store.snapshot()


def known_to_base(root: Path, backbone: Backbone, recipe: Sequence[str]) -> tuple[tuple[Case, ...], tuple[str, ...]]:
    """Pictures that the base makes of what it knows, and their prompts."""
    prompts, (steps, guidance) = known_prompts(recipe), SAMPLER
    cache = Store.open(root / "home" / "datasets" / "known").cache("latents")
    return tuple(prior_cases(backbone, prompts, cache, steps=steps, guidance=guidance)), tuple(prompts)


def losses(
    backbone: Backbone,
    cases: Sequence[Case],
    texts: Sequence[str],
    timesteps: Sequence[int] = TIMESTEPS,
    *,
    in_turn: bool = False,
) -> Floats:
    """(n, k) mean square errors as the probe's, many pictures at a time; words as the text encoder says them now.

    ``in_turn``: (n, 1), each picture at one of the timesteps, the first at the first.
    """
    heard = backbone.encode_text(texts) if backbone.words_tuned else {}
    rows = [(at, t) for t in timesteps for at in range(len(cases))]
    if in_turn:
        rows = [(at, timesteps[at % len(timesteps)]) for at in range(len(cases))]
    made = np.zeros((len(cases), 1 if in_turn else len(timesteps)))
    with undisturbed(backbone):
        for start in range(0, len(rows), 32):
            part = rows[start : start + 32]
            own = [cases[at] for at, _ in part]
            t = torch.tensor([t for _, t in part])
            clean = torch.stack([case.latent for case in own])
            noise = torch.cat([noise_of(case, int(at), 0, 0)[None] for case, at in zip(own, t, strict=True)])
            words = joined(
                [
                    case.conditioning | {name: states[at : at + 1] for name, states in heard.items()}
                    for case, (at, _) in zip(own, part, strict=True)
                ]
            )
            predicted = backbone.predict(backbone.noised(clean, noise, t), t, words)
            square = (predicted - backbone.target(clean, noise, t)).double().square().flatten(1).mean(1)
            for (at, step), value in zip(part, square.tolist(), strict=True):
                made[at, 0 if in_turn else timesteps.index(step)] = value
    return made


def samples_of(backbone: Backbone, material: Material, others: Unseen) -> list[Pixels]:
    """Samples of trained and unseen captions in turn, with seeds that no run takes."""
    sides = material.captions("train"), others.texts
    prompts = [sides[turn % 2][turn // 2 % len(sides[turn % 2])] for turn in range(SAMPLES)]
    seeds = [seed_of("truth", prompt, turn) % 2**32 for turn, prompt in enumerate(prompts)]
    return list(backbone.sample(prompts, seeds, steps=SAMPLER[0], guidance=SAMPLER[1]))


def copy_distances(drawn: Sequence[Pixels], trained: Sequence[Pixels], groups: Sequence[str]) -> Floats:
    """(n,) of each to the nearest trained picture."""
    near: Floats = to_groups(pixel_distances(thumbnails(drawn, SIDE), thumbnails(trained, SIDE)), groups).min(1)
    return near


def rho_of(base: Floats, tuned: Floats) -> Floats:
    """(n,) mean logarithm of the ratio over timesteps."""
    tiny = math.ulp(0.0)
    result: Floats = np.log(np.maximum(tuned, tiny) / np.maximum(base, tiny)).mean(1)
    return result
