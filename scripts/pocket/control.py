"""A ControlNet for the pocket base (Zhang et al. 2023): it learns to draw along line art of the base's own pictures.

The base stays as it is in its folder; only the ControlNet learns. Half of its pictures are those of the U-Net in many
places, half are the VAE's, of more shapes than the U-Net knows; half of the captions are empty, so that lines count.
"""

import random
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from augment.generators.lineart import Lineart
from backbones.backbone import Backbone
from backbones.control import folder_of_control
from backbones.quiet import offline_and_quiet
from core.errors import MissingBase, RecipeError
from core.pixels import Pixels
from scripts.pocket.captions import NAMES, usual
from scripts.pocket.compose import Look, compose
from scripts.pocket.data import Data, tensor
from scripts.pocket.pictures import Pictures
from scripts.pocket.training import Budget, Run, averaged, device

LOOK = Look(scale=(0.5, 1.05), shift=0.1, rotation=15, white=0.5, mirror=0.5)
VARIANTS = 12  # of each of the U-Net's pictures; as many others come from the VAE's
UNCAPTIONED = 0.5
BATCH = 16
LINES = Lineart(detector="canny")  # `lineart_standard` sees dark lines only; most of these pictures have no outlines
EMBEDDING = (16, 32, 64)  # channels on the way from pixels to latents: a step of two between each, so 4 pixels a latent


@dataclass(frozen=True)
class Lessons:
    """Latents (n, 4, h, w) as the base scales them, line art (n, H, W), and for each the row of its text states."""

    latents: Tensor
    lines: Tensor
    """uint8, light on dark"""
    rows: Tensor
    texts: Tensor
    """(m, 77, width), the first of the empty caption"""

    def batch(self, rng: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Latents, lines (b, 3, H, W) in 0..1 and text states of some of them, drawn by chance."""
        picked = torch.randint(len(self.latents), (BATCH,), generator=rng)
        said = torch.where(torch.rand(BATCH, generator=rng) < UNCAPTIONED, 0, self.rows[picked])
        lines = self.lines[picked, None].expand(-1, 3, -1, -1).float() / 255
        return self.latents[picked], lines, self.texts[said].float()


def drawn_lines(picture: Pixels) -> Pixels:
    """(H, W) line art, light on dark, as the generator `lineart_to_image` hands it over with `detector: canny`."""
    lines: Pixels = 255 - LINES.drawing(picture, 0).pixels[..., 0]
    return lines


def lessons_of(pictures: Pictures, names: dict[str, str], base: Backbone, variants: int, seed: int) -> Lessons:
    """Each picture in some places and on some grounds, encoded and drawn as lines; captions name what they show."""
    rng, numbers = random.Random(f"control {seed}"), torch.Generator().manual_seed(seed)
    drawings, latents, lines, said = tensor(pictures), [], [], []
    for _ in range(variants):
        made = compose(drawings, LOOK, numbers)
        pixels = list((made.pixels * 255).round().byte().permute(0, 2, 3, 1).numpy())
        latents.append(base.encode_pictures(pixels))
        lines += [drawn_lines(picture) for picture in pixels]
        for style, code, ground in zip(pictures.styles, pictures.codes, made.background.tolist(), strict=True):
            said.append(usual(names[code], rng.choice((style, "")), NAMES[ground] if ground else ""))
    texts = {text: row for row, text in enumerate(["", *sorted(set(said))])}
    rows = torch.tensor([texts[text] for text in said])
    return Lessons(torch.cat(latents), torch.from_numpy(np.stack(lines)), rows, states(base, list(texts)))


def states(base: Backbone, texts: list[str]) -> Tensor:
    """What the base's text encoder makes of them; half precision, since there are thousands."""
    parts = [base.encode_text(texts[start : start + 64])["hidden"].half().cpu() for start in range(0, len(texts), 64)]
    return torch.cat(parts)


def joined(first: Lessons, second: Lessons) -> Lessons:
    """Both, one after the other."""
    rows = torch.where(second.rows == 0, 0, second.rows + len(first.texts))
    pairs = ((first.latents, second.latents), (first.lines, second.lines), (first.rows, rows))
    latents, lines, all_rows = (torch.cat(pair) for pair in pairs)
    return Lessons(latents, lines, all_rows, torch.cat([first.texts, second.texts]))


def lessons(data: Data, base: Backbone) -> Lessons:
    """The lessons on disk, made at the first call for this base."""
    path = data.folder / f"control-{base.fingerprint('vae')[:8]}-{base.fingerprint('text')[:8]}.pt"
    if not path.exists():
        names = {concept.code: concept.name for concept in data.concepts}
        drawn, seen = data.for_unet(), data.for_vae()
        count = min(len(seen.codes), VARIANTS * len(drawn.codes))
        more = seen.take(sorted(random.Random("control").sample(range(len(seen.codes)), count)))
        made = joined(lessons_of(drawn, names, base, VARIANTS, 0), lessons_of(more, names, base, 1, 1))
        torch.save(vars(made), path)
    return Lessons(**torch.load(path, weights_only=True))


def build(base: Backbone) -> nn.Module:
    """A copy of the base's way down; all that it adds begins at zero, so that it changes nothing yet."""
    offline_and_quiet()
    from diffusers import ControlNetModel
    from diffusers.models.attention_processor import AttnProcessor

    if base.latent_scale != 2 ** (len(EMBEDDING) - 1):
        raise RecipeError(f"{base.folder}: {base.latent_scale} pixels a latent; this ControlNet is for the pocket base")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network: nn.Module = ControlNetModel.from_unet(base.network, conditioning_embedding_out_channels=EMBEDDING)  # type: ignore[arg-type]
    if device().type == "cpu":  # its backward pass is faster there
        network.set_attn_processor(AttnProcessor())  # type: ignore[operator]
        base.network.set_attn_processor(AttnProcessor())  # type: ignore[operator]
    return network


def loss(base: Backbone, control: nn.Module, batch: tuple[Tensor, Tensor, Tensor], rng: torch.Generator) -> Tensor:
    """Squared error of the noise. Noisy times are drawn more often: there it is decided what goes where."""
    place = device()
    latents, lines, texts = (part.to(place) for part in batch)
    last = len(base.alphas_cumprod) - 1
    t = (last * torch.rand(len(latents), generator=rng).sqrt()).round().long().to(place)
    noise = torch.randn(latents.shape, generator=rng).to(place)
    kept = base.alphas_cumprod[t][:, None, None, None]
    x_t = kept.sqrt() * latents + (1 - kept).sqrt() * noise
    with torch.autocast(place.type, torch.bfloat16):
        down, middle = control(x_t, t, texts, lines, return_dict=False)
        made: Any = base.network(
            x_t, t, texts, down_block_additional_residuals=down, mid_block_additional_residual=middle
        )
    return F.mse_loss(made.sample.float(), noise)


def train(given: Lessons, base: Backbone, path: Path, budget: Budget) -> nn.Module:
    """From a new start, or from where the state in ``path`` stopped; the network with its averaged weights."""
    base.network.requires_grad_(False)
    control = build(base).to(device()).train()
    optimizer = torch.optim.AdamW(control.parameters(), lr=1e-3, betas=(0.9, 0.99), weight_decay=0.01)
    run = Run(path, control, optimizer, budget, decay=0.995)
    for rng in run.steps("control"):
        value = loss(base, control, given.batch(rng), rng)
        torch.autograd.backward(value)
        nn.utils.clip_grad_norm_(control.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        run.note(value.item())
    control.load_state_dict(averaged(path))
    return control.eval()


def export(control: nn.Module, target: Path) -> None:
    """Write it as diffusers does, in half precision, beside ``target``, then swap. Only a ControlNet is replaced."""
    if target.exists():
        try:
            folder_of_control(str(target))
        except MissingBase as error:
            raise RecipeError(
                f"{target} is there already and is no ControlNet; name another folder ({error})"
            ) from None
    writing, old = (target.with_name(f".{target.name}.{word}") for word in ("writing", "old"))
    for left in (writing, old):
        shutil.rmtree(left, ignore_errors=True)
    control.half().save_pretrained(writing, safe_serialization=True)  # type: ignore[operator]
    for path in writing.rglob("*.safetensors"):
        path.chmod(0o644)
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        target.replace(old)
    writing.replace(target)
    shutil.rmtree(old, ignore_errors=True)


def make(data: Data, folder: Path, budget: Budget) -> Path:
    """Train on the base in ``folder``, and write the ControlNet where `lineart_to_image` can be pointed at."""
    from backbones.family import family_of

    base = family_of(str(folder)).load(device=str(device()))
    target = data.folder / "control"
    export(train(lessons(data, base), base, data.folder / "control.pt", budget), target)
    print(f"{target}: for the generator lineart_to_image, `controlnet: {target}` with `lines: {{detector: canny}}`")
    return target
