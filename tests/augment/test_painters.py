"""Generators that draw with a base: on a tiny random one, since it is their doing and not their art that is tested."""

import json
import multiprocessing
import shutil
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from augment.generator import Generator, Parent
from augment.generators.from_base import FromBase
from augment.generators.img2img import Img2img
from augment.generators.lineart_to_image import LineartToImage
from core.errors import MissingBase, RecipeError
from core.marks import REGULARISATION
from core.seeding import generator
from tests.augment.things import a_picture, a_record, generated_in_another_process

BATCH: list[Parent] = [(a_record(n), a_picture(n, 80 + 60 * (n - 1), 64), f"a red cat {n}") for n in (1, 2)]


def block(kind: str, tiny_base: Path, controlnet: Path, **more: Any) -> Generator:
    own = {"controlnet": str(controlnet)} if kind == "lineart_to_image" else {}
    return Generator.parse({"kind": kind, "base": str(tiny_base), "steps": 2, **own, **more})


@pytest.mark.parametrize("kind", ["img2img", "from_base", "lineart_to_image"])
def test_a_picture_follows_from_its_parent_caption_and_seed_alone(kind: str, tiny_base: Path, controlnet: Path) -> None:
    one = block(kind, tiny_base, controlnet)
    one.check()
    assert one.imagines
    assert one.resembles
    together = one.generate(BATCH, [generator(1), generator(2)])
    ((alone),) = one.generate(BATCH[1:], [generator(2)])
    np.testing.assert_array_equal(together[1].pixels, alone.pixels)
    assert together[1].drawn == alone.drawn
    assert {"seed", "steps", "guidance", "base"} <= alone.drawn.keys()
    ((other),) = one.generate(BATCH[1:], [generator(3)])
    assert not np.array_equal(other.pixels, alone.pixels)
    assert alone.pixels.dtype == np.uint8
    assert Generator.parse(one.dump()).fingerprint == one.fingerprint


def test_what_is_drawn_is_the_same_in_another_process(tiny_base: Path, controlnet: Path) -> None:
    blocks = [block(kind, tiny_base, controlnet).dump() for kind in ("img2img", "from_base", "lineart_to_image")]
    blocks.append({"kind": "lineart"})
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        there = pool.submit(generated_in_another_process, blocks).result()
    assert generated_in_another_process(blocks) == there


def test_img2img_goes_further_at_higher_strength(tiny_base: Path) -> None:
    wide: Parent = (a_record(), a_picture(1, 140, 70), "a red cat")
    near, far = (
        Img2img(base=str(tiny_base), steps=10, strength=(s, s), guidance=1).generate([wide], [generator(1)])[0]
        for s in (0.1, 1.0)
    )
    assert near.pixels.shape == (64, 64, 3)  # the base's own size
    assert near.drawn["strength"] == 0.1
    again = Img2img(base=str(tiny_base), steps=10, strength=(0.05, 0.1), guidance=1).generate([wide], [generator(1)])[0]
    first = near.pixels.astype(float)
    assert np.abs(again.pixels - first).mean() < np.abs(far.pixels - first).mean()


@pytest.mark.parametrize("strength", [(0, 0.5), (0.5, 0.4), (0.5, 1.1)])
def test_strengths_that_are_no_share_are_refused(strength: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="low <= high <= 1"):
        Img2img(strength=strength)


def test_class_pictures_are_of_the_prompts_and_marked_for_prior_preservation(tiny_base: Path) -> None:
    one = FromBase(base=str(tiny_base), steps=1, prompts=("a dog", "a wolf"))
    made = one.generate(BATCH * 3, [generator(n) for n in range(6)])
    assert {one.caption("my dog rex", what.drawn) for what in made} == {"a dog", "a wolf"}
    assert one.tags(("rex", "keep_tokens=1")) == (REGULARISATION,)
    assert not one.resembles
    plain = FromBase(base=str(tiny_base), steps=1)
    assert plain.tags(("rex",)) == ("rex",)
    assert plain.caption("my dog rex", {}) == "my dog rex"
    with pytest.raises(ValueError, match="one of them is empty"):
        FromBase(prompts=("a dog", " "))


def test_lines_move_what_is_drawn_and_none_are_a_refusal(tiny_base: Path, controlnet: Path) -> None:
    bound, free = (
        LineartToImage(base=str(tiny_base), steps=2, controlnet=str(controlnet), scale=scale) for scale in (1.0, 0.0)
    )
    with_lines = bound.generate(BATCH[:1], [generator(1)])[0]
    without = free.generate(BATCH[:1], [generator(1)])[0]
    assert not np.array_equal(with_lines.pixels, without.pixels)
    flat: Parent = (a_record(), np.full((64, 64, 3), 200, np.uint8), "nothing")
    (refused,) = bound.generate([flat], [generator(1)])
    assert refused.refused is not None
    assert refused.refused.code == "no_lines"


@pytest.mark.parametrize("lines", [{"detector": "canny"}, {"kind": "lineart", "detector": "canny"}])
def test_the_way_lines_are_found_can_be_said_with_or_without_its_kind(lines: dict[str, str]) -> None:
    one = LineartToImage(controlnet="x", lines=lines)  # type: ignore[arg-type]
    assert one.lines.detector == "canny"
    with pytest.raises(RecipeError, match="detector"):
        Generator.parse({"kind": "lineart_to_image", "controlnet": "x", "lines": {"detector": "sobel"}})


def test_a_controlnet_that_is_not_there_or_not_of_the_bases_shape_is_told(
    tiny_base: Path, controlnet: Path, tmp_path: Path
) -> None:
    with pytest.raises(MissingBase, match="controlnet: there is no folder /nowhere"):
        LineartToImage(controlnet="/nowhere").check()
    with pytest.raises(MissingBase, match="config.json"):
        LineartToImage(controlnet=str(tmp_path)).check()
    with pytest.raises(MissingBase, match="holds a UNet2DConditionModel; expected a ControlNetModel"):
        LineartToImage(controlnet=str(tiny_base / "unet")).check()
    with pytest.raises(RecipeError, match="cross_attention_dim 32, the base .* has 192"):
        LineartToImage(controlnet=str(controlnet), steps=1).generate(BATCH[:1], [generator(1)])


def test_other_weights_under_the_same_name_are_another_fingerprint(tiny_base: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(tiny_base, tmp_path / "base")
    before = Img2img(base=str(copy)).fingerprint
    config = copy / "unet" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "sample_size": 16}))
    assert Img2img(base=str(copy)).fingerprint != before


def test_a_base_that_is_not_there_is_told_before_anything_begins() -> None:
    with pytest.raises(MissingBase, match="no folder /nowhere"):
        Img2img(base="/nowhere").check()
