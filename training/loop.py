"""The training loop: the only one. What varies between runs is a block with a verb, not an `if` in here."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch

from backbones.backbone import Backbone, Conditioning
from core.errors import TrainingFailed
from training.clipping import clip
from training.data import Example
from training.figures import Figures
from training.run import Run, Trained
from training.spec import Train
from training.stopping import stopping


def nobody(_words: str) -> None:
    """Hears nothing."""


def train(
    spec: Train,
    backbone: Backbone,
    examples: Sequence[Example],
    conditionings: Mapping[str, Conditioning],
    folder: Path,
    *,
    on_log: Callable[[int, dict[str, float]], None],
    on_pause: Callable[[int], None],
    metadata: Mapping[str, str] | None = None,
    say: Callable[[str], None] = nobody,
) -> Trained:
    """Train, or go on from the newest checkpoint in ``folder``: bit for bit as if it had never stopped.

    ``on_pause(step)`` is called at step 0, every ``probe_every`` steps and at the end, after the checkpoint and the
    exported weights were written, with the backbone tuned as it stands; nothing it draws or switches disturbs the run.
    After a crash it is called again for the step that the run goes on from. ``metadata`` goes into the exported files.
    """
    with Run(spec, backbone, examples, conditionings, folder, dict(metadata or {}), say) as run, stopping() as asked:
        figures = Figures(run.step, backbone.device)
        autocast = torch.autocast(backbone.device, torch.bfloat16, enabled=spec.precision == "bf16")
        if run.step % spec.probe_every == 0 or run.step == spec.steps:
            run.pause(on_pause)
        try:
            for step in range(run.step + 1, spec.steps + 1):
                batch = run.draw(step)
                with autocast:
                    loss = run.loss_of(batch, run.rng)
                loss.backward()  # type: ignore[no-untyped-call]
                norm = clip(run.trained, spec.clip_norm)
                run.optimizer.step()
                run.optimizer.zero_grad(set_to_none=True)
                run.schedule.step()
                run.adapter.after_step()
                figures.add(loss.detach(), norm)
                run.step = step

                stop = bool(asked)  # once: it may change at any moment, and what is stopped must have been saved
                pausing = step % spec.probe_every == 0 or step == spec.steps
                saving = pausing or step % spec.checkpoint_every == 0 or stop
                if saving or step % spec.log_every == 0:
                    on_log(step, figures.read(step, kept=run.saved) | run.position())
                if saving:
                    run.save()
                if pausing:
                    run.pause(on_pause)
                if stop:
                    break
        except torch.OutOfMemoryError as error:
            raise TrainingFailed(
                f"out of memory after step {run.step}: {error}; a smaller batch_size or precision: bf16 needs less"
            ) from error
        return Trained(run.step, finished=run.step == spec.steps, folder=folder)
