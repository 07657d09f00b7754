"""The model card: what was measured, from what, in words and pictures, written beside the weights."""

import json
import math
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import torch

from scripts.pocket.captions import usual
from scripts.pocket.concepts import DRAWN
from scripts.pocket.data import BASE_STYLES, Data
from scripts.pocket.packages import STYLES, WORDS
from scripts.pocket.reading import GUIDANCE, STEPS, grid, load, sample

GOALS = {
    "twemoji R@5": (0.60, "CLIP, picture to name among 400, unseen half of Twemoji, R@5"),
    "openmoji R@5": (0.40, "the same on OpenMoji, a style that nothing here ever saw, R@5"),
    "twemoji group": (0.60, "CLIP, group of 6, zero-shot, unseen half of Twemoji"),
    "openmoji group": (0.60, "the same on OpenMoji"),
    "twemoji background": (0.85, "CLIP, background colour of 12, unseen half of Twemoji"),
    "openmoji background": (0.85, "the same on OpenMoji"),
    "held-out concepts PSNR": (27.0, "VAE round trip, concepts it never saw, dB"),
    "openmoji PSNR": (23.0, "VAE round trip, OpenMoji, dB"),
    "size MB": (28.0, "all files together, MB (at most)"),
}
USED_BY = dict.fromkeys(STYLES, "VAE, CLIP") | dict.fromkeys(BASE_STYLES, "U-Net, VAE, CLIP")
USED_BY["twemoji"] = "U-Net, VAE, CLIP (half of the concepts)"


def smooth(values: list[float], window: int) -> list[float]:
    """Running mean over the last ``window`` points."""
    return [float(np.mean(values[max(0, i + 1 - window) : i + 1])) for i in range(len(values))]


def power_law(curve: list[tuple[int, float, float]]) -> tuple[float, float]:
    """(a, b) of loss = a * steps^-b, by least squares in logarithms, over the later 80 % of the run.

    A run too short for a line gives its last loss and b = 0.
    """
    late = [(step, loss) for step, _, loss in curve if step > 0.2 * curve[-1][0]]
    if len(late) < 3:
        return curve[-1][2], 0.0
    slope, level = np.polyfit([math.log(step) for step, _ in late], [math.log(loss) for _, loss in late], 1)
    return math.exp(level), -slope


def draw_curves(states: dict[str, list[tuple[int, float, float]]], path: Path) -> None:
    """Loss against steps for each of the three, and for the U-Net where the straight line would lead."""
    figure, axes = plt.subplots(1, 3, figsize=(11, 3.2), layout="constrained")
    for axis, (name, curve) in zip(axes, states.items(), strict=True):
        steps, losses = [point[0] for point in curve], [point[2] for point in curve]
        axis.loglog(steps, losses, ".", color="0.8", markersize=3)
        axis.loglog(steps, smooth(losses, 12), color="tab:blue")
        if name == "U-Net":
            a, b = power_law(curve)
            ahead = np.geomspace(steps[-1] / 5, steps[-1] * 8, 20)
            axis.loglog(ahead, a * ahead**-b, "--", color="tab:orange", label=f"steps^-{b:.2f}")
            axis.legend()
        axis.set(title=name, xlabel="steps", ylabel="loss")
        axis.grid(alpha=0.3, which="both")
    figure.savefig(path, dpi=80)
    plt.close(figure)


def table(rows: list[tuple[str, ...]]) -> str:
    """A Markdown table; the first row is its head."""
    head, *body = rows
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ("---",) * len(head), *body))


def card(data: Data, folder: Path) -> None:
    """Write samples.png, curves.png and README.md into ``folder``."""
    states = {}
    for title, name in (("CLIP", "clip"), ("VAE", "vae"), ("U-Net", "unet")):
        state = torch.load(data.folder / f"{name}.pt", map_location="cpu", weights_only=True)
        state["curve"] = [(max(step, 1), seconds, loss) for step, seconds, loss in state["curve"]]
        states[title] = state
    draw_curves({title: state["curve"] for title, state in states.items()}, folder / "curves.png")
    prompts = [usual(name, BASE_STYLES[i % len(BASE_STYLES)]) for i, name in enumerate(sorted(DRAWN))]
    grid(sample(load(folder), prompts, seed=0), 11).quantize(192).save(folder / "samples.png", optimize=True)
    figures = json.loads((data.folder / "figures.json").read_text())
    measured: list[tuple[str, ...]] = [("what", "goal", "reached")]
    for key, (goal, words) in GOALS.items():
        digits = 2 if goal < 1 else 1
        measured.append((words, f"{goal:.{digits}f}", f"**{figures[key]:.{digits}f}**"))
    trained: list[tuple[str, ...]] = [("part", "parameters", "steps", "minutes", "last loss")]
    for title, state in states.items():
        size = sum(v.numel() for k, v in state["network"].items() if not k.startswith(("proxies", "head")))
        last = float(np.mean([point[2] for point in state["curve"][-12:]]))
        trained.append(
            (title, f"{size / 1e6:.2f} M", f"{state['step']:,}", f"{state['seconds'] / 60:.0f}", f"{last:.4f}")
        )
    sources: list[tuple[str, ...]] = [
        ("word in captions", "package", "licence", "by", "used for", "sha256 of the package")
    ]
    for style, p in STYLES.items():
        who = f"[{p.author}]({p.source})"
        sources.append((style, f"npm {p.name} {p.version}", p.licence, who, USED_BY[style], f"`{p.sha256}`"))
    words = f"npm {WORDS.name} {WORDS.version}"
    sources.append(
        ("", words, WORDS.licence, f"[{WORDS.author}]({WORDS.source})", "names, tags, groups", f"`{WORDS.sha256}`")
    )
    a, b = power_law(states["U-Net"]["curve"])
    last_step = states["U-Net"]["step"]
    text = TEMPLATE.format(
        measured=table(measured),
        trained=table(trained),
        sources=table(sources),
        concepts=", ".join(sorted(DRAWN)),
        count=len(DRAWN),
        held_out=", ".join(sorted(data.by_code[code].name for code in data.held_out)),
        slope=f"{b:.2f}",
        fourfold=f"{a * (4 * last_step) ** -b:.4f}",
        now=f"{a * last_step**-b:.4f}",
        guidance=GUIDANCE,
        steps=STEPS,
        top1=f"{figures['twemoji R@1']:.2f} and {figures['openmoji R@1']:.2f}",
        notes=(HERE / "notes.md").read_text().strip(),
    )
    (folder / "README.md").write_text(text)


HERE = Path(__file__).parent
TEMPLATE = (HERE / "card.md").read_text()
