"""What the figures of a measure mean, in a line each: for tables on the terminal and in reports."""

from __future__ import annotations

import math
from collections.abc import Mapping

from evaluation.metric import Figure, Measured

WORDS: dict[str, tuple[str, str]] = {
    "probe/learning": ("learning", "above 0: errs less than the base on pictures it has never seen"),
    "probe/gap": ("gap", "above 0: knows the trained pictures better than others of their kind"),
    "probe/train_learning": ("learning of trained pictures", "above 0: errs less than the base on those"),
    "memorisation/copy_rate": ("copies among samples", "nearer to a trained picture than real ones are to each other"),
    "memorisation/copy_chance": ("copies to expect by chance", "of pictures that were never seen"),
    "memorisation/c_t_pixel": ("C_T", "below -3: samples are closer to the training set than new real pictures are"),
    "memorisation/pull_pixel": ("pull", "above 0: training drew samples towards the trained pictures"),
    "noise_magnitude/excess": ("pull of captions", "above 0: trained captions steer more than new ones do"),
    "prior_drift/relative": ("drift", "change on what the base knew; 1: as much as the base itself errs"),
    "alignment/known": ("known prompts", "above 0: CLIP finds them better obeyed than by the base"),
    "alignment/contexts": ("new places", "below 0: a new place in the prompt is obeyed less than by the base"),
    "alignment/rigidity": ("caption rigidity", "above 0: prompts as trained are obeyed better than new places"),
    "editability/obeyed": ("background word obeyed", "share of samples with the background that was asked for"),
    "editability/change": ("change of that", "below 0: obeyed less than by the base"),
    "diversity/pixel_change": ("diversity", "below 0: samples of one prompt have become alike (-0.7 is half)"),
    "distribution/change": ("distance to the kind", "below 0: samples as a whole are nearer to new pictures"),
    "which_part/gap_from_words": ("gap from the text encoder", "what goes away with the base's text encoder"),
    "which_part/gap_from_network": ("gap from the network", "what goes away with the base's network"),
    "strength/best_strength": ("best strength", "where it does best on new pictures; 1 is full"),
    "strength/gain": ("gain of that", "more learning than at full strength"),
}
"""by measure and figure: what it is called, and how to read it"""


def told(measured: Mapping[str, Measured]) -> list[tuple[str, Figure, str]]:
    """(name, figure, how to read it) of the key figures that there are, in the order in which people ask."""
    found = {f"{kind}/{figure.name}": figure for kind, one in measured.items() for figure in one.figures}
    known = {key for key, figure in found.items() if math.isfinite(figure.value)}
    return [(name, found[key], words) for key, (name, words) in WORDS.items() if key in known]
