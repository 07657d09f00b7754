"""Adapter files of a tiny base, each made once, with what the network said while it was on."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from backbones.backbone import Backbone
from tests.training.adapting import RICH, answer, disturb, made, weights
from training.adapter import Adapter

SAID = {"ss_base_model_version": "sd_v1", "velatura.trigger": "qzx", "velatura.verdict": "healthy", "ss_steps": "7"}


@dataclass(frozen=True)
class File:
    folder: Path
    kind: str
    answer: torch.Tensor

    def named(self, what: str = "weights") -> Path:
        return self.folder / Adapter.of_kind(self.kind).files[what]


Learned = Callable[..., File]


@pytest.fixture(scope="session")
def learned(base: Backbone, tmp_path_factory: pytest.TempPathFactory) -> Learned:
    """A file by kind; ``words`` trains the text encoder too, another ``seed`` learns something else."""
    done: dict[tuple[str, bool, int], File] = {}

    def learn(kind: str, *, words: bool = False, seed: int = 4) -> File:
        key = kind, words, seed
        if key not in done:
            folder = tmp_path_factory.mktemp(kind)
            with torch.random.fork_rng():
                torch.manual_seed(seed)
                block = made(kind, RICH)
                adapter = block.attach_with_words(base, 0.5, 1) if words else block.attach(base)
                trained = weights(adapter)
            disturb(trained, 0.01 if kind == "full" else 0.05)
            if seed != 4:
                with torch.no_grad():
                    for parameter in trained:
                        parameter.copy_(parameter.flip(0) * 0.7)
            done[key] = File(folder, kind, answer(base))
            adapter.export(folder, SAID)
            adapter.detach()
        return done[key]

    return learn
