"""The U-Net: learns to take noise away from cached latents, told by cached text states what they show."""

import multiprocessing
import os
import random
import signal
from collections.abc import Iterable
from dataclasses import dataclass
from multiprocessing.synchronize import Semaphore
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import DDPMScheduler, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from open_clip.model import CLIP
from torch import Tensor, nn

from scripts.pocket import clip as clips
from scripts.pocket import vae as vaes
from scripts.pocket.captions import NAMES, Truth, caption, usual
from scripts.pocket.compose import Look, compose
from scripts.pocket.data import Data, tensor
from scripts.pocket.tokenizer import CONTEXT, SIZE, Encoder
from scripts.pocket.training import Budget, Run, averaged, device, seed_of

LOOK = Look(scale=(0.96, 1.04), shift=0.02, white=0.6)
LOOSE = Look(scale=(0.5, 1.05), shift=0.1, white=0.35)
VARIANTS = 24  # of each picture, the last quarter of them loosely placed
SCHEDULE = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "prediction_type": "epsilon",
    "clip_sample": False,
}
GAMMA = 5.0  # min-SNR weighting, Hang et al. 2023
UNCAPTIONED, FREE = 0.1, 0.1
SMALL_BATCHES_UNTIL = 0.25  # of the budget: at first, more steps teach more than better ones


def build() -> UNet2DConditionModel:
    """5.1 M parameters, SD 1.x's block kinds on three levels."""
    return UNet2DConditionModel(
        sample_size=16,
        in_channels=4,
        out_channels=4,
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        block_out_channels=(48, 96, 144),
        layers_per_block=1,
        cross_attention_dim=192,
        attention_head_dim=4,
        norm_num_groups=16,
    )


@dataclass(frozen=True)
class Cache:
    """Latents (n, 4, 16, 16), scaled, and for each the rows of the text states (m, 77, 192) that fit it."""

    latents: Tensor
    texts: Tensor
    rows: list[list[int]]
    scaling_factor: float


@torch.no_grad()
def text_states(clip: CLIP, encoder: Encoder, texts: list[str]) -> Tensor:
    """What the text encoder gives a stock pipeline: the last hidden state over all 77 places."""
    place = clip.positional_embedding.device
    parts = []
    for start in range(0, len(texts), 256):
        rows = [encoder.ids(text) for text in texts[start : start + 256]]
        ids = torch.tensor([row + [SIZE - 1] * (CONTEXT - len(row)) for row in rows], device=place)
        x = clip.token_embedding(ids) + clip.positional_embedding
        parts.append(clip.ln_final(clip.transformer(x, attn_mask=clip.attn_mask)).half())
    return torch.cat(parts)


@torch.no_grad()
def prepare(data: Data, clip: CLIP, encoder: Encoder) -> Cache:
    """Compose every variant once, encode it, and write captions for it."""
    place = device()
    vae = vaes.build()
    vae.load_state_dict(averaged(data.folder / "vae.pt"))
    vae = vae.to(place).eval()
    pictures = data.for_unet()
    drawings = tensor(pictures).to(place)
    rng, generator = random.Random("unet captions"), torch.Generator().manual_seed(0)
    latents, rows = [], []
    texts: dict[str, int] = {"": 0}
    for variant in range(VARIANTS):
        loose = variant >= VARIANTS * 3 // 4
        made = compose(drawings, LOOSE if loose else LOOK, generator)
        latents.append(vae.encode(made.pixels * 2 - 1).latent_dist.mean)
        for i, (style, code) in enumerate(zip(pictures.styles, pictures.codes, strict=True)):
            colours = tuple(
                NAMES[c] for c in made.shares[i].argsort(descending=True)[:3].tolist() if made.shares[i, c] > 0.12
            )
            size = clips.size_word(float(made.scale[i])) if loose else ""
            truth = Truth(data.by_code[code], style, colours, NAMES[int(made.background[i])], size)
            ground = "" if truth.background == "white" and rng.random() < 0.6 else truth.background
            short = [usual(truth.concept.name, rng.choice((style, style, "")), ground) for _ in range(2)]
            said = [*short, caption(truth, rng, named=0.98)]
            rows.append([texts.setdefault(text, len(texts)) for text in said])
    mean = torch.cat(latents).float()
    factor = 1 / mean.std().item()
    states = text_states(clip.to(place), encoder, list(texts))
    return Cache((mean * factor).cpu(), states.cpu(), rows, factor)


def cached(data: Data) -> Cache:
    """The cache on disk, made at the first call; it belongs to the present ``clip.pt`` and ``vae.pt``."""
    path = data.folder / "cache.pt"
    if not path.exists():
        made = prepare(data, clips.load(data.folder / "clip.pt"), Encoder(data.folder / "tokenizer"))
        torch.save(vars(made), path)
    return Cache(**torch.load(path, weights_only=True))


class Teacher:
    """Loss of a step's batch, or of one worker's share of it: the same draws everywhere."""

    def __init__(self, cache: Cache) -> None:
        """Move the cache to the device once."""
        self.place = device()
        self.rows = cache.rows
        self.latents, self.texts = cache.latents.to(self.place), cache.texts.to(self.place)
        self.kept = DDPMScheduler(**SCHEDULE).alphas_cumprod.to(self.place)
        snr = self.kept / (1 - self.kept)
        self.often = (snr.clamp(max=GAMMA) / snr).cpu()

    def pick(self, captions: list[int], rng: random.Random) -> int:
        """Mostly a short caption, which never keeps quiet about a coloured ground; now and then a free one, or none."""
        *short, free = captions
        chance = rng.random()
        return 0 if chance < UNCAPTIONED else free if chance < UNCAPTIONED + FREE else rng.choice(short)

    def losses(self, unet: UNet2DConditionModel, step: int, batch: int, share: slice) -> tuple[Tensor, Tensor]:
        """(Loss, squared error of the noise at evenly spread times), means over ``share`` of the batch.

        Min-SNR weights are drawn rather than multiplied with: a time that counts half as much comes half as often.
        """
        generator = torch.Generator().manual_seed(seed_of(f"unet {step}"))
        rng = random.Random(f"unet {step}")
        picked = torch.randint(len(self.latents), (batch,), generator=generator)
        said = torch.tensor([self.pick(self.rows[i], rng) for i in picked.tolist()])
        t = torch.multinomial(self.often, batch, replacement=True, generator=generator)[share].to(self.place)
        noise = torch.randn((batch, 4, 16, 16), generator=generator)[share].to(self.place)
        kept = self.kept[t][:, None, None, None]
        x_t = kept.sqrt() * self.latents[picked[share].to(self.place)] + (1 - kept).sqrt() * noise
        x_t = x_t.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.place.type, torch.bfloat16):  # a third faster where the processor knows bfloat16
            made = unet(x_t, t, self.texts[said[share].to(self.place)].float()).sample
        apart = F.mse_loss(made.float(), noise, reduction="none").mean((1, 2, 3))
        even = 1 / self.often.to(self.place)[t]
        return apart.mean(), (even * apart.detach()).sum() / even.sum()


def flat(tensors: Iterable[Tensor]) -> Tensor:
    """All of them as one vector."""
    return torch.cat([tensor.detach().flatten() for tensor in tensors])


@torch.no_grad()
def spread(vector: Tensor, unet: nn.Module) -> None:
    """Write the vector back into the parameters, whatever their memory format."""
    at = 0
    for parameter in unet.parameters():
        parameter.copy_(vector[at : at + parameter.numel()].view(parameter.shape))
        at += parameter.numel()


def shared(tensor: Tensor) -> Tensor:
    """Move it to memory that a spawned process sees too."""
    tensor.share_memory_()  # type: ignore[no-untyped-call]
    return tensor


class Helper:
    """A second process that computes the gradients of half of each batch, through shared memory.

    Two processes with one thread each do not wait for each other at every operation, as two threads would; on cores
    that others use too this is several times faster.
    """

    def __init__(self, folder: Path, size: int) -> None:
        """Start it; it ends with this process."""
        context = multiprocessing.get_context("spawn")
        self.weights, self.gradients = (shared(torch.zeros(size)) for _ in range(2))
        self.order = shared(torch.zeros(2, dtype=torch.int64))
        self.asked, self.answered = context.Semaphore(0), context.Semaphore(0)
        given = (folder, self.weights, self.gradients, self.order, self.asked, self.answered)
        self.process = context.Process(target=help_out, args=given, daemon=True)
        self.process.start()

    def ask(self, unet: nn.Module, step: int, batch: int) -> None:
        """Begin on the second half of this batch."""
        self.weights.copy_(flat(unet.parameters()))
        self.order.copy_(torch.tensor([step, batch]))
        self.asked.release()

    def add(self, unet: nn.Module) -> None:
        """Wait for its gradients and average them with ours."""
        while not self.answered.acquire(timeout=5):
            if not self.process.is_alive():
                raise RuntimeError("the helper process ended; the same command goes on from the last saved state")
        at = 0
        for parameter in unet.parameters():
            if parameter.grad is not None:
                theirs = self.gradients[at : at + parameter.numel()].view_as(parameter)
                parameter.grad.lerp_(theirs, 0.5)
            at += parameter.numel()


def help_out(
    folder: Path, weights: Tensor, gradients: Tensor, order: Tensor, asked: Semaphore, answered: Semaphore
) -> None:
    """The helper's life: take weights and a step, give gradients."""
    torch.set_num_threads(1)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    unet, teacher = build().to(memory_format=torch.channels_last).train(), Teacher(cached(Data(folder)))  # type: ignore[call-arg]
    plain_attention(unet)
    while True:
        while not asked.acquire(timeout=5):
            if os.getppid() == 1:
                return
        spread(weights, unet)
        step, batch = order.tolist()
        unet.zero_grad(set_to_none=True)
        torch.autograd.backward(teacher.losses(unet, step, batch, slice(batch // 2, batch))[0])
        gradients.copy_(flat(p.grad if p.grad is not None else torch.zeros_like(p) for p in unet.parameters()))
        answered.release()


def plain_attention(unet: UNet2DConditionModel) -> None:
    """On a CPU two matrix products and a softmax are faster than the fused attention's backward pass."""
    if device().type == "cpu":
        unet.set_attn_processor(AttnProcessor())


def train(data: Data, budget: Budget, workers: int) -> None:
    """From a new start, or from where ``unet.pt`` stopped; ``workers`` is 1 or 2 processes."""
    torch.manual_seed(0)
    place = device()
    teacher = Teacher(cached(data))
    unet = build().to(place, memory_format=torch.channels_last).train()  # type: ignore[call-arg]
    plain_attention(unet)
    optimizer = torch.optim.AdamW(unet.parameters(), lr=1.5e-3, betas=(0.9, 0.99), weight_decay=0.01, fused=True)
    run = Run(data.folder / "unet.pt", unet, optimizer, budget, decay=0.998)
    helper = Helper(data.folder, sum(p.numel() for p in unet.parameters())) if workers == 2 else None
    for _ in run.steps("unet"):
        batch = 256 if place.type == "cuda" else 16 if run.spent < SMALL_BATCHES_UNTIL else 32
        if helper:
            helper.ask(unet, run.step, batch)
        loss, apart = teacher.losses(unet, run.step, batch, slice(batch // 2 if helper else batch))
        torch.autograd.backward(loss)
        if helper:
            helper.add(unet)
        nn.utils.clip_grad_norm_(unet.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        run.note(apart.item())


def trained(folder: Path) -> UNet2DConditionModel:
    """The averaged network of ``unet.pt``; a new one where there is none yet."""
    torch.manual_seed(0)
    unet = build()
    if (folder / "unet.pt").exists():
        unet.load_state_dict(averaged(folder / "unet.pt"))
    return unet.eval()
