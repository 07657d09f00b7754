import json

import pytest
import torch
from torch import nn

from training.adapter import Group
from training.optimizer import Optimizer
from training.tree import pack, unpack

TARGET = torch.tensor([[0.3, -0.2], [0.1, 0.4]])


def step(weight: nn.Parameter, optimizer: torch.optim.Optimizer) -> float:
    loss = (weight - TARGET).square().sum()
    loss.backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return float(loss.detach())


@pytest.mark.parametrize("kind", Optimizer.kinds())
def test_every_optimizer_goes_down_and_comes_back_from_a_checkpoint_bit_for_bit(kind: str) -> None:
    block = Optimizer.parse({"kind": kind, "learning_rate": 0.01})
    weight = nn.Parameter(torch.zeros(2, 2))
    optimizer = block.build([Group([weight])])
    losses = [step(weight, optimizer) for _ in range(10)]
    tensors: dict[str, torch.Tensor] = {}
    said = json.dumps(pack(optimizer.state_dict(), "optimizer", tensors))
    kept = {name: tensor.clone() for name, tensor in tensors.items()}
    resumed = nn.Parameter(weight.detach().clone())
    other = block.build([Group([resumed])])
    other.load_state_dict(unpack(json.loads(said), kept))
    for _ in range(10):
        assert step(resumed, other) == step(weight, optimizer)
    assert torch.equal(resumed, weight)
    assert step(weight, optimizer) < losses[0]


@pytest.mark.parametrize("kind", Optimizer.kinds())
def test_every_optimizer_gives_each_group_its_own_rate(kind: str) -> None:
    block = Optimizer.parse({"kind": kind, "learning_rate": 0.01})
    groups = [Group([nn.Parameter(torch.zeros(2))]), Group([nn.Parameter(torch.zeros(2))], rate=0.5)]
    rates = [group["lr"] for group in block.build(groups).param_groups]
    assert rates == [0.01, 0.005]
