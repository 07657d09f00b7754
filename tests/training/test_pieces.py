"""A step in pieces: cut by accumulation, by the pictures' shapes, or over processes, it is the same step."""

import multiprocessing
import os
import traceback
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from backbones.backbone import Backbone
from backbones.family import family_of
from core.errors import RecipeError
from tests.training import runs
from tests.training.adapting import disturb
from tests.training.test_loop import PowerCutError
from training.chance import Dice
from training.data import Data, Example
from training.loop import train
from training.peers import join, leave
from training.run import Trained

STEADY: dict[str, object] = {
    "adapter": {"kind": "lora", "rank": 2},
    "steps": 4,
    "batch_size": 4,
    "probe_every": 4,
    "optimizer": {"kind": "sgd_nesterov", "learning_rate": 0.1},
    "objective": {"kind": "epsilon", "noise_offset": 0.1, "multires_levels": 2, "input_perturbation": 0.1},
}
"""without dropout in the network, which draws for what it sees; and no optimizer that makes much of rounding"""


def of_all_shapes() -> list[Example]:
    rng = torch.Generator().manual_seed(5)
    sides = [(8, 8), (8, 8), (8, 8), (8, 16), (16, 8), (8, 8), (8, 16)]
    return [
        replace(example, latent=torch.randn(4, *side, generator=rng))
        for example, side in zip(runs.examples(), sides, strict=True)
    ]


def learned(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "weights" / "step-00000004" / "kohya.safetensors")


def run(base: Backbone, folder: Path, examples: list[Example], **changes: object) -> Trained:
    spec = runs.spec(**{**STEADY, **changes})
    return train(spec, base, examples, runs.conditionings(base), folder, on_log=runs.quietly, on_pause=runs.quietly)


def gradients(base: Backbone, examples: list[Example], pieces: int) -> list[torch.Tensor]:
    """Of one step that is cut into so many pieces, in double precision: a small random network magnifies rounding."""
    spec = runs.spec(**STEADY)
    adapter = spec.adapter.attach(base)
    disturb(parameters := adapter.groups[0].parameters)
    for parameter in parameters:
        parameter.data = parameter.data.double()
    base.network.double().train()
    data = Data(
        examples, runs.conditionings(base), batch_size=4, caption_dropout=0, seed=0, device="cpu", pieces=pieces
    )
    dice, loss_of = Dice(0), spec.objective.build(base)
    for _ in range(2):  # what the second step draws must not depend on the first one's pieces
        shown = data.show(dice.rng)
        cut = data.cut(shown)
        with dice.step(pieces=len(cut), mixed=shown.mixed):
            for batch in cut:
                assert batch.rows is not None
                (loss_of(batch, dice.piece()) * batch.rows.share).backward()
    made = [parameter.grad.clone() for parameter in parameters if parameter.grad is not None]
    base.network.eval().float()
    adapter.detach()
    return made


@pytest.mark.parametrize("examples", [runs.examples(), of_all_shapes()], ids=["one shape", "several"])
def test_a_batch_in_pieces_has_the_gradient_of_the_whole_batch(examples: list[Example], base: Backbone) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        state = torch.get_rng_state()
        found = []
        for pieces in (1, 2, 4):
            torch.set_rng_state(state)
            found.append(gradients(base, examples, pieces))
    assert max(float(tensor.abs().max()) for tensor in found[0]) > 1e-3
    for other in found[1:]:
        for one, two in zip(found[0], other, strict=True):
            torch.testing.assert_close(one, two, rtol=1e-6, atol=1e-9)


def test_a_run_with_pictures_of_several_shapes_goes_on_bit_for_bit(base: Backbone, tmp_path: Path) -> None:
    keys: dict[str, object] = {"adapter": {"kind": "lora", "rank": 2, "dropout": 0.1}, "checkpoint_every": 1}
    run(base, tmp_path / "straight", of_all_shapes(), **keys)
    spec = runs.spec(**{**STEADY, **keys, "log_every": 1})

    def interrupt(step: int, _figures: dict[str, float]) -> None:
        if step == 3:
            raise PowerCutError

    for on_log in (interrupt, runs.quietly):
        try:
            states = runs.conditionings(base)
            train(spec, base, of_all_shapes(), states, tmp_path / "cut", on_log=on_log, on_pause=runs.quietly)
        except PowerCutError:
            assert on_log is interrupt
    mine, theirs = learned(tmp_path / "cut"), learned(tmp_path / "straight")
    assert all(torch.equal(mine[name], theirs[name]) for name in theirs)


def share(rank: int, base: Path, folder: Path, meeting: Path, examples: list[Example]) -> None:
    """One of two processes."""
    try:
        torch.set_num_threads(1)
        join(rank, 2, meeting)
        run(family_of(str(base)).load(), folder, examples, processes=2)
        leave()
        os._exit(0)  # what else the forking process had in hand is not this one's to end
    except BaseException:
        meeting.with_name(f"failed-{rank}").write_text(traceback.format_exc())
        raise


def two_processes(base: Path, folder: Path, examples: list[Example]) -> dict[str, torch.Tensor]:
    context: Any = multiprocessing.get_context("fork")
    with TemporaryDirectory() as place:
        given = (base, folder, Path(place) / "meeting", examples)
        both = [context.Process(target=share, args=(rank, *given)) for rank in range(2)]
        for process in both:
            process.start()
        for process in both:
            process.join(300)
        failed = [path.read_text() for path in Path(place).glob("failed-*")]
        assert [process.exitcode for process in both] == [0, 0], "\n".join(failed)
    return learned(folder)


@pytest.mark.skipif(torch.cuda.is_available(), reason="two processes share the CPU only where there is no GPU")
def test_two_processes_learn_what_one_does_with_the_same_pieces_bit_for_bit(
    base_folder: Path, base: Backbone, tmp_path: Path
) -> None:
    run(base, tmp_path / "one", runs.examples(), accumulate=2)
    one, two = learned(tmp_path / "one"), two_processes(base_folder, tmp_path / "two", runs.examples())
    assert all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.skipif(torch.cuda.is_available(), reason="two processes share the CPU only where there is no GPU")
def test_two_processes_go_on_bit_for_bit_also_where_pictures_differ_in_shape(base_folder: Path, tmp_path: Path) -> None:
    straight = two_processes(base_folder, tmp_path, of_all_shapes())
    last = tmp_path / "checkpoints" / "step-00000004.safetensors"
    last.unlink()
    (tmp_path / "weights" / "step-00000004" / "kohya.safetensors").unlink()
    again = two_processes(base_folder, tmp_path, of_all_shapes())
    assert last.exists()
    assert all(torch.equal(straight[name], again[name]) for name in straight)


def test_a_run_for_several_processes_is_not_started_by_one(base: Backbone, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="train.processes is 2, and this is one of 1"):
        run(base, tmp_path, runs.examples(), processes=2)
