"""The autoencoder: 64 pixels to 4x16x16 latents. L1, edges, colour of 4x4 patches, squared error, a trace of KL."""

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from torch import Tensor

from scripts.pocket.compose import Look, compose, strokes
from scripts.pocket.data import Data, tensor
from scripts.pocket.training import Budget, Run, device

LOOK = Look(scale=(0.5, 1.1), rotation=10, outline=0.35, colour=0.4, mirror=0.3, white=0.4)
CROP = 32
CROPPED_UNTIL = 0.55  # of the budget; group norms must see full pictures at the end


def build(scaling_factor: float = 1.0) -> AutoencoderKL:
    """0.68 M parameters, three levels."""
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(16, 32, 64),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=8,
        sample_size=64,
        scaling_factor=scaling_factor,
    )


def crops(pixels: Tensor, rng: torch.Generator) -> Tensor:
    """Two random 32-pixel crops of each picture: four times cheaper, and the corners get their share."""
    low = torch.randint(0, pixels.shape[-1] - CROP + 1, (2, len(pixels), 2), generator=rng).tolist()
    return torch.stack([pixels[i, :, y : y + CROP, x : x + CROP] for part in low for i, (y, x) in enumerate(part)])


def loss(vae: AutoencoderKL, x: Tensor, rng: torch.Generator) -> Tensor:
    """Of pictures in -1..1."""
    posterior = vae.encode(x).latent_dist
    mean, logvar = posterior.mean.float(), posterior.logvar.float()
    noise = torch.randn(mean.shape, generator=rng).to(mean)
    y = vae.decode(mean + (0.5 * logvar).exp() * noise).sample.float()
    off = y - x
    edges = off.diff(dim=-1).abs().mean() + off.diff(dim=-2).abs().mean()
    colour = F.avg_pool2d(off, 4).abs().mean()
    kl = 0.5 * (mean**2 + logvar.exp() - 1 - logvar).mean()
    total: Tensor = off.abs().mean() + edges + colour + 2 * (off**2).mean() + 1e-6 * kl
    return total


def train(data: Data, budget: Budget) -> None:
    """From a new start, or from where ``vae.pt`` stopped."""
    torch.manual_seed(0)
    place = device()
    vae = build()
    with torch.no_grad():
        vae.quant_conv.bias[4:].fill_(-5)  # start with nearly no noise in the latents
    vae = vae.to(place, memory_format=torch.channels_last).train()  # type: ignore[call-arg]
    optimizer = torch.optim.AdamW(vae.parameters(), lr=3e-3, betas=(0.9, 0.99), weight_decay=1e-4)
    run = Run(data.folder / "vae.pt", vae, optimizer, budget, decay=0.995)
    drawings = tensor(data.for_vae())
    large = place.type == "cuda"
    for rng in run.steps("vae"):
        cropped = run.spent < CROPPED_UNTIL
        rows = torch.randint(
            len(drawings), ((96 if large else 24) if cropped else (64 if large else 12),), generator=rng
        )
        pixels = strokes(compose(drawings[rows].to(place), LOOK, rng).pixels, 0.5, rng) * 2 - 1
        x = (crops(pixels, rng) if cropped else pixels).contiguous(memory_format=torch.channels_last)
        with torch.autocast(place.type, torch.bfloat16):
            value = loss(vae, x, rng)
        torch.autograd.backward(value)
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        run.note(value.item())
