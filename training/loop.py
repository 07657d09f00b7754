"""The training loop: the only one. What varies between runs is a block with a verb, not an `if` in here."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

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
    on_pause: Callable[[int], bool | None],
    on_ready: Callable[[Run], None] | None = None,
    metadata: Mapping[str, str] | None = None,
    say: Callable[[str], None] = nobody,
) -> Trained:
    """Train, or go on from the newest checkpoint in ``folder``: bit for bit as if it had never stopped.

    ``on_pause(step)`` is called at step 0, every ``probe_every`` steps and at the end, after the checkpoint and the
    exported weights were written, with the backbone tuned as it stands; nothing it draws or switches disturbs the run.
    Where it gives True the run ends there, and is finished.
    After a crash it is called again for the step that the run goes on from. ``on_ready`` is called once, when all is
    set up and nothing done. ``metadata`` goes into the exported files. Of several processes only the first calls back.
    """
    with Run(spec, backbone, examples, conditionings, folder, dict(metadata or {}), say) as run, stopping() as asked:
        figures = Figures(run.step, backbone.device)
        autocast = run.autocast()
        try:
            if on_ready is not None and run.peers.first:
                on_ready(run)
            enough = False
            if run.step % spec.probe_every == 0 or run.step >= spec.end:
                enough = run.peers.any(run.pause(on_pause))
            for step in range(run.step + 1, (run.step if enough else spec.end) + 1):
                losses = []
                for batch in run.draw(step):  # one, unless the step is cut into pieces or its pictures differ in shape
                    with autocast:
                        losses.append(run.loss_of_piece(batch))
                    run.scaling.up(losses[-1]).backward()  # type: ignore[no-untyped-call]
                loss = run.peers.add_up(run.trained, sum_of(losses))
                run.scaling.down(run.trained)
                norm = clip(run.trained, spec.clip_norm)
                run.optimizer.step()
                run.optimizer.zero_grad(set_to_none=True)
                run.schedule.step()
                run.adapter.after_step()
                if run.average is not None:
                    run.average.update(step)
                figures.add(loss, norm)
                run.step = step

                # once: it may change at any moment, and what is stopped must have been saved
                stop = run.peers.any(bool(asked))
                pausing = step % spec.probe_every == 0 or step == spec.end
                saving = pausing or step % spec.checkpoint_every == 0 or stop
                if saving or step % spec.log_every == 0:
                    read = figures.read(step, kept=run.saved)
                    if run.peers.first:
                        on_log(step, read | run.position())
                if saving:
                    run.save()
                if pausing:
                    enough = run.peers.any(run.pause(on_pause))
                if stop or enough:
                    break
        except torch.OutOfMemoryError as error:
            raise TrainingFailed(
                f"out of memory after step {run.step}: {error}; accumulate, gradient_checkpointing, a smaller "
                "batch_size, precision: bf16 and quantise need less"
            ) from error
        return Trained(run.step, finished=enough or run.step >= spec.end, folder=folder)


def sum_of(losses: Sequence[Tensor]) -> Tensor:
    """The loss of a step from those of its pieces, without the graph behind it."""
    total = losses[0].detach()
    for loss in losses[1:]:
        total = total + loss.detach()
    return total
