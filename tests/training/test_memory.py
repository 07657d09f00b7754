from pathlib import Path

import pytest
import torch

from backbones.backbone import Backbone
from tests.training import runs
from tests.training.test_loop import weights
from training.adapter import Group
from training.loop import train
from training.memory import Memory, estimated, state_bytes, tensors_in
from training.optimizer import Optimizer
from training.run import Run

PER_WEIGHT = {"adamw": 8, "adamw8bit": 2, "lion": 4, "lion8bit": 1, "sgd_nesterov": 4, "sgd_nesterov8bit": 1}
"""bytes; of large weights, beside the scales of blocks"""


@pytest.mark.parametrize("kind", Optimizer.kinds())
def test_the_state_of_every_optimizer_is_measured(kind: str) -> None:
    groups = [Group([torch.nn.Parameter(torch.randn(256, 256)) for _ in range(2)])]
    before = [parameter.clone() for parameter in groups[0].parameters]
    per_weight = state_bytes(Optimizer.of_kind(kind)(), groups) / (2 * 256 * 256)
    assert all(torch.equal(one, other) for one, other in zip(before, groups[0].parameters, strict=True))
    assert 0 < per_weight < 25
    if kind in PER_WEIGHT:
        assert per_weight == pytest.approx(PER_WEIGHT[kind], rel=0.1)


def test_what_a_run_needs_is_told_and_telling_it_changes_nothing(
    base: Backbone, straight: Path, tmp_path: Path
) -> None:
    found: list[Memory] = []

    def ready(run: Run) -> None:
        found.append(estimated(run))

    train(
        runs.spec(),
        base,
        runs.examples(),
        runs.conditionings(base),
        tmp_path,
        on_log=runs.quietly,
        on_pause=runs.quietly,
        on_ready=ready,
    )
    assert weights(tmp_path) == weights(straight), "nothing was drawn and nothing was moved"
    (memory,) = found
    network = sum(p.numel() * 4 for p in base.network.parameters())
    assert memory.base > network
    assert memory.gradients == memory.trained > 0
    assert memory.optimizer == pytest.approx(2 * memory.trained, rel=0.02), "AdamW has two states"
    assert 100_000 < memory.activations < 100_000_000
    words = "\n".join(memory.words())
    assert "optimizer" in words
    assert "moving average" not in words


def test_shared_tensors_count_once() -> None:
    one = torch.ones(3)
    assert len(list(tensors_in({0: {"a": one, "b": [one, torch.ones(2)]}, "c": 5}))) == 2
