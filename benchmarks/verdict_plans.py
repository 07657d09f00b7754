"""Which runs the proof of the verdict is made of: each a small change of the demo's recipe.

The main field: 8, 20 and 60 trained pictures; a low, a right and a high learning rate; LoRA, LoRA with the text
encoder, LoHa and full training; two styles, and prior preservation in half of these, both dealt out evenly; and 24
that go on three times as long, without it. Beside it are runs of several seeds made for one question
(`for_one_question`).
"""

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.demo import ROOT
from benchmarks.verdict_pictures import Style, given, write
from flows.recipe import Recipe, read_recipe

SIZES = {8: 6, 20: 7, 60: 20}
"""trained pictures: held-out ones. Of 8 somebody who wants an answer holds out 6, or takes `split.k_fold`"""
SETS = 2
"""of pictures of each size and style, no drawing in two of them"""
NEW_SETS = (2, 3)
"""numbers of the sets of 8 and 20 pictures that only the newest runs are given"""
STEPS, LOOKS, BATCH, SEEDS = 48, 3, 4, 3
RATES = {"lora": 1.5e-3, "words": 1.5e-3, "loha": 2.5e-3, "full": 2e-4}
"""the right ones"""
DRAWN_BY = 26
"""every other one of so many, the first of the field, drew the verdict's lines; all others test them"""
NEWEST = 18
"""the last so many of the field: made, of pictures of their own, when nothing of the verdict was changed any more"""
LEVELS = {"low": 0.2, "right": 1.0, "high": 4.0}
ADAPTERS = {
    "lora": "{kind: lora, rank: 8, convolutions: true}",
    "words": "{kind: lora, rank: 8, convolutions: true}",
    "loha": "{kind: loha, rank: 8, convolutions: true}",
    "full": "full",
}
CLASS = (
    *("a noto style emoji of a blue heart", "a twemoji style emoji of a cloud", "a fluent style emoji of a star"),
    *("a noto style emoji of a lemon", "a twemoji style emoji of a banana", "a fluent style emoji of a strawberry"),
    *("a noto style emoji of a panda", "a twemoji style emoji of a frog", "a fluent style emoji of a penguin"),
    *("a noto style emoji of a skull", "a twemoji style emoji of a robot", "a fluent style emoji of a basketball"),
)
"""what prior preservation trains beside: none of it is among the prompts that drift is measured with"""
SAMPLER = (6, 4.0)
"""steps and guidance of everything that is drawn"""


@dataclass(frozen=True, slots=True)
class Plan:
    """One run."""

    style: Style
    size: int
    number: int
    """of the set of pictures"""
    adapter: str
    level: str
    prior: bool = False
    """whether class pictures are trained beside"""
    seed: int = 0
    purpose: str = "field"
    changes: tuple[str, ...] = ()
    """of the recipe, last"""

    @property
    def name(self) -> str:
        words = [self.purpose, self.style, self.size, f"set{self.number}", self.adapter, self.level]
        return "-".join(map(str, [*words, *(["prior"] if self.prior else []), f"s{self.seed}"]))

    @property
    def dataset(self) -> str:
        """The store's name."""
        named = f"{self.style}-{self.size}-{self.number}"
        return f"{named}-{self.purpose}" if self.purpose.startswith("labels-") else named


def field() -> list[Plan]:
    """The main field, in an order in which every beginning of it is mixed."""
    plans, chance = [], random.Random("field")
    for adapter in ADAPTERS:
        cells = [(i, j) for i in range(3) for j in range(3)]
        if adapter in ("loha", "full"):  # of these two half of the field
            cells = [(i, j) for i, j in cells if (i + j + (adapter == "full")) % 2 == 0]
        chance.shuffle(cells)
        for at, (i, j) in enumerate(cells):
            style: Style = "poster" if (at + (adapter in ("words", "loha"))) % 2 else "openmoji"
            size = list(SIZES)[i]
            number = at // 2 % SETS if (style, size) == ("openmoji", 8) else 0
            where = (style, size, number, adapter, list(LEVELS)[j])
            plans.append(Plan(*where, prior=(at // 2 + (adapter == "full")) % 2 == 1))
    chance.shuffle(plans)
    return [*plans[:5], *overlong(0), *plans[5:], *overlong(1), *newest()]


def overlong(number: int) -> list[Plan]:
    """Runs that go on three times as long at a high rate: what overfits and copies in earnest."""
    changes = (f"train.steps={3 * STEPS}", f"train.probe_every={STEPS}", f"train.checkpoint_every={3 * STEPS}")
    asked: list[tuple[Style, int, str]] = [
        ("openmoji", 8, "lora"),
        ("poster", 8, "lora"),
        ("openmoji", 8, "full"),
        ("poster", 8, "loha"),
        ("openmoji", 20, "words"),
        ("poster", 20, "lora"),
    ]
    return [
        Plan(style, size, number, adapter, "high", seed=number + 1, changes=changes) for style, size, adapter in asked
    ]


def newest() -> list[Plan]:
    """Twelve more that go on for long and six that do not, nearly all at the high rate: that is where lines lie."""
    asked: list[tuple[Style, int, str, str, bool]] = [
        ("openmoji", 8, "words", "high", False),
        ("poster", 8, "full", "high", False),
        ("poster", 8, "lora", "right", False),
        ("openmoji", 20, "lora", "high", True),
        ("poster", 20, "words", "high", False),
        ("openmoji", 20, "loha", "high", False),
    ]
    others = [
        Plan(style, size, NEW_SETS[at % 2], adapter, level, prior=prior)
        for at, (style, size, adapter, level, prior) in enumerate(asked)
    ]
    plans = [*overlong(NEW_SETS[0]), *overlong(NEW_SETS[1]), *others]
    assert len(plans) == NEWEST
    return plans


def for_one_question() -> list[Plan]:
    """Runs of two or more seeds, probed at their end only, with nothing drawn.

    - ``drift``: with and without prior preservation, else alike.
    - ``parts``: the text encoder is to blame (it learns fast, the network hardly), or the network (the other way).
    - ``labels``: files with another picture's name (``shuffled``).
    - ``strength``: the right rate for three times as long, for what a lower strength and merging do to a gap.
    """
    end = (f"train.probe_every={STEPS}", "samples.memorisation=0")
    which = "metrics=[{kind: probe, share: 1.0, most: 12}, prior_drift, which_part]"
    slow, fast = ("train.optimizer.learning_rate=0.0001", "train.optimizer.learning_rate=0.006")
    rate = "train.text_encoder={{learning_rate: {}, steps: 48}}"
    plans = []
    for seed in range(SEEDS):
        one = partial(Plan, "openmoji", seed=seed, changes=end)
        plans += [one(20, 0, "lora", "high", prior=prior, purpose="drift") for prior in (False, True)]
        for part, of_network, of_words in (("network", fast, 1e-5), ("words", slow, 0.01)):
            changes = (*end, which, of_network, rate.format(of_words))
            plans.append(one(8, 0, "words", "high", purpose=f"parts-{part}", changes=changes))
        plans.append(one(20, 0, "lora", "high", purpose="labels-shuffled"))
    long = (f"train.steps={3 * STEPS}", f"train.probe_every={3 * STEPS}", f"train.checkpoint_every={3 * STEPS}")
    styles: tuple[Style, ...] = ("openmoji", "poster")
    for at, (style, size, number) in enumerate(itertools.product(styles, (8, 20), range(SETS))):
        given_long = (*long, "samples.memorisation=0")
        plans.append(Plan(style, size, number, "lora", "right", seed=at, purpose="strength", changes=given_long))
    return plans


def folder_of(root: Path, plan: Plan) -> Path:
    """The folder with this run's pictures, made where it is not there."""
    numbers = [(size, number) for size in SIZES for number in range(SETS)]
    numbers += [(size, number) for size in (8, 20) for number in NEW_SETS]
    places = [(size, number, style) for size, number in numbers for style in ("openmoji", "poster")]
    sets = dict(zip(places, given([size + SIZES[size] for size, _, _ in places]), strict=True))
    own = sets[plan.size, plan.number, plan.style]
    names = own[1:] + own[:1] if plan.purpose == "labels-shuffled" else own
    return write(root / "pictures" / plan.dataset, own, plan.style, names=names)


def recipe_of(root: Path, plan: Plan) -> Recipe:
    """The demo's recipe, changed. The probe looks at 12 pictures a side in every pause."""
    rate = RATES[plan.adapter] * LEVELS[plan.level]
    words = f"{{learning_rate: {rate / 4}, steps: {STEPS}}}" if plan.adapter == "words" else "null"
    steps, guidance = SAMPLER
    of_class = f"{{prompts: [{', '.join(CLASS)}], count: {len(CLASS)}, steps: {steps}, guidance: {guidance}}}"
    changes = [
        *common(root, plan.dataset, folder_of(root, plan), SIZES[plan.size] / (plan.size + SIZES[plan.size])),
        f"name={plan.name}",
        f"captioner.trigger={plan.style}",
        f"train.adapter={ADAPTERS[plan.adapter]}",
        f"train.text_encoder={words}",
        f"train.class_pictures={of_class if plan.prior else 'null'}",
        f"train.optimizer.learning_rate={rate}",
        f"train.seed={plan.seed}",
        *plan.changes,
    ]
    return read_recipe(ROOT / "recipes" / "openmoji.yaml", changes)


def common(root: Path, dataset: str, pictures: Path, held_out: float) -> Sequence[str]:
    """What all runs have in common: few steps, few samples, captions from the files' names."""
    steps, guidance = SAMPLER
    return [
        f"home={root / 'home'}",
        f"dataset={dataset}",
        f"pictures.path={pictures}",
        "filters=[]",
        f"split.held_out={held_out}",
        "captioner={kind: template, template: 'an emoji of {a name}, {trigger}'}",
        "augment.transforms=[]",
        f"train.steps={STEPS}",
        f"train.batch_size={BATCH}",
        f"train.probe_every={STEPS // LOOKS}",
        f"train.checkpoint_every={STEPS}",
        "train.log_every=4",
        "train.schedule.warmup=4",
        "samples.previews=0",
        "samples.memorisation=24",
        f"samples.steps={steps}",
        f"samples.guidance={guidance}",
        "metrics=[{kind: probe, share: 1.0, most: 12}, prior_drift, memorisation]",
    ]
