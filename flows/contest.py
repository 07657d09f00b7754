"""Challenger against champion on the same held-out pictures, those that neither was trained on."""

from __future__ import annotations

from dataclasses import replace

from backbones.backbone import Backbone
from core.errors import TrackingError
from core.progress import say
from evaluation.candidate import Candidate, base, from_file
from evaluation.comparing import fallen
from evaluation.metric import Evidence, Figure, Metric, Observation, Subject
from evaluation.metrics.probe import ProbeResult
from flows.home import Home
from flows.job import Job
from flows.material import Material, gather
from flows.pulling import weights_of
from flows.reaching import kept_trying
from flows.registry import CHALLENGER, Promotion, Registry, Version, judged
from store.store import Store


def promote_if_better(home: Home, name: str, manifest: str) -> Promotion:
    """Put the guard's question for the challenger that was trained on this data, and crown it if the answer is yes.

    Waits for an MLflow that is away; `TrackingError` where it stays away, or refuses, or nothing can be compared.
    """

    def put() -> Promotion:
        registry = Registry(home)
        found = [one for one in registry.versions(name) if CHALLENGER in one.aliases and one.manifest == manifest]
        if not found:
            words = "has no challenger of this data: its newest version is not healthy, or is champion already"
            return Promotion(False, f"{name} {words}")
        return contest(home, registry, found[0])

    return kept_trying(home.tracking, put)


def contest(home: Home, registry: Registry, challenger: Version) -> Promotion:
    """The same for any version. Fit to be done twice: one that was cut off in the middle is brought to its end."""
    champion = registry.champion(challenger.name)
    if champion is not None and champion.number == challenger.number and CHALLENGER in challenger.aliases:
        registry.crown(challenger)
        return Promotion(True, f"{challenger.words} is the champion: its promotion was cut off, and is complete now")
    better = None
    if champion is not None and champion.number != challenger.number and judged(challenger, None, None).allowed:
        better = difference(home, registry, challenger, champion)
    found = judged(challenger, champion, better)
    if found.allowed:
        registry.crown(challenger)
    say(found.reason)
    return found


def job_of(home: Home, registry: Registry, version: Version) -> Job:
    """The run of a version, from its folder; `TrackingError` where that is not on this machine."""
    folder = home.run(registry.client.get_run(version.run).info.run_name)
    if not (folder / "job.json").exists():
        raise TrackingError(f"the run of {version.words} is not in {folder}: compare where it was trained, or --force")
    return Job.read(folder)


def difference(home: Home, registry: Registry, challenger: Version, champion: Version) -> Figure | None:
    """By how much the challenger learned more, paired by picture; None where there are no pictures to tell by."""
    import torch

    job = job_of(home, registry, challenger)
    bases = {registry.client.get_run(one.run).data.tags.get("velatura.base", "") for one in (challenger, champion)}
    if len(bases) > 1:
        raise TrackingError(
            f"they stand on different bases, so nothing can be compared: {', '.join(sorted(bases))}; --force"
        )
    store = Store.open(job.snapshot.store)
    torch.set_num_threads(job.recipe.train.threads)
    backbone = job.recipe.family.load(device=job.device)
    material = gather(job, store, backbone)
    trained = trained_on(store, champion)
    held_out = [case for case in material.evidence.held_out if (case.group or case.record) not in trained]
    if not held_out:
        return None
    material = replace(material, evidence=replace(material.evidence, held_out=held_out))
    probe = next(metric for metric in job.recipe.metrics if metric.kind == "probe")
    files = [weights_of(registry, version, home) for version in (challenger, champion)]
    say(f"measuring {challenger.words} and {champion.words} on {len(held_out)} held-out pictures")
    zero, *seen = (
        observed(probe, backbone, material, one, job) for one in (base(), *(from_file(file) for file in files))
    )
    one, other = (measured(probe, zero, tuned, material.evidence) for tuned in seen)
    return replace(fallen(other, one), name="better")


def trained_on(store: Store, version: Version) -> set[str]:
    """The groups of the pictures that a version was trained on, as far as this store knows its data."""
    tags = [one.tag for one in store.snapshots() if one.manifest == version.manifest]
    records = store.records(tag=tags[-1]) if tags else []
    return {record.group or record.id for record in records if record.verdict == "kept" and record.split == "train"}


def observed(probe: Metric, backbone: Backbone, material: Material, candidate: Candidate, job: Job) -> Observation:
    """What the probe sees of one network."""
    with candidate.on(backbone):
        return probe.observe(Subject(backbone, material.heard_by(backbone, job.recipe.samples.prior)))


def measured(probe: Metric, zero: Observation, tuned: Observation, evidence: Evidence) -> ProbeResult:
    """The probe's result beside the base."""
    found = probe.measure(zero, tuned, evidence)
    assert isinstance(found, ProbeResult)
    return found
