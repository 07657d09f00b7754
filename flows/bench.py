"""Looks at one network after the other in the same way: the same pictures, noise, prompts and seeds for all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from backbones.backbone import Backbone
from backbones.clip import Clip
from backbones.embedding import Embedder
from backbones.encoding import embeddings
from backbones.words import LearnedWord
from captioning.belonging import mixed_up
from core.cache import Array, Cache, remembered
from core.errors import NotEnoughData
from core.hashing import digest
from core.pixels import Pixels, Read
from core.progress import report, say
from core.record import Record
from core.seeding import seed_of
from evaluation.candidate import Candidate, base
from evaluation.findings import copies_in_doubt
from evaluation.metric import (
    Evidence,
    Gallery,
    Measured,
    Metric,
    Observation,
    Subject,
    Wording,
    load_observation,
    save_observation,
)
from evaluation.metrics.memorisation import MemorisationResult
from flows.material import Material
from flows.recipe import Samples

Kept = Literal["embeddings", "latents", "text_states"]
"""the store's caches"""


MORE = 3
"""times as many samples are looked through for copies where the first ones leave it open"""


class Bench:
    """Everything that is the same for all networks, and what was made with each."""

    def __init__(
        self,
        backbone: Backbone,
        material: Material,
        samples: Samples,
        read: Read,
        caches: Callable[[Kept], Cache],
        *,
        prompts: Sequence[str],
        trigger: str = "",
        kept: Path | None = None,
    ) -> None:
        """``backbone`` must be untuned. ``caches`` gives the store's; below ``kept`` observations are put away."""
        self.backbone, self.material, self.samples = backbone, material, samples
        self.prompts, self.kept = list(prompts), kept
        self._read, self._caches = read, caches
        self.clip = Clip.open(samples.clip, device=backbone.device)
        self.many = self.prompts_of(samples.memorisation)
        self.real = {side: self._gallery(material.side(side)) for side in ("train", "held_out")}
        self._base = [backbone.fingerprint(part) for part in ("network", "text", "vae")]
        train, held_out = (tuple(material.captions(side)) for side in ("train", "held_out"))
        self.wording = Wording(train, held_out, trigger)

    def prompts_of(self, count: int) -> list[str]:
        """The prompts of so many samples to look for copies in: captions of both sides in turn, as often as needed."""
        sides = [self.material.captions(side) for side in ("train", "held_out")]
        turns = [prompt for pair in zip(*sides, strict=False) for prompt in pair] or sides[0] or sides[1]
        return [turns[number % len(turns)] for number in range(count)] if turns else []

    def _gallery(self, records: Sequence[Record]) -> Gallery:
        return Gallery(
            tuple(record.id for record in records),
            tuple(record.group or record.id for record in records),
            tuple(self._read(record) for record in records),
            embeddings(self.clip, records, self._read, self._caches("embeddings")),
        )

    @cached_property
    def evidence(self) -> Evidence:
        """What the trainer's metrics see, and the real pictures, and what prompts are made of."""
        return self._whole(self.material.evidence)

    def _whole(self, evidence: Evidence) -> Evidence:
        train, held_out = self.real["train"], self.real["held_out"]
        return replace(evidence, train_pictures=train, held_out_pictures=held_out, wording=self.wording)

    def drawn(self, candidate: Candidate, asked: Sequence[tuple[str, int]]) -> list[Pixels]:
        """Pictures of prompts and seeds; what was drawn before by an equal network is not drawn again."""
        spec = self.samples
        keys = [
            digest("drawn", prompt, seed, spec.steps, spec.guidance, *self._base, candidate.key, length=32)
            for prompt, seed in asked
        ]
        done = 0

        def make(positions: list[int]) -> list[Array]:
            nonlocal done
            made: list[Array] = []
            with candidate.on(self.backbone):
                for at in positions:
                    made.append((candidate.draw or self._draw)(self.backbone, *asked[at]))
                    done += 1
                    report(f"drawing: {candidate.name}", done, len(asked))
            return made

        found = remembered(self._caches("latents"), keys, make, batch=64)
        return [pixels.astype("uint8") for pixels in found]

    def _draw(self, backbone: Backbone, prompt: str, seed: int) -> Pixels:
        return backbone.sample([prompt], [seed], steps=self.samples.steps, guidance=self.samples.guidance)[0]

    def doubt_of_captions(self) -> str:
        """A sentence where captions fit their pictures no better than each other's; empty otherwise."""
        galleries = [gallery for gallery in self.real.values() if len(gallery)]
        texts = [self.material.texts[name] for gallery in galleries for name in gallery.names]
        said = Embedder.of(self.clip, self._caches("embeddings")).texts(texts)
        return mixed_up(np.concatenate([gallery.embeddings for gallery in galleries]), said, texts) if galleries else ""

    def shown(self, candidate: Candidate) -> list[Pixels]:
        """Pictures of the shown prompts."""
        return self.drawn(candidate, [(prompt, self._seed(number)) for number, prompt in enumerate(self.prompts)])

    def looked_through(self, candidate: Candidate, prompts: Sequence[str]) -> list[Pixels]:
        """Pictures of the prompts in which copies are looked for. More prompts leave the first pictures as they are."""
        seeds = [self._seed(len(self.prompts) + number) for number in range(len(prompts))]
        return self.drawn(candidate, list(zip(prompts, seeds, strict=True)))

    def _seed(self, number: int) -> int:
        return seed_of("sample", self.samples.seed, number) % 2**32

    def _made(self, prompts: Sequence[str], pictures: Sequence[Pixels]) -> Gallery:
        return Gallery(tuple(prompts), tuple(prompts), tuple(pictures), self.clip.embed_pictures(pictures))

    def _samples(self, candidate: Candidate, metric: Metric, many: Sequence[str]) -> Gallery:
        """The samples that a metric asks for; ``many`` are the prompts for one that asks for none of its own."""
        asked = metric.shots(self.wording)
        if not asked:
            return self._made(many, self.looked_through(candidate, many))
        seeds = [seed_of("shot", self.samples.seed, one.prompt, one.turn) % 2**32 for one in asked]
        prompts = [one.prompt for one in asked]
        return self._made(prompts, self.drawn(candidate, list(zip(prompts, seeds, strict=True))))

    def lacks(self, metric: Metric, candidate: Candidate) -> str:
        """What this metric needs and is not there, in words; empty where it can be measured."""
        evidence = self.evidence
        if "cases" in metric.needs and not (evidence.train or evidence.held_out):
            return "no pictures"
        if "prior" in metric.needs and not evidence.prior:
            return "no ordinary prompts"
        if "samples" in metric.needs and not self.many:
            return "no samples are drawn"
        if "pictures" in metric.needs and not len(self.real["held_out"]):
            return "no held-out pictures"
        if "words" in metric.needs and not self._speaks(candidate):
            return "the text encoder was not trained"
        if "strengths" in metric.needs and not evidence.held_out:
            return "no held-out pictures"
        return "nothing that has a strength" if "strengths" in metric.needs and candidate.at is None else ""

    def _speaks(self, candidate: Candidate) -> bool:
        """Whether its text encoder says texts otherwise than the base's; a learned word alone is no part of one."""
        with candidate.on(self.backbone):
            return any(one.words and not isinstance(one, LearnedWord) for one in self.backbone.tunings)

    def measured(self, candidate: Candidate, metrics: Sequence[Metric]) -> dict[str, Measured]:
        """What each metric finds of a network beside the base; those that lack something are left out."""
        found: dict[str, Measured] = {}
        for number, metric in enumerate(metrics):
            report(f"measuring: {candidate.name}", number, len(metrics))
            if not self.lacks(metric, candidate):
                try:
                    found[metric.kind] = self._compared(candidate, metric, self.many)
                except NotEnoughData:
                    continue  # its figures are missing, which the reader sees
                if isinstance(found[metric.kind], MemorisationResult) and copies_in_doubt(found[metric.kind]):
                    more = self.prompts_of(MORE * len(self.many))
                    say(f"{candidate.name}: copies or chance? {len(more) - len(self.many)} more samples will tell")
                    found[metric.kind] = self._compared(candidate, metric, more)
        report(f"measuring: {candidate.name}", len(metrics), len(metrics))
        return found

    def _compared(self, candidate: Candidate, metric: Metric, many: Sequence[str]) -> Measured:
        before, after = (self._observed(one, metric, many) for one in (base(), candidate))
        return metric.measure(before, after, self.evidence)

    def _observed(self, candidate: Candidate, metric: Metric, many: Sequence[str]) -> Observation:
        """What a network answers to a metric, from the file of an earlier time where there is one."""
        path = self._path(candidate, metric, len(many))
        if path is not None and path.exists():
            return load_observation(path)
        samples = self._samples(candidate, metric, many) if "samples" in metric.needs else Gallery()
        backbone, said = self.backbone, self.clip.embed_texts
        if "strengths" in metric.needs:  # it puts the adapter on itself, and the base has none
            subject = Subject(backbone, self.evidence, samples, at=self._at(candidate), said=said)
            observation = metric.observe(subject)
        else:
            with candidate.on(backbone):
                plain = self.evidence if backbone.words_tuned else None
                observation = metric.observe(Subject(backbone, self.heard, samples, plain=plain, said=said))
        if path is not None:
            save_observation(path, observation)
        return observation

    @property
    def heard(self) -> Evidence:
        """The evidence, its words as the text encoder says them now."""
        return self._whole(self.material.heard_by(self.backbone, self.samples.prior))

    def _at(self, candidate: Candidate) -> Callable[[float], AbstractContextManager[Evidence]] | None:
        put = candidate.at
        if put is None or not candidate.key:
            return None

        @contextmanager
        def weakened(strength: float) -> Iterator[Evidence]:
            with put(self.backbone, strength):
                yield self.heard

        return weakened

    def _path(self, candidate: Candidate, metric: Metric, many: int) -> Path | None:
        if self.kept is None:
            return None
        more = [many] if many != len(self.many) else []
        key = digest("observed", self._identity, metric.fingerprint, candidate.key, *more, length=32)
        return self.kept / f"{metric.kind}-{key}.npz"

    @cached_property
    def _identity(self) -> str:
        """Follows from all that every network is looked at with."""
        pictures = [(r.id, r.pixels_key, r.group, r.split, self.material.texts[r.id]) for r in self.material.kept]
        spec: Mapping[str, object] = self.samples.model_dump(mode="json")
        return digest(pictures, spec, self._base, self.clip.fingerprint, self.prompts, self.wording.trigger, length=32)
