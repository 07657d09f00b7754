"""A tiny random base, and a ControlNet of its shape that lines do move."""

from pathlib import Path

import pytest
import torch

from augment import models
from backbones.quiet import offline_and_quiet
from tests.backbones.tiny import make_sd15


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_sd15(tmp_path_factory.mktemp("bases") / "sd15", layers=1)


@pytest.fixture(scope="session")
def controlnet(tiny_base: Path) -> Path:
    offline_and_quiet()
    from diffusers import ControlNetModel, UNet2DConditionModel

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        network = ControlNetModel.from_unet(UNet2DConditionModel.from_pretrained(tiny_base / "unet"))
        for layer in (*network.controlnet_down_blocks, network.controlnet_mid_block):
            torch.nn.init.normal_(layer.weight, std=0.3)  # they begin at zero: an untrained one changes nothing
        torch.nn.init.normal_(network.controlnet_cond_embedding.conv_out.weight, std=0.3)
    folder = tiny_base.parent / "controlnet"
    network.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module", autouse=True)
def _nothing_stays_loaded() -> object:
    yield
    models.let_go()
