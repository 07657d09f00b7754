"""The model card's figures, measured on the exported folder through the stock loaders."""

import json
import random
from pathlib import Path

import open_clip
import torch
from diffusers import AutoencoderKL
from open_clip.model import CLIP
from torch import Tensor

from scripts.pocket.captions import article, background_captions, group_captions
from scripts.pocket.compose import Look, compose
from scripts.pocket.concepts import GROUPS
from scripts.pocket.data import BASE_STYLES, Data, tensor
from scripts.pocket.pictures import Pictures

PLAIN = Look(scale=(1.0, 1.0), shift=0.0, white=1.0)
COLOURED = Look(scale=(0.7, 1.0), shift=0.1, white=1 / 12)
AMONG = 400


class Clip:
    """The exported CLIP behind open_clip's own loader and tokenizer."""

    def __init__(self, folder: Path) -> None:
        """Load from ``folder``/clip."""
        name = f"local-dir:{folder / 'clip'}"
        model, _, _ = open_clip.create_model_and_transforms(name, precision="fp32")
        self.model: CLIP = model.eval()
        self.tokenizer = open_clip.get_tokenizer(name)

    @torch.no_grad()
    def pictures(self, pixels: Tensor) -> Tensor:
        """Normalised features of pictures in 0..1."""
        return torch.cat([self.model.encode_image(part * 2 - 1, normalize=True) for part in torch.split(pixels, 128)])

    @torch.no_grad()
    def texts(self, texts: list[str]) -> Tensor:
        """Normalised features of texts."""
        return torch.cat(
            [self.model.encode_text(part, normalize=True) for part in torch.split(self.tokenizer(texts), 128)]
        )


def psnr(vae: AutoencoderKL, pictures: Pictures) -> float:
    """Mean over pictures of the round trip's signal to noise, dB; on white, half of them also on colours."""
    x = compose(tensor(pictures), Look(scale=(0.8, 1.0), shift=0.05), torch.Generator().manual_seed(5)).pixels
    with torch.no_grad():
        y = torch.cat([vae.decode(vae.encode(part * 2 - 1).latent_dist.mean).sample for part in torch.split(x, 64)])
    error = ((y.clamp(-1, 1) / 2 + 0.5 - x) ** 2).mean((1, 2, 3))
    return float((-10 * error.log10()).mean())


def clip_figures(data: Data, clip: Clip) -> dict[str, float]:
    """Retrieval among 400 names, groups, backgrounds: on Twemoji's unseen half and on OpenMoji."""
    codes = sorted(data.unseen_twemoji)
    codes = random.Random("among").sample(codes, AMONG)
    names = clip.texts([f"an emoji of {article(data.by_code[code].name)}" for code in codes])
    group_names = tuple(GROUPS.values())
    groups, grounds = clip.texts(group_captions(group_names)), clip.texts(background_captions())
    figures: dict[str, float] = {}
    for style in ("twemoji", "openmoji"):
        pictures = data.pictures.where({style}, set(codes))
        drawings = tensor(pictures)
        plain = clip.pictures(compose(drawings, PLAIN, torch.Generator().manual_seed(1)).pixels)
        truth = torch.tensor([codes.index(code) for code in pictures.codes])
        ranked = (plain @ names.T).argsort(descending=True)
        for k in (1, 5):
            figures[f"{style} R@{k}"] = float((ranked[:, :k] == truth[:, None]).any(1).float().mean())
        of_group = torch.tensor([group_names.index(data.by_code[code].group) for code in pictures.codes])
        figures[f"{style} group"] = float(((plain @ groups.T).argmax(1) == of_group).float().mean())
        made = compose(drawings, COLOURED, torch.Generator().manual_seed(2))
        told = (clip.pictures(made.pixels) @ grounds.T).argmax(1)
        figures[f"{style} background"] = float((told == made.background).float().mean())
    return figures


def vae_figures(data: Data, vae: AutoencoderKL) -> dict[str, float]:
    """Round trips of concepts that it never saw, in styles it did, and of a style it never saw."""
    known = data.pictures.where(set(BASE_STYLES), data.held_out)
    unseen = data.pictures.where({"openmoji"}, set(random.Random("vae").sample(sorted(data.codes), 200)))
    return {"held-out concepts PSNR": psnr(vae, known), "openmoji PSNR": psnr(vae, unseen)}


def evaluate(data: Data, folder: Path) -> dict[str, float]:
    """All figures, printed and kept in ``figures.json`` beside the training states."""
    torch.set_grad_enabled(False)
    vae = AutoencoderKL.from_pretrained(str(folder / "vae")).eval()
    figures = {**clip_figures(data, Clip(folder)), **vae_figures(data, vae)}
    figures["size MB"] = sum(path.stat().st_size for path in folder.rglob("*.*") if path.suffix != ".png") / 1e6
    (data.folder / "figures.json").write_text(json.dumps(figures, indent=2) + "\n")
    for name, value in figures.items():
        print(f"{name:28} {value:.3f}")
    return figures
