"""What a run sees, encoded once: examples to train on, and the evidence that base and tuned network are compared on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from backbones.backbone import Backbone, Conditioning
from backbones.encoding import conditionings, latents
from backbones.reading_text import TextReading
from core.cache import Touched
from core.errors import NotEnoughData
from core.marks import root_of
from core.record import Record
from core.seeding import seed_of
from evaluation.case import Case, prior_cases
from evaluation.metric import Evidence
from flows.class_examples import beside, class_examples
from flows.eviction import EVICTED, hold
from flows.job import Job, reader
from flows.leaking import in_snapshot, twins
from flows.pages.framing import framing, masked
from store.store import Store
from training.buckets import told as bucket_words
from training.data import Example


@dataclass(frozen=True, slots=True)
class Material:
    """The kept pictures of one snapshot, as the network sees them; without those of regularisation.

    They would teach the class as if it were the subject; with `train.class_pictures` they are among the examples.
    """

    kept: list[Record]
    texts: Mapping[str, str]
    """caption by record id"""
    examples: list[Example]
    conditionings: Mapping[str, Conditioning]
    """by caption; also of ``""`` and of the prompts"""
    evidence: Evidence
    plan: Sequence[str] = ()
    """at what sizes and with what masks the pictures are trained on, in lines"""

    def heard_by(self, backbone: Backbone, prior: Sequence[str]) -> Evidence:
        """The evidence, its words as the backbone's text encoder says them now; ``prior`` are the prior's prompts."""
        if not backbone.words_tuned:
            return self.evidence

        def again(cases: Sequence[Case], texts: Sequence[str]) -> list[Case]:
            spoken = zip(cases, texts, strict=True)
            return [
                replace(case, conditioning=case.conditioning | backbone.encode_text([text])) for case, text in spoken
            ]

        sides = self.evidence.train, self.evidence.held_out
        train, held_out = (again(side, [self.texts[case.record] for case in side]) for side in sides)
        return replace(self.evidence, train=train, held_out=held_out, prior=again(self.evidence.prior, prior))

    def side(self, split: str) -> list[Record]:
        """The real pictures of one side of the split, sorted by id."""
        return [record for record in self.kept if record.split == split and is_real(record)]

    def prompts(self, job: Job) -> list[str]:
        """What is drawn at each looked-at step: the recipe's prompts, or some captions of held-out pictures."""
        if job.recipe.samples.prompts:
            return list(job.recipe.samples.prompts)
        captions = self.captions("held_out") or self.captions("train")
        return captions[: job.recipe.samples.count]

    def captions(self, split: str) -> list[str]:
        """Different captions of one side, in an order that follows from the pictures alone."""
        ordered = sorted(self.side(split), key=lambda record: seed_of("prompt", record.id))
        return list(dict.fromkeys(self.texts[record.id] for record in ordered))


def is_real(record: Record) -> bool:
    """Whether no program made the picture, neither here nor before it was exported and read back."""
    return record.depth == 0 and not root_of(record.tags)


@dataclass(frozen=True, slots=True)
class Words:
    """What is said of the pictures of a snapshot."""

    texts: Mapping[str, str]
    """caption by record id, as it is trained on"""
    wordings: Mapping[str, tuple[str, ...]]
    """other wordings of training pictures' captions, by record id"""
    spoken: Sequence[str]
    """all texts that are heard in training and samples, but for those of class pictures"""


def kept_of(job: Job, store: Store) -> list[Record]:
    """What is trained on and measured with: `in_snapshot` without held-out pictures whose twin is trained on."""
    kept = in_snapshot(job, store)
    leaked = twins(kept, store)
    return [record for record in kept if record.id not in leaked]


def wording(job: Job, store: Store, kept: Sequence[Record]) -> Words:
    """The captions of ``kept`` and all that training makes of them."""
    how, captions = job.recipe.train.captions, store.captions(tag=job.snapshot.tag)
    written = {record.id: captions[record.id].text if record.id in captions else "" for record in kept}
    texts = {record: how.said(text)[0] for record, text in written.items()}
    wordings = {r.id: how.wordings_of(r.id, written[r.id], r.tags) for r in kept if r.split == "train"}
    varied = (text for several in wordings.values() for text in several)
    return Words(texts, wordings, [*texts.values(), *job.recipe.samples.prompts, *varied])


def gather(job: Job, store: Store, backbone: Backbone) -> Material:
    """Everything of the job's snapshot, from the store's caches where it is there. ``backbone`` must be untuned."""
    tag, samples, spec = job.snapshot.tag, job.recipe.samples, job.recipe.train
    kept = kept_of(job, store)
    trained = [record for record in kept if record.split == "train"]
    if not trained:
        raise NotEnoughData(f"no picture is left to train on; the dataset {tag} keeps {len(kept)}, all held out")
    words = wording(job, store, kept)
    texts, wordings = words.texts, words.wordings
    shown = framing(spec, backbone, kept)
    touched = {table: Touched(store.cache(table)) for table in EVICTED}
    cache = touched["latents"]
    mask = masked(spec.masks, backbone, store, trained, shown)
    pictures = latents(backbone, kept, reader(store), cache, resolution=shown.resolution, sizes=shown.sizes)
    of_class = class_examples(job, store, backbone, cache)
    spoken = [*words.spoken, *(example.caption for example in of_class)]
    reading = TextReading(spec.captions.tokens, spec.captions.emphasis)
    told = conditionings(backbone, spoken, touched["text_states"], reading)

    def cases(split: str) -> Sequence[Case]:
        real = [record for record in kept if record.split == split and is_real(record)]
        return [Case(r.id, r.group, pictures[r.id], told[texts[r.id]] | shown.told(backbone, r)) for r in real]

    prior = prior_cases(backbone, samples.prior, cache, steps=samples.steps, guidance=samples.guidance)
    hold(job, touched)
    evidence = Evidence(train=cases("train"), held_out=cases("held_out"), prior=prior)
    examples = [
        Example(
            r.id,
            pictures[r.id],
            texts[r.id],
            r.weight,
            mask=mask.masks.get(r.id),
            wordings=wordings[r.id],
            framing=shown.told(backbone, r),
        )
        for r in trained
    ]
    plan = [*bucket_words(framing(spec, backbone, trained).plan), *([mask.words] if mask.words else [])]
    return Material(kept, texts, beside(job, examples, of_class), told, evidence, plan)
