import os
import pickle
from pathlib import Path

import pytest
import torch

from core.errors import DiskFull, RecipeError
from training import checkpoint as checkpoints
from training.checkpoint import Checkpoint
from training.tree import pack, unpack


def made(step: int, run: str = "run") -> Checkpoint:
    rng = torch.Generator().manual_seed(step)
    return Checkpoint(
        step=step,
        run=run,
        adapter={"a.weight": torch.randn(3, 2, generator=rng), "b": torch.randn(2, generator=rng).bfloat16()},
        optimizer={
            "state": {0: {"step": torch.tensor(3.0), "exp_avg": torch.randn(3, 2, generator=rng)}, 1: {}},
            "param_groups": [
                {"lr": 0.1 + 1e-17, "betas": (0.9, 0.999), "params": [0, 1], "maximize": False, "x": None}
            ],
        },
        schedule={"last_epoch": step, "_last_lr": [1 / 3], "lr_lambdas": [None]},
        average={"0": torch.randn(3, 2, generator=rng)},
        scaling={"scale": torch.tensor([2.0])},
        epoch=2,
        offset=5,
        rng=rng.get_state(),
        global_rng=[{"cpu": torch.get_rng_state()}],
    )


def same(first: object, second: object) -> bool:
    packed = [({}, None), ({}, None)]
    trees = [pack(vars(item), "", tensors) for item, (tensors, _) in zip((first, second), packed, strict=True)]
    tensors = [tensors for tensors, _ in packed]
    return trees[0] == trees[1] and all(torch.equal(tensors[0][name], tensors[1][name]) for name in tensors[0])


def test_everything_comes_back_as_it_was_and_no_pickle_is_written(tmp_path: Path) -> None:
    checkpoints.save(tmp_path, made(7))
    loaded = checkpoints.newest(tmp_path, "run", pytest.fail)
    assert loaded is not None
    assert same(loaded, made(7))
    assert loaded.optimizer["param_groups"][0]["betas"] == (0.9, 0.999)
    assert [path.suffix for path in tmp_path.iterdir()] == [".safetensors"]
    with pytest.raises((pickle.UnpicklingError, EOFError, ValueError, KeyError)):
        pickle.loads(next(tmp_path.iterdir()).read_bytes())


def test_the_newest_two_are_kept(tmp_path: Path) -> None:
    for step in (3, 6, 9, 12):
        checkpoints.save(tmp_path, made(step))
    assert checkpoints.steps_in(tmp_path) == [12, 9]
    assert checkpoints.newest(tmp_path / "empty", "run", pytest.fail) is None


@pytest.mark.parametrize("damage", ["torn", "changed", "empty", "garbage"])
def test_a_broken_checkpoint_is_passed_over_with_a_word(tmp_path: Path, damage: str) -> None:
    for step in (3, 6):
        checkpoints.save(tmp_path, made(step))
    path = checkpoints.path_of(tmp_path, 6)
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes({"torn": data[:-20], "changed": data, "empty": b"", "garbage": os.urandom(500)}[damage])
    words: list[str] = []
    loaded = checkpoints.newest(tmp_path, "run", words.append)
    assert loaded is not None
    assert same(loaded, made(3))
    assert len(words) == 1
    assert "step-00000006.safetensors is passed over" in words[0]
    assert checkpoints.steps_in(tmp_path) == [3], "the broken one no longer counts as one of two"


def test_another_runs_checkpoint_is_refused(tmp_path: Path) -> None:
    checkpoints.save(tmp_path, made(3, run="other"))
    with pytest.raises(RecipeError, match="checkpoints of another run"):
        checkpoints.newest(tmp_path, "run", pytest.fail)


def test_a_full_disk_is_told_and_leaves_the_last_good_checkpoint(tmp_path: Path) -> None:
    checkpoints.save(tmp_path, made(3))
    checkpoints.save(tmp_path, made(6))
    target = checkpoints.path_of(tmp_path, 9)
    # what is written to this device finds no room
    target.with_name(f".{target.name}.{os.getpid()}.partial").symlink_to("/dev/full")
    with pytest.raises(DiskFull, match="no room left while writing"):
        checkpoints.save(tmp_path, made(9))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "step-00000003.safetensors",
        "step-00000006.safetensors",
    ]
    loaded = checkpoints.newest(tmp_path, "run", pytest.fail)
    assert loaded is not None
    assert same(loaded, made(6))


def test_a_state_that_no_checkpoint_can_hold_is_our_own_mistake() -> None:
    with pytest.raises(AssertionError, match=r"x\.y is a object"):
        pack({"y": object()}, "x", {})
    tensors: dict[str, torch.Tensor] = {}
    tree = {1: [torch.ones(2), (1, "a", None)], "b": {"c": 2.5}}
    back = unpack(pack(tree, "t", tensors), tensors)
    assert torch.equal(back[1][0], tree[1][0])  # type: ignore[index]
    assert (back[1][1], back["b"]) == ((1, "a", None), {"c": 2.5})
