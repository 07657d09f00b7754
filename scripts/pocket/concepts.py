"""What can be drawn: the named emoji of six groups, and who may see which of them."""

import json
import random
from dataclasses import dataclass
from pathlib import Path

GROUPS = {
    0: "faces and feelings",
    3: "animals and nature",
    4: "food and drink",
    5: "travel and places",
    6: "activities and sports",
    7: "objects and tools",
}
CLOCK_FACES = 58  # emojibase's subgroup "time": 24 dials that differ by a hand

# fmt: off
FAMILIAR = (
    "red heart", "blue heart", "sun", "crescent moon", "star", "rainbow", "cloud", "snowman without snow", "fire",
    "droplet", "tomato", "red apple", "banana", "grapes", "watermelon", "strawberry", "lemon", "pineapple", "carrot",
    "broccoli", "ear of corn", "mushroom", "cherries", "eggplant", "hamburger", "pizza", "doughnut", "soft ice cream",
    "birthday cake", "wine glass", "beer mug", "frog", "panda", "pig face", "cat face", "lion", "fox",
    "front-facing baby chick", "penguin", "tropical fish", "octopus", "crab", "lady beetle", "butterfly", "honeybee",
    "spouting whale", "deciduous tree", "evergreen tree", "palm tree", "cactus", "sunflower", "tulip",
    "four leaf clover", "grinning face", "smiling face with sunglasses", "skull", "ghost", "alien", "robot",
    "jack-o-lantern", "automobile", "rocket", "sailboat", "house", "soccer ball", "basketball", "balloon",
    "wrapped gift", "trophy", "guitar", "umbrella with rain drops", "light bulb", "bell", "t-shirt",
)
# fmt: on
"""Common things; what is held out is drawn from the others."""

ALIKE = {
    *("four leaf clover", "wine glass", "honeybee", "crab", "guitar", "umbrella with rain drops"),
    *("light bulb", "bell", "trophy", "fox", "ear of corn", "tomato"),
}
"""Familiar things that are too thin, or too like another one, at 64 pixels."""

DRAWN = tuple(name for name in FAMILIAR if name not in ALIKE)
"""The 62 concepts that the U-Net learns."""


@dataclass(frozen=True)
class Concept:
    """One thing with a name: its code point, tags and group, all in plain lower-case words."""

    code: str
    name: str
    tags: tuple[str, ...]
    group: str


def read(words: Path) -> list[Concept]:
    """All concepts, in Unicode's order, from an unpacked emojibase-data."""
    rows = json.loads((words / "en" / "data.json").read_text())
    return [
        Concept(
            row["hexcode"].lower().replace("-fe0f", ""),
            row["label"].lower().replace("“", "").replace("”", "").replace(":", ""),
            tuple(tag.lower() for tag in row.get("tags", ())),
            GROUPS[row["group"]],
        )
        for row in rows
        if row.get("group") in GROUPS and row["subgroup"] != CLOCK_FACES
    ]


def held_out(concepts: list[Concept]) -> set[str]:
    """Codes of 8 concepts per group that neither the VAE nor the U-Net ever sees (the CLIP does)."""
    chosen: set[str] = set()
    for group in GROUPS.values():
        members = [c.code for c in concepts if c.group == group and c.name not in FAMILIAR]
        chosen.update(random.Random(f"held out {group}").sample(members, 8))
    return chosen


def unseen_twemoji(concepts: list[Concept]) -> set[str]:
    """Codes of the half of the concepts whose Twemoji picture the CLIP never sees."""
    codes = [c.code for c in concepts]
    return set(random.Random("unseen twemoji").sample(codes, len(codes) // 2))
