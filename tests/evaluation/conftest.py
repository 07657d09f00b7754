"""One base, one dataset and one run along which it was probed; made once for all tests of this package."""

import pytest
import torch

from evaluation.metric import Evidence, Gallery, Subject, Wording
from evaluation.metrics.probe import Probe, ProbeResult
from tests.evaluation.things import (
    TinyBackbone,
    TinyNetwork,
    along,
    cases,
    embeddings,
    gallery,
    others,
    picture,
    said,
    train,
)


@pytest.fixture(scope="session")
def base() -> TinyBackbone:
    """A network that has learned to take noise away from pictures of another kind."""
    torch.manual_seed(0)
    untrained = TinyBackbone(TinyNetwork())
    return train(untrained, others(untrained, 64), 300)


@pytest.fixture(scope="session")
def evidence(base: TinyBackbone) -> Evidence:
    return Evidence(
        train=cases(base, "train", 16),
        held_out=cases(base, "held_out", 12),
        prior=others(base, 12, "prior"),
        train_pictures=gallery("train", 16),
        held_out_pictures=gallery("held_out", 12),
        wording=Wording(
            tuple(f"a picture of thing {at}, sks" for at in range(16)),
            tuple(f"a picture of other {at}, sks" for at in range(12)),
            "sks",
        ),
    )


@pytest.fixture(scope="session")
def memorised(base: TinyBackbone, evidence: Evidence) -> TinyBackbone:
    """The base after far too many steps on sixteen pictures."""
    return train(base, evidence.train, 600)


@pytest.fixture(scope="session")
def samples() -> Gallery:
    pixels = tuple(picture("sample", at) for at in range(8))
    return Gallery(
        tuple(f"prompt {at}" for at in range(8)), tuple(f"prompt {at}" for at in range(8)), pixels, embeddings(pixels)
    )


@pytest.fixture(scope="session")
def subject(base: TinyBackbone, evidence: Evidence, samples: Gallery) -> Subject:
    return Subject(base, evidence, samples, said=said)


@pytest.fixture(scope="session")
def curve(base: TinyBackbone, evidence: Evidence) -> dict[int, ProbeResult]:
    """Probed along a run: it learns the kind first, then the pictures by heart."""
    probe = Probe()
    zero = probe.observe(Subject(base, evidence))
    tuned = along(base, evidence.train, [0, 25, 50, 100, 200, 400])
    return {step: probe.measure(zero, probe.observe(Subject(one, evidence)), evidence) for step, one in tuned.items()}
