"""Prompts made from captions: the same subject on another ground or in another place."""

import re

GROUND = re.compile(r"[\s,]*\b(?:on|against|in front of) an? (?:[\w-]+ ){1,3}(?:back)?ground\b", re.IGNORECASE)


def placed(caption: str, place: str) -> str:
    """The caption with ``place`` (``on a blue background``) after its first part, and no other ground.

    After the first comma nothing moves, so that a trigger at the end stays there.
    """
    first, comma, rest = bare(caption).partition(",")
    return f"{first.rstrip()} {place}{comma}{rest}"


def bare(caption: str, trigger: str = "") -> str:
    """The caption without what it says of the ground, and without the trigger, which no CLIP knows."""
    words = GROUND.sub("", caption)
    if trigger:
        words = re.sub(rf"[\s,]*\b{re.escape(trigger)}\b", "", words)
    return re.sub(r"\s+", " ", words).strip(" ,") or caption
