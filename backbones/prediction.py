"""What a network predicts, the noise or v: as its single file says it, or else as the network itself shows it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backbones.backbone import Backbone

WORDS = {"v": "v_prediction", "v_prediction": "v_prediction", "epsilon": "epsilon", "eps": "epsilon"}
"""as modelspec and others write them"""


def said_prediction(path: Path, metadata: Mapping[str, str], names: Collection[str]) -> dict[str, Any]:
    """What the file says for the scheduler's configuration; empty where it says nothing.

    It may stand in the metadata (modelspec), as tensors called ``v_pred`` and ``ztsnr`` that hold nothing, or in the
    original's configuration beside the file (``model.yaml`` beside ``model.safetensors``).
    """
    # zero-terminal SNR: the last timestep is pure noise, so samplers must begin at it
    ends = {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"} if "ztsnr" in names else {}
    if "v_pred" in names:
        return {"prediction_type": "v_prediction", **ends}
    if word := WORDS.get(metadata.get("modelspec.prediction_type", "")):
        return {"prediction_type": word, **ends}
    beside = path.with_suffix(".yaml")
    text = beside.read_text(errors="replace") if beside.is_file() else ""
    if found := re.search(r"parameterization:\s*[\"']?(\w+)", text):
        return {"prediction_type": WORDS.get(found[1], "epsilon"), **ends}
    # of a base that predicts epsilon it says nothing
    return {"prediction_type": "epsilon", **ends} if "target: ldm." in text else ends


def shown_prediction(backbone: Backbone) -> str:
    """What the loaded network predicts, by what it answers to pure noise at the last timestep.

    A network that predicts the noise gives it back there (correlation near 1), one that predicts
    v = sqrt(a) noise - sqrt(1 - a) x hardly any of it (near sqrt(a), .07).
    """
    import torch

    with torch.no_grad():
        noise = torch.randn(1, 4, 32, 32, generator=torch.Generator().manual_seed(0)).to(backbone.device)
        last = torch.tensor([backbone.timesteps - 1], device=backbone.device)
        answer = backbone.predict(noise, last, backbone.encode_text([""])).float()
        likeness = torch.corrcoef(torch.stack([noise.flatten(), answer.flatten()]))[0, 1]
    return "epsilon" if float(likeness) > 0.5 else "v_prediction"
