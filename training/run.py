"""All that one run holds between two steps: built once, saved, resumed, paused, and taken off the base at the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType

import torch

from backbones.backbone import Backbone, Conditioning
from core.errors import RecipeError
from core.hashing import digest
from training import checkpoint as checkpoints
from training.adapter import Attached
from training.data import Data, Example, identity_of
from training.metadata import describe
from training.objective import Batch
from training.spec import Train


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
        if spec.objective.predicts != backbone.prediction_type:
            raise RecipeError(
                f"train.objective: {spec.objective.kind} is for bases that predict {spec.objective.predicts}; "
                f"this one predicts {backbone.prediction_type}"
            )
        spec.adapter.check([example.caption for example in examples])
        self.data = Data(
            examples,
            conditionings,
            batch_size=spec.batch_size,
            caption_dropout=spec.caption_dropout,
            seed=spec.seed,
            device=backbone.device,
        )
        settings = spec.model_dump(mode="json", exclude={"log_every", "checkpoint_every", "probe_every"})
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
            self.rng = torch.Generator().manual_seed(self.spec.seed)
            self.adapter = attach(self.spec, self.backbone)
            self._after.callback(self.adapter.detach)
            if advice := self.spec.optimizer.advice():
                self.say(advice)
            groups = self.adapter.groups
            self.trained = [parameter for group in groups for parameter in group.parameters]
            self.optimizer = self.spec.optimizer.build(groups)
            self.schedule = self.spec.schedule.build(self.optimizer, self.spec.steps)
            self._resume()
            self._after.callback(self.backbone.network.eval)
            self.backbone.network.train()
            self._after = self._after.pop_all()  # all went well: what was set up stays until the end of the run
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._after.__exit__(kind, error, trace)

    def draw(self, step: int) -> Batch:
        """The batch of a step, with what the network is told of it."""
        batch = self.data.draw(self.rng)
        return replace(batch, conditioning=self.adapter.conditioning(batch.captions, batch.conditioning, step))

    def _resume(self) -> None:
        last = checkpoints.newest(self.folder / "checkpoints", self.identity, self.say)
        if last is None:
            return
        self.adapter.restore(last.adapter)
        self.optimizer.load_state_dict(last.optimizer)
        self.schedule.load_state_dict(last.schedule)
        self.data.seek(last.epoch, last.offset)
        self.rng.set_state(last.rng)
        checkpoints.set_global_rng(last.global_rng)
        self.step = self.saved = last.step
        self.say(f"going on from the checkpoint of step {self.step}")

    def save(self) -> None:
        """Write the checkpoint of this step."""
        taken = checkpoints.Checkpoint(
            step=self.step,
            run=self.identity,
            adapter=self.adapter.state(),
            optimizer=self.optimizer.state_dict(),
            schedule=self.schedule.state_dict(),
            epoch=self.data.epoch,
            offset=self.data.offset,
            rng=self.rng.get_state(),
            global_rng=checkpoints.global_rng(),
        )
        checkpoints.save(self.folder / "checkpoints", taken)
        self.saved = self.step

    def pause(self, hook: Callable[[int], None]) -> None:
        """Export the weights and let the caller look at the model; what it draws or switches is put back."""
        network = self.backbone.network
        network.eval()
        with self.spec.optimizer.paused(self.optimizer), torch.random.fork_rng():
            if self.step:
                now = {"ss_steps": str(self.step), "ss_epoch": str(self.data.epoch)}
                self.adapter.export(self.folder / "weights" / f"step-{self.step:08d}", self.metadata | now)
            hook(self.step)
        network.train()

    def position(self) -> dict[str, float]:
        """Where the run is, for the log."""
        return {"learning_rate": float(self.schedule.get_last_lr()[0]), "epoch": float(self.data.epoch)}
