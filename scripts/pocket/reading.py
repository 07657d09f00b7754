"""Numbered grids of samples with shuffled names, for somebody who did not see the prompts to match."""

import json
import random
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline
from PIL import Image, ImageDraw

from scripts.pocket.captions import usual
from scripts.pocket.concepts import DRAWN
from scripts.pocket.data import BASE_STYLES

STEPS = 25
GUIDANCE = 4.0
CELL = 128


def load(folder: Path) -> StableDiffusionPipeline:
    """The exported base through the stock loader, in fp32."""
    pipeline = StableDiffusionPipeline.from_pretrained(str(folder), torch_dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def sample(pipeline: StableDiffusionPipeline, prompts: list[str], seed: int) -> list[Image.Image]:
    """One picture of each prompt; picture i starts from seed + i."""
    generators = [torch.Generator().manual_seed(seed + i) for i in range(len(prompts))]
    made = pipeline(
        prompts, height=64, width=64, num_inference_steps=STEPS, guidance_scale=GUIDANCE, generator=generators
    )
    images: list[Image.Image] = made.images
    return images


def grid(images: list[Image.Image], columns: int, numbered: bool = False) -> Image.Image:
    """Side by side, twice as large, with numbers from 1 if wished."""
    rows = -(-len(images) // columns)
    edge = CELL + 8
    page = Image.new("RGB", (columns * edge, rows * edge), "grey")
    pen = ImageDraw.Draw(page)
    for i, image in enumerate(images):
        x, y = i % columns * edge + 4, i // columns * edge + 4
        page.paste(image.resize((CELL, CELL), Image.Resampling.BICUBIC), (x, y))
        if numbered:
            pen.rectangle((x, y, x + 18, y + 13), fill="white")
            pen.text((x + 3, y + 1), str(i + 1), fill="black")
    return page


def grids(folder: Path, out: Path, count: int = 3, size: int = 16) -> None:
    """``gridN.png``, ``namesN.txt`` (shuffled) and ``answersN.json``: concepts by seed, none in two grids."""
    pipeline = load(folder)
    rng = random.Random("reading")
    names = rng.sample(DRAWN, count * size)
    out.mkdir(parents=True, exist_ok=True)
    for n in range(count):
        shown = names[n * size : (n + 1) * size]
        prompts = [usual(name, rng.choice(BASE_STYLES)) for name in shown]
        grid(sample(pipeline, prompts, seed=1000 * (n + 1)), 4, numbered=True).save(out / f"grid{n + 1}.png")
        (out / f"names{n + 1}.txt").write_text("\n".join(rng.sample(shown, size)) + "\n")
        answers = {str(i + 1): {"name": name, "prompt": prompts[i]} for i, name in enumerate(shown)}
        (out / f"answers{n + 1}.json").write_text(json.dumps(answers, indent=2) + "\n")
