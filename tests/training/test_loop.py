import math
import multiprocessing
import os
import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from backbones.backbone import Backbone
from core.errors import DiskFull, RecipeError, TrainingFailed
from tests.training import runs
from training import checkpoint as checkpoints


class PowerCutError(Exception):
    pass


def weights(folder: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(folder)): file.read_bytes() for file in sorted((folder / "weights").rglob("*.safetensors"))
    }


def test_the_weights_of_every_look_are_exported_and_two_checkpoints_kept(straight: Path) -> None:
    assert list(weights(straight)) == [
        f"weights/step-{step:08d}/{file}"
        for step in (4, 8)
        for file in ("kohya.safetensors", "pytorch_lora_weights.safetensors")
    ]
    assert checkpoints.steps_in(straight / "checkpoints") == [8, 6]


def test_the_same_run_writes_the_same_bytes_whatever_the_callers_random_numbers(
    base: Backbone, straight: Path, tmp_path: Path
) -> None:
    torch.manual_seed(77)
    state = torch.get_rng_state()

    def restless(_step: int) -> None:
        torch.rand(100)
        base.network.train()
        base.sample(["a"], [1], steps=1)

    assert runs.run(base, tmp_path, on_pause=restless).finished
    assert weights(tmp_path) == weights(straight)
    assert torch.equal(torch.get_rng_state(), state)
    assert not base.network.training


def test_a_run_without_pauses_learns_the_same(base: Backbone, straight: Path, tmp_path: Path) -> None:
    runs.run(base, tmp_path, probe_every=100, checkpoint_every=100, log_every=5)
    mine, theirs = weights(tmp_path), weights(straight)
    tensors = "weights/step-00000008/pytorch_lora_weights.safetensors"
    assert mine[tensors][-1000:] == theirs[tensors][-1000:]


def test_an_interrupted_run_goes_on_bit_for_bit(base: Backbone, straight: Path, tmp_path: Path) -> None:
    for last in (3, 5, 8):

        def interrupt(step: int, _figures: dict[str, float], last: int = last) -> None:
            if step == last:
                raise PowerCutError

        with pytest.raises(PowerCutError):
            runs.run(base, tmp_path, on_log=interrupt)
    seen: list[int] = []
    assert runs.run(base, tmp_path, on_log=lambda step, _figures: seen.append(step)).finished
    assert seen == [7, 8]
    assert weights(tmp_path) == weights(straight)


def test_a_killed_run_goes_on_bit_for_bit(base_folder: Path, straight: Path, tmp_path: Path) -> None:
    # forking saves the imports; with a GPU at hand torch's threads do not survive it
    context: Any = multiprocessing.get_context("spawn" if torch.cuda.is_available() else "fork")
    for moment in [*sorted(random.Random(2).sample(range(2, 8), 3)), None]:
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=runs.in_a_process, args=(base_folder, tmp_path, theirs))
        process.start()
        theirs.close()
        while ours.recv() not in (moment, "finished"):
            pass
        if moment is not None:
            os.kill(process.pid, signal.SIGKILL)
        process.join()
        assert process.exitcode == (0 if moment is None else -signal.SIGKILL)
    assert weights(tmp_path) == weights(straight)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_cleanly_when_asked_to_and_goes_on_bit_for_bit(
    number: signal.Signals, base: Backbone, straight: Path, tmp_path: Path
) -> None:
    before = signal.signal(number, signal.default_int_handler)  # background jobs are started deaf to Ctrl-C

    def ask(step: int, _figures: dict[str, float]) -> None:
        if step == 4:
            for one in (number, number, signal.SIGTERM):  # as each of those sends it that are asked themselves
                os.kill(os.getpid(), one)

    try:
        stopped = runs.run(base, tmp_path, on_log=ask)
        assert signal.getsignal(number) is signal.default_int_handler
    finally:
        signal.signal(number, before)
    assert (stopped.step, stopped.finished) == (5, False), "the step that was under way is finished and kept"
    assert checkpoints.steps_in(tmp_path / "checkpoints")[0] == 5
    assert runs.run(base, tmp_path).finished
    assert weights(tmp_path) == weights(straight)


def test_a_torn_checkpoint_costs_steps_and_not_the_run(base: Backbone, straight: Path, tmp_path: Path) -> None:
    def interrupt(step: int, _figures: dict[str, float]) -> None:
        if step == 7:
            raise PowerCutError

    with pytest.raises(PowerCutError):
        runs.run(base, tmp_path, on_log=interrupt)
    os.truncate(checkpoints.path_of(tmp_path / "checkpoints", 6), 5000)
    words: list[str] = []
    assert runs.run(base, tmp_path, say=words.append).finished
    assert "step-00000006.safetensors is passed over" in words[0]
    assert words[1] == "going on from the checkpoint of step 4"
    assert weights(tmp_path) == weights(straight)


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_last_good_checkpoint(
    base: Backbone, tmp_path: Path
) -> None:
    def poison(step: int) -> None:
        if step == 4:
            with torch.no_grad():
                next(p for p in base.network.parameters() if p.requires_grad).fill_(math.nan)

    with pytest.raises(TrainingFailed, match="not finite between steps 5 and 5; the checkpoint of step 4 is kept"):
        runs.run(base, tmp_path, on_pause=poison)
    kept = checkpoints.load(checkpoints.path_of(tmp_path / "checkpoints", 4))
    assert all(tensor.isfinite().all() for tensor in kept.adapter.values())
    assert not any(parameter.requires_grad for parameter in base.network.parameters()), "the adapter is off the base"


def test_a_full_disk_stops_the_run_and_the_same_call_goes_on(base: Backbone, straight: Path, tmp_path: Path) -> None:
    target = checkpoints.path_of(tmp_path / "checkpoints", 6)
    target.parent.mkdir()
    target.with_name(f".{target.name}.{os.getpid()}.partial").symlink_to("/dev/full")
    with pytest.raises(DiskFull):
        runs.run(base, tmp_path)
    assert checkpoints.steps_in(tmp_path / "checkpoints") == [4, 2]
    assert runs.run(base, tmp_path).finished
    assert weights(tmp_path) == weights(straight)


def test_a_folder_of_another_run_is_refused(base: Backbone, tmp_path: Path) -> None:
    runs.run(base, tmp_path, steps=2)
    with pytest.raises(RecipeError, match="checkpoints of another run"):
        runs.run(base, tmp_path, steps=2, seed=1)


def test_an_objective_that_the_base_was_not_trained_for_is_refused(base: Backbone, tmp_path: Path) -> None:
    with pytest.raises(
        RecipeError, match="v_prediction is for bases that predict v_prediction, this one predicts epsilon; set"
    ):
        runs.run(base, tmp_path, objective="v_prediction")


def test_pauses_come_at_the_start_every_so_often_and_at_the_end(base: Backbone, tmp_path: Path) -> None:
    seen: list[tuple[int, bool, bool]] = []

    def look(step: int) -> None:
        saved = step in checkpoints.steps_in(tmp_path / "checkpoints")
        seen.append((step, saved, base.network.training))

    runs.run(base, tmp_path, steps=5, probe_every=2, on_pause=look)
    assert seen == [(0, False, False), (2, True, False), (4, True, False), (5, True, False)]


def test_bf16_trains_and_exports_fp32_weights(base: Backbone, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    figures: list[dict[str, float]] = []
    result = runs.run(base, tmp_path, steps=2, precision="bf16", on_log=lambda _step, of_step: figures.append(of_step))
    assert all(math.isfinite(f["loss"]) for f in figures)
    tensors = load_file(result.weights[2] / "kohya.safetensors")
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float32}


class Syncs(TorchDispatchMode):
    """Counts the moments at which the host waits for a value of the device."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        name = str(func)
        self.count += "_local_scalar_dense" in name or "nonzero" in name
        return func(*args, **(kwargs or {}))


def test_no_step_waits_for_the_device_but_those_that_log(
    base: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: dict[int, int] = {}
    copies: list[str] = []

    def counting(real: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*given: Any, **named: Any) -> Any:
            copies.append(real.__name__)
            return real(*given, **named)

        return counted

    for name in ("cpu", "numpy", "item"):  # what brings a value to the host, on whatever device this runs
        monkeypatch.setattr(torch.Tensor, name, counting(getattr(torch.Tensor, name)))
    changes = {"checkpoint_every": 100, "probe_every": 100, "log_every": 100, "schedule": "constant"}
    for steps in (2, 5):
        with Syncs() as syncs:
            runs.run(base, tmp_path / str(steps), steps=steps, **changes)
        counts[steps] = syncs.count + len(copies)
        copies.clear()
    assert counts[5] == counts[2]


def test_it_learns_the_pictures_of_the_pocket_base(tmp_path: Path) -> None:
    from backbones.encoding import conditionings, latents
    from backbones.family import POCKET, family_of
    from core.cache import Memory
    from tests.backbones.pictures import read, record
    from training.data import Data, Example
    from training.loop import train
    from training.objective import Objective
    from training.spec import Train

    if not (POCKET / "model_index.json").is_file():
        pytest.skip("the pocket base has not been made")
    base, cache = family_of("pocket").load(), Memory()
    records = [record(n) for n in range(4)]
    encoded = latents(base, records, read, cache, resolution=base.resolution)
    examples = [Example(r.id, encoded[r.id], f"square number {n}") for n, r in enumerate(records)]
    states = conditionings(base, [example.caption for example in examples], cache)
    everything = Data(examples, states, batch_size=16, caption_dropout=0, seed=0, device="cpu").draw(torch.Generator())
    losses: dict[int, float] = {}

    @torch.no_grad()
    def measure(step: int) -> None:
        loss = Objective.parse("epsilon").build(base)
        losses[step] = float(loss(everything, torch.Generator().manual_seed(5)))

    spec = Train.model_validate(
        {
            "steps": 20,
            "probe_every": 20,
            "adapter": {"kind": "lora", "rank": 8},
            "optimizer": {"kind": "adamw", "learning_rate": 3e-3},
        }
    )
    train(spec, base, examples, states, tmp_path, on_log=runs.quietly, on_pause=measure)
    assert losses[20] < 0.9 * losses[0]
