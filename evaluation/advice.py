"""What the strength curve and the parts add to a verdict: where to use the adapter, and what in it learned by heart."""

from __future__ import annotations

import math
from dataclasses import dataclass

from evaluation.findings import Finding
from evaluation.metric import Measured


@dataclass(frozen=True, slots=True)
class Advice:
    """Beside the remedy of the verdict."""

    best_strength: float = math.nan
    """NaN where it was not measured"""
    culprit: str = ""
    """``text encoder`` or ``network``; empty where neither surely is, or it was not measured"""
    words: str = ""


def advise(first: Finding, strength: Measured | None, parts: Measured | None) -> Advice:
    """What can be said beyond the gravest finding."""
    words, best, blamed = [], math.nan, ""
    if strength is not None:
        best, gain = strength["best_strength"].value, strength["gain"]
        if best < 1 and gain.low > 0:
            words.append(
                f"At strength {best:g} it does better on pictures it has not seen than at full strength "
                f"(by {gain.value:.2f})."
            )
    if parts is not None and first.state in ("overfit", "memorised"):
        blamed = culprit(parts)
        if blamed == "text encoder":
            words.append(
                "The text encoder is what learned by heart: put the base's back in its place, or do not train it."
            )
        elif blamed:
            words.append("The network is what learned by heart, not the text encoder.")
    return Advice(best, blamed, " ".join(words))


def culprit(parts: Measured) -> str:
    """The part whose removal takes more of the gap away, if it surely takes some; empty otherwise."""
    words, network = parts["gap_from_words"], parts["gap_from_network"]
    if words.low > 0 and words.value >= network.value:
        return "text encoder"
    return "network" if network.low > 0 and network.value > words.value else ""
