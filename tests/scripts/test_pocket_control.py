"""The pocket ControlNet: three steps of its training on a few discs and squares, on the pocket base itself."""

import signal
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from augment.generators.lineart_to_image import LineartToImage
from backbones.backbone import Backbone
from backbones.family import family_of
from core.errors import RecipeError
from core.pixels import Pixels
from core.seeding import generator
from scripts.pocket import control
from scripts.pocket.control import Lessons, build, drawn_lines, export, joined, lessons_of, loss, train
from scripts.pocket.follows import agreement
from scripts.pocket.pictures import Pictures
from scripts.pocket.training import Budget
from tests.augment.things import a_record

NAMES = {"1": "soccer ball", "2": "house"}


@pytest.fixture(scope="module", autouse=True)
def _small_batches() -> object:
    before, control.BATCH = control.BATCH, 2
    yield
    control.BATCH = before


@pytest.fixture(scope="module")
def base() -> Backbone:
    return family_of("pocket").load()


@pytest.fixture(scope="module")
def lessons(base: Backbone) -> Lessons:
    ball, house = Image.new("RGBA", (64, 64)), Image.new("RGBA", (64, 64))
    ImageDraw.Draw(ball).ellipse((10, 10, 54, 54), fill="red")
    ImageDraw.Draw(house).rectangle((12, 20, 50, 60), fill="blue")
    drawn = Pictures(np.stack([np.asarray(ball), np.asarray(house)]), ["noto", "twemoji"], list(NAMES))
    first, second = (lessons_of(drawn, NAMES, base, 1, seed) for seed in (0, 1))
    return joined(first, second)


@dataclass(frozen=True)
class Stopped(Lessons):
    """Somebody ends the process at the second step."""

    def batch(self, rng: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        asked.append(1)
        if len(asked) == 2:
            signal.raise_signal(signal.SIGTERM)
        return super().batch(rng)


asked: list[int] = []


def test_lessons_are_lines_light_on_dark_with_the_text_that_names_them(lessons: Lessons, base: Backbone) -> None:
    assert lessons.latents.shape == (4, 4, 16, 16)
    assert lessons.lines.shape == (4, 64, 64)
    assert 0.01 < float((lessons.lines > 64).float().mean()) < 0.5
    assert (lessons.rows > 0).all()
    empty = base.encode_text([""])["hidden"][0]
    torch.testing.assert_close(lessons.texts[0].float(), empty, atol=2e-3, rtol=0)
    latents, lines, texts = lessons.batch(torch.Generator().manual_seed(1))
    assert (latents.shape, lines.shape, texts.shape) == ((2, 4, 16, 16), (2, 3, 64, 64), (2, 77, 192))
    assert lines.max() <= 1


def test_it_changes_nothing_before_it_has_learned(lessons: Lessons, base: Backbone) -> None:
    network = build(base)
    x_t, t, texts = torch.randn(1, 4, 16, 16), torch.tensor([500]), lessons.texts[:1].float()
    down, middle = network(x_t, t, texts, torch.rand(1, 3, 64, 64), return_dict=False)
    assert max(float(part.abs().max()) for part in (*down, middle)) == 0


def test_training_that_was_stopped_ends_as_if_it_had_not_been_and_draws(
    lessons: Lessons, base: Backbone, tmp_path: Path
) -> None:
    handler = signal.getsignal(signal.SIGTERM)
    try:
        whole = train(lessons, base, tmp_path / "whole.pt", Budget(steps=3)).state_dict()
        with pytest.raises(SystemExit, match="goes on from there"):
            train(Stopped(**vars(lessons)), base, tmp_path / "parts.pt", Budget(steps=3))
        network = train(lessons, base, tmp_path / "parts.pt", Budget(steps=3))
    finally:
        signal.signal(signal.SIGTERM, handler)
    for key, value in network.state_dict().items():
        torch.testing.assert_close(value, whole[key], atol=0, rtol=0)
    assert not any(parameter.requires_grad for parameter in base.network.parameters())
    rng = torch.Generator().manual_seed(0)
    assert float(loss(base, network, lessons.batch(rng), rng).detach()) > 0
    export(network, tmp_path / "control")
    export(network, tmp_path / "control")  # again: the old one is a ControlNet and may go
    block = LineartToImage(controlnet=str(tmp_path / "control"), steps=2)
    block.check()
    picture = np.asarray(Image.new("RGB", (128, 128), "white")).copy()
    picture[30:90, 40:100] = 20
    (made,) = block.generate([(a_record(), picture, "an emoji of a house")], [generator(1)])
    assert made.refused is None
    assert made.pixels.shape == (64, 64, 3)


def test_a_folder_that_is_something_else_stays(base: Backbone, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep me")
    with pytest.raises(RecipeError, match="is no ControlNet; name another folder"):
        export(build(base), tmp_path / "mine")
    assert (tmp_path / "mine" / "notes.txt").read_text() == "keep me"


def ring(radius: int, shift: int = 0) -> Pixels:
    image = Image.new("L", (64, 64))
    ImageDraw.Draw(image).ellipse((32 - radius + shift, 32 - radius, 32 + radius + shift, 32 + radius), outline=255)
    return np.asarray(image)


def test_agreement_is_one_for_the_same_lines_and_falls_with_what_is_beside_or_more() -> None:
    assert agreement(ring(20), ring(20)) == 1
    assert agreement(ring(20), ring(20, shift=1)) == 1  # a pixel beside is the same line
    assert agreement(ring(20), ring(20, shift=8)) < 0.4
    both = np.maximum(ring(20), ring(10))
    assert 0.7 < agreement(ring(20), both) < 0.9  # all that was asked for, and more
    assert agreement(ring(20), np.zeros((64, 64), np.uint8)) == 0


def test_line_art_is_the_same_that_the_generator_hands_over() -> None:
    picture = np.full((64, 64, 3), 255, np.uint8)
    picture[16:48, 16:48] = (200, 30, 30)
    lines = drawn_lines(picture)
    assert lines.shape == (64, 64)
    assert lines[16:48, 14:18].max() > 64
    assert lines[:8].max() < 32
