"""Training steps on a GPU: SD 1.5's and SDXL's shape with random weights, beside a plain loop in diffusers' way.

`python -m benchmarks.gpu --minutes 8` does all of it in one call, and says that it did not run where there is no GPU.
LoRA of rank 16 in bf16; 512 pixels for SD 1.5, 1024 for SDXL; batch 1 and 4: steps a second, share of the card's
measured matrix rate (what a step computes is counted by torch's FLOP counter), peak memory.
The plain loop asks the device for the loss in every step, runs the VAE in every step as diffusers' script does, and has
the same adapter. Only U-Net and VAE are built: text states are random numbers of the right shape.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

from training.data import Example
from training.loop import train
from training.spec import Train

DEVICE = "cuda"
WARM, STEPS = 5, 20


@dataclass(frozen=True, slots=True)
class Shape:
    """One architecture."""

    name: str
    pixels: int
    unet: dict[str, Any]
    tokens: int
    width: int
    pooled: int = 0


SD15 = Shape("SD 1.5", 512, {"cross_attention_dim": 768, "attention_head_dim": 8}, 77, 768)
SDXL = Shape(
    "SDXL",
    1024,
    {
        "block_out_channels": (320, 640, 1280),
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        "transformer_layers_per_block": (1, 2, 10),
        "attention_head_dim": (5, 10, 20),
        "cross_attention_dim": 2048,
        "use_linear_projection": True,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": 2816,
    },
    77,
    2048,
    1280,
)


class Bench:
    """What the loop asks of a base, with random weights and without text encoders."""

    architecture, kohya_version, base_sha256 = "random", "random", ""
    prediction_type, device, latent_scale = "epsilon", DEVICE, 8

    def __init__(self, shape: Shape) -> None:
        from diffusers import AutoencoderKL, UNet2DConditionModel

        torch.manual_seed(0)
        with torch.device(DEVICE):
            self.network: Any = UNet2DConditionModel(sample_size=shape.pixels // 8, **shape.unet)
            self.vae: Any = AutoencoderKL(
                block_out_channels=(128, 256, 512, 512),
                down_block_types=("DownEncoderBlock2D",) * 4,
                up_block_types=("UpDecoderBlock2D",) * 4,
                layers_per_block=2,
            )
        self.network.to(torch.bfloat16).eval().requires_grad_(False)
        self.vae.to(torch.bfloat16).eval().requires_grad_(False)
        betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, device=DEVICE) ** 2
        self.alphas_cumprod = torch.cumprod(1 - betas, 0)
        self.tunings: list[Any] = []
        self.text_encoders: dict[str, Any] = {}
        self.shape = shape

    def fingerprint(self, _part: str) -> str:
        return self.shape.name

    def drop(self, tuning: Any) -> None:
        self.tunings.remove(tuning)
        tuning.remove()

    def layer_name(self, side: str, path: str) -> str:
        return f"lora_{side}_{path.replace('.', '_')}"

    def states(self) -> dict[str, torch.Tensor]:
        """What a caption is, (1, ...)."""
        found = {"hidden": torch.randn(1, self.shape.tokens, self.shape.width)}
        return found | ({"pooled": torch.randn(1, self.shape.pooled)} if self.shape.pooled else {})

    def predict(self, noisy: torch.Tensor, t: torch.Tensor, told: dict[str, torch.Tensor]) -> torch.Tensor:
        more: dict[str, Any] = {}
        if "pooled" in told:
            ids = torch.zeros(len(noisy), 6, device=DEVICE)
            more = {"added_cond_kwargs": {"text_embeds": told["pooled"].bfloat16(), "time_ids": ids}}
        said: torch.Tensor = self.network(noisy.bfloat16(), t, told["hidden"].bfloat16(), return_dict=False, **more)[0]
        return said


def plan(batch: int, steps: int) -> Train:
    """What is timed."""
    keys = {
        "steps": steps,
        "batch_size": batch,
        "precision": "bf16",
        "log_every": steps,
        "checkpoint_every": 10_000,
        "probe_every": 10_000,
        "adapter": {"kind": "lora", "rank": 16},
    }
    return Train.model_validate(keys)


def examples(shape: Shape) -> list[Example]:
    """Pictures, encoded."""
    side = shape.pixels // 8
    return [Example(str(n), torch.randn(4, side, side), "a") for n in range(8)]


def ours(base: Any, batch: int) -> float:
    """Seconds of a step of the loop."""
    stamps: list[float] = []

    def log(_step: int, _figures: dict[str, float]) -> None:
        torch.cuda.synchronize()
        stamps.append(time.perf_counter())

    states = {"a": base.states(), "": base.states()}

    def begin(step: int) -> None:
        if step == 0:
            stamps.append(time.perf_counter())

    spent = []
    for steps in (WARM, WARM + STEPS):
        with tempfile.TemporaryDirectory() as folder:
            train(
                plan(batch, steps),
                base,
                examples(base.shape),
                states,
                Path(folder),
                on_log=log,
                on_pause=begin,
            )
            spent.append(stamps[-1] - stamps[-2])
    return (spent[1] - spent[0]) / STEPS


def plain(base: Any, batch: int) -> float:
    """Seconds of a step as in diffusers' script: pictures through the VAE and a loss that is asked for, each time."""
    adapter = plan(batch, 1).adapter.attach(base)
    trained = [parameter for group in adapter.groups for parameter in group.parameters]
    optimizer = torch.optim.AdamW(trained, lr=1e-4)
    pixels = torch.randn(batch, 3, base.shape.pixels, base.shape.pixels)
    told = {name: state.to(DEVICE).repeat(batch, *[1] * (state.dim() - 1)) for name, state in base.states().items()}
    base.network.train()
    began = 0.0
    for step in range(WARM + STEPS):
        if step == WARM:
            torch.cuda.synchronize()
            began = time.perf_counter()
        with torch.no_grad():
            clean = base.vae.encode(pixels.to(DEVICE).bfloat16()).latent_dist.sample() * 0.18215
        noise, t = torch.randn_like(clean), torch.randint(1000, (batch,), device=DEVICE)
        alpha = base.alphas_cumprod[t].view(-1, 1, 1, 1).to(clean.dtype)
        with torch.autocast(DEVICE, torch.bfloat16):
            said = base.predict(alpha.sqrt() * clean + (1 - alpha).sqrt() * noise, t, told)
            loss = functional.mse_loss(said.float(), noise.float())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        loss.item()
    torch.cuda.synchronize()
    seconds = (time.perf_counter() - began) / STEPS
    base.network.eval()
    adapter.detach()
    return seconds


def matrix_rate() -> float:
    """FLOP a second of large bf16 products on this card."""
    one, other = (torch.randn(8192, 8192, device=DEVICE, dtype=torch.bfloat16) for _ in range(2))
    for count in (10, 50):
        torch.cuda.synchronize()
        began = time.perf_counter()
        for _ in range(count):
            one @ other
        torch.cuda.synchronize()
    return 50 * 2 * 8192**3 / (time.perf_counter() - began)


def work(base: Any, batch: int) -> float:
    """FLOP of one step, as counted."""
    from torch.utils.flop_counter import FlopCounterMode

    adapter = plan(batch, 1).adapter.attach(base)
    side = base.shape.pixels // 8
    told = {name: state.to(DEVICE).repeat(batch, *[1] * (state.dim() - 1)) for name, state in base.states().items()}
    t = torch.zeros(batch, dtype=torch.long, device=DEVICE)
    with FlopCounterMode(display=False) as counted, torch.autocast(DEVICE, torch.bfloat16):
        base.predict(torch.randn(batch, 4, side, side, device=DEVICE), t, told).float().square().mean().backward()
    adapter.detach()
    return float(counted.get_total_flops())


def measure(shapes: Sequence[Shape], seconds: float, say: Callable[[str], None]) -> None:
    """A row for each shape and batch, until the time is used up."""
    ends, rate = time.monotonic() + seconds, matrix_rate()
    say(f"{torch.cuda.get_device_name()}: {rate / 1e12:.0f} TFLOP/s of bf16 products")
    say(f"{'':<14}{'steps/s':>10}{'plain':>10}{'times':>8}{'of rate':>9}{'GiB':>8}{'plain':>8}")
    for shape in shapes:
        base: Any = Bench(shape)
        for batch in (1, 4):
            if time.monotonic() > ends:
                say(f"{shape.name} x{batch}: not run, the time is used up")
                continue
            flops = work(base, batch)
            found = []
            for one in (ours, plain):
                torch.cuda.empty_cache()
                torch.cuda.reset_peak_memory_stats()
                found += [one(base, batch), torch.cuda.max_memory_allocated() / 2**30]
            mine, memory, theirs, more = found
            share = flops / mine / rate
            say(
                f"{f'{shape.name} x{batch}':<14}{1 / mine:>10.2f}{1 / theirs:>10.2f}{theirs / mine:>8.2f}"
                f"{share:>9.0%}{memory:>8.1f}{more:>8.1f}"
            )
        del base


def main() -> int:
    """Print the table; 0 also where there was nothing to run on."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=8.0)
    asked = parser.parse_args()
    if not torch.cuda.is_available():
        print("this machine has no GPU that torch can use, so nothing was run")
        return 0
    measure((SD15, SDXL), 60 * asked.minutes, lambda words: print(words, flush=True))
    return 0


if __name__ == "__main__":
    sys.exit(main())
