"""All that one run holds between two steps: built once, saved, resumed, paused, and taken off the base at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType

import torch
from torch import Tensor

from backbones.backbone import Backbone, Conditioning
from core.hashing import digest
from training import checkpoint as checkpoints
from training.adapter import Attached
from training.beginning import identity_of as start_of
from training.chance import Dice
from training.data import Data, Example, identity_of
from training.metadata import describe
from training.moving_average import MovingAverage
from training.objective import Batch
from training.peers import Peers
from training.quantised import quantised
from training.scaling import LossScaling, Scaling
from training.spec import Train
from training.ways import Compiled, checkpointed

WATCHING = ("log_every", "checkpoint_every", "probe_every", "stop_at")
"""settings that change nothing of what is trained up to a step"""
HALVES = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True, slots=True)
class Trained:
    """What a run has come to."""

    step: int
    finished: bool
    """False where it was asked to stop; the same call goes on from the last checkpoint"""
    folder: Path

    @property
    def weights(self) -> dict[int, Path]:
        """Folder of the exported files of every step that was looked at; the last is the result."""
        found = (self.folder / "weights").glob("step-*")
        return {int(path.name.removeprefix("step-")): path for path in sorted(found)}


def attach(spec: Train, backbone: Backbone) -> Attached:
    """The run's adapter on the backbone, and on its text encoder where the recipe asks for that."""
    words = spec.text_encoder
    if words is None:
        return spec.adapter.attach(backbone)
    return spec.adapter.attach_with_words(backbone, words.learning_rate / spec.optimizer.learning_rate, words.steps)


class Run:
    """A context: within it the adapter is on the base, and threads and random numbers are the run's own."""

    def __init__(
        self,
        spec: Train,
        backbone: Backbone,
        examples: Sequence[Example],
        conditionings: Mapping[str, Conditioning],
        folder: Path,
        metadata: Mapping[str, str],
        say: Callable[[str], None],
    ) -> None:
        self.spec, self.backbone, self.folder, self.say = spec, backbone, folder, say
        self.metadata = {**describe(spec, backbone, examples), **metadata}
        spec.objective.check(backbone.prediction_type)
        spec.adapter.check([text for example in examples for text in example.said])
        self.peers = Peers.here(spec.processes)
        self.data = Data(
            examples,
            conditionings,
            batch_size=spec.batch_size,
            caption_dropout=spec.caption_dropout,
            seed=spec.seed,
            device=backbone.device,
            pieces=spec.pieces,
        )
        settings = spec.model_dump(mode="json", exclude={*WATCHING, "start_from"})
        if spec.start_from:  # what counts is what stands in the file
            settings["start_from"] = start_of(spec.start_from)
        self.identity = digest("run", settings, backbone.fingerprint("network"), identity_of(examples), length=32)
        self.loss_of = spec.objective.build(backbone)
        self.step = self.saved = 0

    def __enter__(self) -> Run:
        self._after = ExitStack()
        self._after.callback(torch.set_num_threads, torch.get_num_threads())
        torch.set_num_threads(self.spec.threads)
        self._after.enter_context(torch.random.fork_rng())
        with self._after:
            torch.manual_seed(self.spec.seed)
            self.dice = Dice(self.spec.seed)
            network = self.backbone.network
            self._after.enter_context(quantised(network, self.spec.quantise))
            self._after.enter_context(checkpointed(network, self.spec.gradient_checkpointing))
            self.adapter = attach(self.spec, self.backbone)
            self._after.callback(self.adapter.detach)
            if self.spec.start_from and (words := self.adapter.begin(Path(self.spec.start_from).expanduser())):
                self.say(words)
            if advice := self.spec.optimizer.advice():
                self.say(advice)
            groups = self.adapter.groups
            self.trained = [parameter for group in groups for parameter in group.parameters]
            self.optimizer = self.spec.optimizer.build(groups)
            self.schedule = self.spec.schedule.build(self.optimizer, self.spec.steps)
            self.average = MovingAverage(self.trained, self.spec.ema) if self.spec.ema else None
            self.scaling = LossScaling(self.backbone.device) if self.spec.precision == "fp16" else Scaling()
            if not self.peers.first:  # what the network drops by chance is its own in each process
                torch.manual_seed(self.spec.seed + self.peers.rank)
            self._resume()
            self._after.callback(network.eval)
            network.train()
            self.compiled = Compiled(network, self.spec.compile)
            self._after.callback(self.compiled.remove)
            self._after = self._after.pop_all()  # all went well: what was set up stays until the end of the run
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._after.__exit__(kind, error, trace)

    def autocast(self) -> torch.autocast:
        """The arithmetic that the recipe asks for."""
        half = HALVES.get(self.spec.precision)
        return torch.autocast(self.backbone.device, half, enabled=half is not None)

    def draw(self, step: int) -> Iterator[Batch]:
        """The pieces of a step that are this process's, with what the network is told of each."""
        shown = self.data.show(self.dice.rng)
        batches = self.data.cut(shown, *self.peers.part(self.spec.pieces))
        with self.dice.step(pieces=len(batches), mixed=shown.mixed):
            for batch in batches:
                told = self.adapter.conditioning(batch.captions, batch.conditioning, step)
                yield replace(batch, conditioning=batch.conditioning | told)

    def loss_of_piece(self, batch: Batch) -> Tensor:
        """What a piece adds to the step's loss: its mean times its share of the examples."""
        loss = self.loss_of(batch, self.dice.piece())
        return loss if batch.rows is None or batch.rows.whole else loss * batch.rows.share

    def _resume(self) -> None:
        if not self.peers.first:
            self.peers.wait()  # one at a time: a broken checkpoint is put aside by the first
        last = checkpoints.newest(self.folder / "checkpoints", self.identity, self.say)
        if self.peers.first:
            self.peers.wait()
        if last is None:
            return
        self.adapter.restore(last.adapter)
        self.optimizer.load_state_dict(last.optimizer)
        self.schedule.load_state_dict(last.schedule)
        self.scaling.restore(last.scaling)
        if self.average is not None:
            self.average.restore(last.average)
        self.data.seek(last.epoch, last.offset)
        self.dice.rng.set_state(last.rng)
        checkpoints.set_global_rng(last.global_rng[self.peers.rank])
        self.step = self.saved = last.step
        if self.peers.first:
            self.say(f"going on from the checkpoint of step {self.step}")

    def save(self) -> None:
        """Write the checkpoint of this step."""
        chance = {name: self.peers.of_all(state) for name, state in checkpoints.global_rng().items()}
        if not self.peers.first:
            self.saved = self.step
            return
        taken = checkpoints.Checkpoint(
            step=self.step,
            run=self.identity,
            adapter=self.adapter.state(),
            optimizer=self.optimizer.state_dict(),
            schedule=self.schedule.state_dict(),
            average=self.average.state() if self.average is not None else {},
            scaling=self.scaling.state(),
            epoch=self.data.epoch,
            offset=self.data.offset,
            rng=self.dice.rng.get_state(),
            global_rng=[{name: states[rank] for name, states in chance.items()} for rank in range(self.peers.count)],
        )
        checkpoints.save(self.folder / "checkpoints", taken)
        self.saved = self.step

    def pause(self, hook: Callable[[int], bool | None]) -> bool:
        """Export the weights and let the caller look at the model; what it draws or switches is put back.

        True where the caller has seen enough. Of several processes the first does so, and the others wait for it.
        """
        if not self.peers.first:
            return False
        network = self.backbone.network
        network.eval()
        with ExitStack() as within:
            within.enter_context(self.spec.optimizer.paused(self.optimizer))
            within.enter_context(self.average.shown() if self.average is not None else nullcontext())
            within.enter_context(self.compiled.off())
            within.enter_context(torch.random.fork_rng())
            if self.step:
                now = {"ss_steps": str(self.step), "ss_epoch": str(self.data.epoch)}
                self.adapter.export(self.folder / "weights" / f"step-{self.step:08d}", self.metadata | now)
            enough = bool(hook(self.step))
        network.train()
        return enough

    def position(self) -> dict[str, float]:
        """Where the run is, for the log."""
        return {"learning_rate": float(self.schedule.get_last_lr()[0]), "epoch": float(self.data.epoch)}
