"""The words: twelve colours, and captions put together at random from what is true of a picture."""

import random
from dataclasses import dataclass

import torch
from torch import Tensor

from scripts.pocket.concepts import Concept

COLOURS = {
    "white": (255, 255, 255),
    "black": (20, 20, 20),
    "grey": (150, 150, 150),
    "red": (215, 40, 45),
    "orange": (245, 140, 35),
    "yellow": (250, 215, 60),
    "green": (65, 160, 70),
    "cyan": (75, 200, 210),
    "blue": (45, 85, 205),
    "purple": (135, 70, 185),
    "pink": (250, 160, 195),
    "brown": (125, 75, 45),
}
NAMES = tuple(COLOURS)
PALETTE = torch.tensor(list(COLOURS.values()), dtype=torch.float32) / 255


def lab(rgb: Tensor) -> Tensor:
    """Turn sRGB in 0..1, channels last, into CIE L*a*b* (D65), in which near means alike."""
    linear = torch.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055).clamp_min(1e-8) ** 2.4)
    to_xyz = rgb.new_tensor([[0.4339, 0.3763, 0.1898], [0.2126, 0.7152, 0.0722], [0.0178, 0.1095, 0.8727]])
    xyz = linear @ to_xyz.T
    f = torch.where(xyz > 0.008856, xyz.clamp_min(1e-8) ** (1 / 3), 7.787 * xyz + 16 / 116)
    x, y, z = f.unbind(-1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1)


def colour_shares(rgba: Tensor) -> Tensor:
    """(n, 12) share of each named colour in what is drawn, for straight (n, 4, h, w) pictures in 0..1."""
    pixels = rgba[:, :, 1::3, 1::3].flatten(2).transpose(1, 2)
    apart = lab(pixels[..., :3])[:, :, None] - lab(PALETTE.to(rgba.device))[None, None]
    apart[..., 0] *= 0.7  # a darker red is still red
    nearest = torch.nn.functional.one_hot((apart**2).sum(-1).argmin(-1), len(NAMES)).float()
    shares = (nearest * pixels[..., 3:]).sum(1)
    return shares / shares.sum(1, keepdim=True).clamp_min(1e-6)


def article(words: str) -> str:
    """Put "a" or "an" before the words."""
    return f"an {words}" if words[0] in "aeiou" else f"a {words}"


@dataclass(frozen=True)
class Truth:
    """All that may be said of one composed picture."""

    concept: Concept
    style: str
    colours: tuple[str, ...]
    background: str
    size: str


def usual(name: str, style: str = "", background: str = "") -> str:
    """The form that the U-Net hears most: "a noto style emoji of a frog on a blue background"."""
    subject = f"{article(style)} style emoji" if style else "an emoji"
    return f"{subject} of {article(name)}" + (f" on {article(background)} background" if background else "")


def caption(truth: Truth, rng: random.Random, named: float = 0.85) -> str:
    """A caption by chance; with probability ``1 - named`` it leaves the name out."""
    words = "emoji" if rng.random() < 0.75 else "picture"
    style = f"{truth.style} style " if rng.random() < 0.6 else ""
    size = f"{truth.size} " if truth.size and rng.random() < 0.6 else ""
    text = article(f"{size}{style}{words}")
    if rng.random() < named:
        text += f" of {article(truth.concept.name)}"
    elif rng.random() < 0.5:
        text += f" of {truth.concept.group}"
    if truth.colours and rng.random() < 0.35:
        text += ", " + " and ".join(truth.colours[: rng.choice((1, 2, 3))])
    if truth.concept.tags and rng.random() < 0.3:
        text += ", " + ", ".join(rng.sample(truth.concept.tags, min(len(truth.concept.tags), rng.choice((1, 2, 3)))))
    if rng.random() < 0.1:
        text += f", {truth.concept.group}"
    if rng.random() < (0.3 if truth.background == "white" else 0.6):
        text += f" on {article(truth.background)} background"
    return text


NAME_FORMS = ("{n}", "{a}", "an emoji of {a}", "a picture of {a}")


def name_caption(name: str, rng: random.Random) -> str:
    """Only the name, in one of a few forms."""
    return rng.choice(NAME_FORMS).format(n=name, a=article(name))


GROUP_FORMS = ("an emoji of {}", "{}", "an emoji, {}", "a picture of {}")
GROUND_FORMS = ("an emoji on {} background", "on {} background", "a picture on {} background", "{} background")
COLOUR_FORMS = ("an emoji, {}", "{}", "a picture, {}", "{} emoji")


def group_captions(groups: tuple[str, ...], form: str = GROUP_FORMS[0]) -> list[str]:
    """One caption per group that says nothing else."""
    return [form.format(group) for group in groups]


def background_captions(form: str = GROUND_FORMS[0]) -> list[str]:
    """One caption per background colour that says nothing else."""
    return [form.format(article(name)) for name in NAMES]


def colour_captions(form: str = COLOUR_FORMS[0]) -> list[str]:
    """One caption per colour of the drawing that says nothing else."""
    return [form.format(name) for name in NAMES]
