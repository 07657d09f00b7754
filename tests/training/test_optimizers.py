import json
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import nn

from backbones.backbone import Backbone, Conditioning
from backbones.family import POCKET
from core.errors import RecipeError
from tests.training import runs
from training.adapter import Group
from training.data import Data, Example
from training.loop import train
from training.objective import Objective
from training.optimizer import Optimizer
from training.spec import Train
from training.tree import pack, unpack

TARGET = 0.1 * torch.randn(64, 80, generator=torch.Generator().manual_seed(5))  # 8-bit states begin at 4,096 values
ADAPTIVE = ("dadaptation", "prodigy")
RATES = {"sgd_nesterov": 0.3, "sgd_nesterov8bit": 0.3}
"""for the toy here; the others' is .01"""


def block_of(kind: str) -> Optimizer:
    if kind in ADAPTIVE:  # without a limit on its growth the rate shoots over on a toy
        return Optimizer.parse({"kind": kind, "first": 1e-3, "growth": 1.2})
    return Optimizer.parse({"kind": kind, "learning_rate": RATES.get(kind, 0.01)})


def step(weight: nn.Parameter, optimizer: torch.optim.Optimizer) -> float:
    loss = 100 * (weight - TARGET).square().mean()
    loss.backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return float(loss.detach())


@pytest.mark.parametrize("kind", Optimizer.kinds())
def test_every_optimizer_goes_down_and_comes_back_from_a_checkpoint_bit_for_bit(kind: str) -> None:
    block = block_of(kind)
    weight = nn.Parameter(torch.zeros(64, 80))
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
def test_every_optimizer_gives_each_group_its_own_rate_or_says_that_it_cannot(kind: str) -> None:
    block = Optimizer.parse({"kind": kind, "learning_rate": 0.01})
    groups = [Group([nn.Parameter(torch.zeros(2))]), Group([nn.Parameter(torch.zeros(2))], rate=0.5)]
    if kind in ADAPTIVE:
        with pytest.raises(RecipeError, match=f"{kind} finds one rate for all weights"):
            block.build(groups)
    else:
        assert [group["lr"] for group in block.build(groups).param_groups] == [0.01, 0.005]


@pytest.mark.parametrize("kind", Optimizer.kinds())
def test_every_optimizer_is_the_same_after_a_pause(kind: str) -> None:
    block = block_of(kind)
    ends = []
    for pauses in (0, 3):
        weight = nn.Parameter(torch.zeros(64, 80))
        optimizer = block.build([Group([weight])])
        for number in range(6):
            step(weight, optimizer)
            if number < pauses:
                with block.paused(optimizer):
                    assert weight.isfinite().all()
        ends.append(weight.detach().clone())
    assert torch.equal(*ends)


def test_what_schedule_free_measures_is_the_average() -> None:
    block = block_of("schedule_free")
    weight = nn.Parameter(torch.zeros(64, 80))
    optimizer = block.build([Group([weight])])
    for _ in range(5):
        step(weight, optimizer)
    walking = weight.detach().clone()
    with block.paused(optimizer):
        assert not torch.equal(weight, walking)
    assert torch.equal(weight, walking)


def test_states_of_eight_bits_take_a_quarter_of_the_memory() -> None:
    sizes = {}
    for kind in ("adamw", "adamw8bit", "lion", "lion8bit", "sgd_nesterov", "sgd_nesterov8bit"):
        weight = nn.Parameter(torch.zeros(64, 80))
        optimizer = block_of(kind).build([Group([weight])])
        step(weight, optimizer)
        tensors: dict[str, torch.Tensor] = {}
        pack(optimizer.state_dict(), "", tensors)
        sizes[kind] = sum(t.numel() * t.element_size() for t in tensors.values())
    for kind in ("adamw", "lion", "sgd_nesterov"):
        assert sizes[f"{kind}8bit"] < 0.35 * sizes[kind]


def test_nesterov_in_eight_bits_goes_the_way_of_torchs_own() -> None:
    ways = []
    for kind in ("sgd_nesterov", "sgd_nesterov8bit"):
        weight = nn.Parameter(torch.zeros(64, 80))
        optimizer = Optimizer.parse({"kind": kind, "learning_rate": 0.3, "weight_decay": 0.01}).build([Group([weight])])
        for _ in range(20):
            step(weight, optimizer)
        ways.append(weight.detach())
    torch.testing.assert_close(ways[1], ways[0], atol=3e-3, rtol=0)
    small = []
    for kind in ("sgd_nesterov", "sgd_nesterov8bit"):  # few values stay in 32 bits: the very same
        weight = nn.Parameter(torch.ones(3))
        optimizer = block_of(kind).build([Group([weight])])
        for _ in range(5):
            weight.square().sum().backward()
            optimizer.step()
            optimizer.zero_grad()
        small.append(weight.detach())
    torch.testing.assert_close(small[0], small[1], atol=1e-6, rtol=0)


@pytest.mark.parametrize("kind", ADAPTIVE)
def test_what_finds_its_own_rate_starts_at_one_and_warns_otherwise(kind: str, base: Backbone, tmp_path: Path) -> None:
    assert Optimizer.parse(kind).learning_rate == 1.0
    assert not Optimizer.parse(kind).advice()
    words: list[str] = []
    runs.run(base, tmp_path, steps=1, optimizer={"kind": kind, "learning_rate": 1e-4}, say=words.append)
    assert [kind in word and "1e-04" in word.replace("0.0001", "1e-04") for word in words] == [True]


Material = tuple[Backbone, list[Example], Mapping[str, Conditioning]]


@pytest.fixture(scope="module")
def pocket() -> Material:
    from backbones.encoding import conditionings, latents
    from backbones.family import family_of
    from core.cache import Memory
    from tests.backbones.pictures import read, record

    if not (POCKET / "model_index.json").is_file():
        pytest.skip("the pocket base has not been made")
    base, cache = family_of("pocket").load(), Memory()
    records = [record(n) for n in range(4)]
    encoded = latents(base, records, read, cache, resolution=base.resolution)
    examples = [Example(r.id, encoded[r.id], f"square number {n}") for n, r in enumerate(records)]
    return base, examples, conditionings(base, [example.caption for example in examples], cache)


LEARNING = {"sgd_nesterov": 0.5, "sgd_nesterov8bit": 0.5, "lion": 5e-4, "lion8bit": 5e-4, "schedule_free": 5e-3}
NEAR = {"first": 1e-4, "growth": 1.5}
"""the search begins nearer to the end and does not jump, so that few steps are enough here"""


@pytest.mark.parametrize("kind", Optimizer.kinds())
def test_every_optimizer_lowers_the_loss_on_fixed_noise_of_the_pocket_base(
    kind: str, pocket: Material, tmp_path: Path
) -> None:
    base, examples, states = pocket
    everything = Data(examples, states, batch_size=8, caption_dropout=0, seed=0, device="cpu").draw(torch.Generator())
    losses: dict[int, float] = {}

    @torch.no_grad()
    def measure(at: int) -> None:
        loss = Objective.parse("epsilon").build(base)
        losses[at] = float(loss(everything, torch.Generator().manual_seed(5)))

    rate = 1.0 if kind in ADAPTIVE else LEARNING.get(kind, 3e-3)
    near = NEAR if kind in ADAPTIVE else {}
    spec = Train.model_validate(
        {
            "steps": 5,
            "batch_size": 2,
            "probe_every": 5,
            "optimizer": {"kind": kind, "learning_rate": rate, **near},
            "adapter": {"kind": "lora", "rank": 16, "ranks": {"down_blocks": 0}},
        }
    )
    train(spec, base, examples, states, tmp_path, on_log=runs.quietly, on_pause=measure)
    assert losses[5] < 0.995 * losses[0]


def test_the_text_encoders_rate_is_refused_where_one_rate_is_found_for_all(base: Backbone, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="prodigy finds one rate"):
        runs.run(base, tmp_path, optimizer="prodigy", text_encoder={"learning_rate": 0.2, "steps": 3})
    assert not base.tunings
