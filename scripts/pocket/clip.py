"""The CLIP: a small ResNet and the text encoder, taught on captions, names, groups, colours and grounds.

First both towers learn, drawn to one proxy per concept; then the text tower is locked (it is quick to learn and the
U-Net is built on it) and the pictures go on learning to find its words (locked-text tuning, after Zhai et al. 2022).
"""

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from open_clip.model import CLIP
from torch import Tensor, nn

from scripts.pocket.captions import (
    COLOUR_FORMS,
    GROUND_FORMS,
    GROUP_FORMS,
    NAME_FORMS,
    NAMES,
    Truth,
    article,
    background_captions,
    caption,
    colour_captions,
    group_captions,
    name_caption,
)
from scripts.pocket.compose import Composed, Look, compose
from scripts.pocket.concepts import GROUPS
from scripts.pocket.data import Data, tensor
from scripts.pocket.tokenizer import CONTEXT, SIZE, Encoder, make
from scripts.pocket.training import Budget, Run, averaged, device

LOOK = Look(scale=(0.55, 1.1), shift=0.1, rotation=10, outline=0.4, colour=0.3, blur=0.2, mirror=0.3, white=0.35)
BATCH = 64
LOCKED_FROM = 0.3  # of the budget: from there on the text tower is final
SHARPNESS = 20.0  # of the choice among proxies
MEAN, SPREAD = 0.5, 0.5
WEIGHTS = {
    "captions": 0.5,
    "names": 1.0,
    "classes": 1.0,
    "pictures_to_proxies": 1.0,
    "texts_to_proxies": 0.5,
    "texts_to_groups": 0.3,
    "groups": 0.5,
    "grounds": 0.3,
    "colours": 0.3,
}

WIDTH = 192
VISION: dict[str, Any] = {"image_size": 64, "layers": [1, 1, 2, 1], "width": 24, "patch_size": None}
TEXT: dict[str, Any] = {"context_length": CONTEXT, "vocab_size": SIZE, "width": WIDTH, "heads": 4, "layers": 4}


def build() -> CLIP:
    """5.5 M parameters, 2.2 M of them the text encoder."""
    clip = CLIP(embed_dim=WIDTH, vision_cfg=VISION, text_cfg=TEXT, init_logit_scale=3.0)
    for name, parameter in clip.visual.named_parameters():
        if name.startswith("layer") and name.endswith("bn3.weight"):
            nn.init.constant_(parameter, 0.5)  # open_clip's zero keeps the blocks out for hundreds of steps
    return clip


class Proxied(nn.Module):
    """A CLIP and, only while it learns, one vector per concept that pictures and texts are both drawn to.

    Two towers that start from nothing learn slowly from each other; a thousand fixed classes teach each of them from
    the first step (proxy losses: Movshovitz-Attias et al. 2017).
    """

    def __init__(self, concepts: int) -> None:
        """Proxies start at random."""
        super().__init__()
        self.clip = build()
        self.proxies = nn.Parameter(torch.randn(concepts, WIDTH))
        self.head = nn.Linear(VISION["width"] * 32, concepts)

    def see(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """(Normalised features, logits of a plain classifier on what lies before the last pooling)."""
        visual = self.clip.visual
        x = visual.stem((pixels - MEAN) / SPREAD)
        for layer in (visual.layer1, visual.layer2, visual.layer3, visual.layer4):
            x = layer(x)
        return F.normalize(visual.attnpool(x), dim=-1).float(), self.head(x.mean((2, 3))).float()

    def choose(self, features: Tensor, truth: Tensor) -> Tensor:
        """Loss of telling which concept these normalised features stand for."""
        logits = SHARPNESS * features @ F.normalize(self.proxies, dim=-1).T
        return F.cross_entropy(logits, truth, label_smoothing=0.05)


CHUNK = 64  # texts of like length that are encoded together


def text_features(clip: CLIP, rows: list[list[int]]) -> Tensor:
    """What ``encode_text`` gives, normalised, but without computing the padding (the encoder is causal)."""
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    parts = [chunk_features(clip, [rows[i] for i in order[at : at + CHUNK]]) for at in range(0, len(rows), CHUNK)]
    back = torch.tensor(order, device=clip.positional_embedding.device).argsort()
    return torch.cat(parts)[back]


def chunk_features(clip: CLIP, rows: list[list[int]]) -> Tensor:
    """Only as long as the longest of these texts."""
    longest = max(map(len, rows))
    place = clip.positional_embedding.device
    ids = torch.tensor([row + [SIZE - 1] * (longest - len(row)) for row in rows], device=place)
    ends = torch.tensor([len(row) - 1 for row in rows], device=place)
    x = clip.token_embedding(ids) + clip.positional_embedding[:longest]
    x = clip.ln_final(clip.transformer(x, attn_mask=clip.attn_mask[:longest, :longest]))
    return F.normalize(x[torch.arange(len(rows), device=place), ends] @ clip.text_projection, dim=-1).float()


def distinct(codes: list[str], rng: random.Random, count: int) -> list[int]:
    """Rows of ``count`` pictures of different concepts: a random style of each."""
    by_code: dict[str, list[int]] = {}
    for row, code in enumerate(codes):
        by_code.setdefault(code, []).append(row)
    return [rng.choice(by_code[code]) for code in rng.sample(sorted(by_code), count)]


def size_word(scale: float) -> str:
    """Small below 0.65, large above 0.95."""
    return "small" if scale < 0.65 else "large" if scale > 0.95 else ""


def train(data: Data, budget: Budget) -> None:
    """From a new start, or from where ``clip.pt`` stopped."""
    torch.manual_seed(0)
    place = device()
    make(data.concepts, data.folder / "tokenizer")
    encoder = Encoder(data.folder / "tokenizer")
    network = Proxied(len(data.concepts)).to(place).train()
    matrices = [p for p in network.clip.parameters() if p.ndim >= 2]
    others = [p for p in network.clip.parameters() if p.ndim < 2]
    groups = [
        {"params": matrices, "weight_decay": 0.1},
        {"params": others, "weight_decay": 0.0},
        {"params": [network.proxies], "weight_decay": 0.0, "lr": 1e-2},
        {"params": network.head.parameters(), "weight_decay": 0.05},
    ]
    run = Run(
        data.folder / "clip.pt", network, torch.optim.AdamW(groups, lr=1.5e-3, betas=(0.9, 0.98), fused=True), budget
    )
    pictures = data.for_clip()
    drawings = tensor(pictures)
    batch = BATCH * (4 if place.type == "cuda" else 1)
    words: Words | None = None
    for generator in run.steps("clip"):
        rng = random.Random(f"clip {run.step}")
        if words is None and (run.spent >= LOCKED_FROM or (data.folder / "text.pt").exists()):
            words = lock(run, network, encoder, data)
        rows = distinct(pictures.codes, rng, batch)
        made = compose(drawings[rows].to(place), LOOK, generator)
        truths = []
        for row, ground, scale, shares in zip(rows, made.background, made.scale, made.shares.cpu(), strict=True):
            colours = tuple(NAMES[i] for i in shares.argsort(descending=True)[:3].tolist() if shares[i] > 0.12)
            concept = data.by_code[pictures.codes[row]]
            truths.append(Truth(concept, pictures.styles[row], colours, NAMES[int(ground)], size_word(float(scale))))
        if words is None:
            values = losses(network, encoder, made, truths, data, rng)
        else:
            values = locked_losses(network, encoder, made, truths, words, data, rng)
        total = torch.stack([WEIGHTS[name] * value for name, value in values.items()]).sum()
        torch.autograd.backward(total)
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        run.optimizer.step()
        run.optimizer.zero_grad(set_to_none=True)
        with torch.no_grad():
            network.clip.logit_scale.clamp_(max=4.6)
        run.note(total.item(), every=50, **{name: value.item() for name, value in values.items()})


@dataclass(frozen=True)
class Words:
    """Features of the locked tower, computed once: (forms, texts, 192) of each closed set."""

    names: Tensor
    groups: Tensor
    grounds: Tensor
    colours: Tensor


def text_parameters(clip: CLIP) -> list[nn.Parameter]:
    """Everything of the text tower."""
    return [p for name, p in clip.named_parameters() if not name.startswith("visual.") and name != "logit_scale"]


def lock(run: Run, network: Proxied, encoder: Encoder, data: Data) -> Words:
    """Make the averaged text tower the final one (once), stop its gradients, and compute its words."""
    clip = network.clip
    kept = data.folder / "text.pt"
    if not kept.exists():
        final = {k: v for k, v in run.average.items() if not k.startswith("clip.visual.") and k != "clip.logit_scale"}
        torch.save({k: v for k, v in final.items() if k.startswith("clip.")}, kept)
    final = torch.load(kept, map_location=clip.positional_embedding.device, weights_only=True)
    network.load_state_dict(final, strict=False)
    run.average.update({k: v.clone() for k, v in final.items()})
    for parameter in (*text_parameters(clip), network.proxies):
        parameter.requires_grad_(False)
    run.forget(parameter for parameter in network.parameters() if not parameter.requires_grad)

    @torch.no_grad()
    def features(texts: list[str]) -> Tensor:
        return text_features(clip, [encoder.ids(text) for text in texts])

    names = [concept.name for concept in data.concepts]
    return Words(
        torch.stack([features([form.format(a=article(n), n=n) for n in names]) for form in NAME_FORMS]),
        torch.stack([features(group_captions(tuple(GROUPS.values()), form)) for form in GROUP_FORMS]),
        torch.stack([features(background_captions(form)) for form in GROUND_FORMS]),
        torch.stack([features(colour_captions(form)) for form in COLOUR_FORMS]),
    )


def locked_losses(
    network: Proxied,
    encoder: Encoder,
    made: Composed,
    truths: list[Truth],
    words: Words,
    data: Data,
    rng: random.Random,
) -> dict[str, Tensor]:
    """The same choices once the texts stand still: now every name of all is told from every other."""
    clip, place = network.clip, made.pixels.device
    said = [caption(truth, rng, named=0.95) for truth in truths]
    with torch.autocast(place.type, torch.bfloat16):
        image, told = network.see(made.pixels)
        with torch.no_grad():
            captions = text_features(clip, [encoder.ids(text) for text in said])
    scale = clip.logit_scale.exp()
    names, groups, grounds, colours = (
        scale * image @ rng.choice(kind).T for kind in (words.names, words.groups, words.grounds, words.colours)
    )
    classes = torch.tensor([data.rank[truth.concept.code] for truth in truths], device=place)
    of_group = torch.tensor([tuple(GROUPS.values()).index(truth.concept.group) for truth in truths], device=place)
    return {
        "captions": contrast(scale * image @ captions.T),
        "names": F.cross_entropy(names, classes, label_smoothing=0.05),
        "classes": F.cross_entropy(told, classes, label_smoothing=0.05),
        "groups": F.cross_entropy(groups, of_group),
        "grounds": F.cross_entropy(grounds, made.background),
        "colours": F.cross_entropy(colours, made.shares / made.shares.sum(1, keepdim=True).clamp_min(1e-6)),
    }


def losses(
    network: Proxied, encoder: Encoder, made: Composed, truths: list[Truth], data: Data, rng: random.Random
) -> dict[str, Tensor]:
    """Contrast with captions and with names, choice among proxies, and choice among closed sets of short texts.

    A caption that says only "on a blue background" fits many pictures of a batch, so the usual contrast would punish
    it; among the twelve grounds it has one right answer.
    """
    clip, place = network.clip, made.pixels.device
    group_names = tuple(GROUPS.values())
    parts = [
        [caption(truth, rng, named=0.95) for truth in truths[: len(truths) // 2]],
        [name_caption(truth.concept.name, rng) for truth in truths],
        group_captions(group_names, rng.choice(GROUP_FORMS)),
        background_captions(rng.choice(GROUND_FORMS)),
        colour_captions(rng.choice(COLOUR_FORMS)),
    ]
    with torch.autocast(place.type, torch.bfloat16):
        image, told = network.see(made.pixels)
        features = text_features(clip, [encoder.ids(text) for part in parts for text in part])
    captions, names, groups, grounds, colours = torch.split(features, [len(part) for part in parts])
    scale = clip.logit_scale.exp()
    classes = torch.tensor([data.rank[truth.concept.code] for truth in truths], device=place)
    of_group = torch.tensor([group_names.index(truth.concept.group) for truth in truths], device=place)
    shares = made.shares / made.shares.sum(1, keepdim=True).clamp_min(1e-6)
    return {
        "captions": contrast(scale * image[: len(captions)] @ captions.T),
        "names": contrast(scale * image @ names.T),
        "classes": F.cross_entropy(told, classes, label_smoothing=0.05),
        "pictures_to_proxies": network.choose(image, classes),
        "texts_to_proxies": network.choose(names, classes) + 0.3 * network.choose(captions, classes[: len(captions)]),
        "texts_to_groups": F.cross_entropy(scale * names @ groups.T, of_group),
        "groups": F.cross_entropy(scale * image @ groups.T, of_group),
        "grounds": F.cross_entropy(scale * image @ grounds.T, made.background),
        "colours": F.cross_entropy(scale * image @ colours.T, shares),
    }


def contrast(logits: Tensor) -> Tensor:
    """CLIP's loss: each picture finds its text, each text its picture."""
    truth = torch.arange(len(logits), device=logits.device)
    return 0.5 * (F.cross_entropy(logits, truth, label_smoothing=0.02) + F.cross_entropy(logits.T, truth))


def load(path: Path) -> CLIP:
    """The averaged network of a training state, for use."""
    clip = build()
    clip.load_state_dict({k.removeprefix("clip."): v for k, v in averaged(path).items() if k.startswith("clip.")})
    return clip.eval()
