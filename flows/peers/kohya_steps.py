"""How long kohya's configuration trains, in optimizer steps: from epochs where it counts in those."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from core.errors import VelaturaError
from curation.source import Source
from flows.peers.draft import Draft


def put_steps(draft: Draft, config: Path) -> int:
    """Batch, pieces and steps; the steps, or our default where epochs of unknown pictures are asked for."""
    from training.spec import Train

    batch = draft.whole("train_batch_size", "batch_size") or 1
    pieces = draft.whole("gradient_accumulation_steps") or 1
    draft.put("train.batch_size", batch * pieces)
    draft.put("train.accumulate", pieces if pieces > 1 else None)
    steps, epochs = draft.whole("max_train_steps"), draft.number("max_train_epochs") or draft.number("epoch")
    draft.take("max_train_epochs", "epoch")
    if draft.values.get("max_train_epochs") not in (None, "", 0, "0"):
        steps = None  # as in kohya, epochs win
    if not steps and epochs:
        shown = shown_in_an_epoch(draft.recipe["pictures"], config)
        if shown:
            steps = math.ceil(math.ceil(shown / batch) * epochs / pieces)
            draft.notes.append(f"train.steps: {epochs:g} epochs of {shown} showings are {steps} steps")
        else:
            draft.left["max_train_epochs"] = epochs, "the pictures are not there to be counted: set train.steps"
    draft.put("train.steps", steps)
    return steps or int(Train.model_fields["steps"].default)


def shown_in_an_epoch(pictures: dict[str, Any], config: Path) -> int:
    """Repeats counted; 0 where the pictures cannot be read."""
    for path in dict.fromkeys((pictures["path"], str(config.parent / str(pictures["path"])))):
        try:
            return round(sum(one.weight for one in Source.parse({**pictures, "path": path}).pictures()))
        except (VelaturaError, OSError):
            continue
    return 0
