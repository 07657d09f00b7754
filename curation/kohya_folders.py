"""Kohya's folders: ``10_sks dog`` says that its pictures are drawn ten times and show what "sks dog" means."""

import re
from collections import Counter
from dataclasses import replace

from core.errors import SourceError
from curation.kohya_config import Subset
from curation.kohya_pictures import Part
from curation.places import Place
from curation.source import Found
from curation.walking import pictures_below

REPEATS = re.compile(r"(\d{1,9})(?:_(.*))?", re.DOTALL)
REGULAR = frozenset(("reg", "regularisation", "regularization"))
HOLDERS = frozenset(("held_out", "img", "train", *REGULAR))
"""folders that may stand above those: of kohya's GUI and of our export"""


def parts_below(root: Place, *, is_reg: bool = False, prefix: str = "") -> tuple[list[Part], list[str]]:
    """The folders of a data folder as subsets, and what a person should hear of what is not read."""
    grouped: dict[str, list[Found]] = {}
    passed_over: Counter[str] = Counter()
    own = REPEATS.fullmatch(root.name)
    for picture in pictures_below(root):
        folder, _, file = picture.name.rpartition("/")
        holder, _, last = folder.rpartition("/")
        if REPEATS.fullmatch(last) and (not holder or holder in HOLDERS):
            grouped.setdefault(folder, []).append(replace(picture, name=file))
        elif not folder and own:
            grouped.setdefault("", []).append(picture)
        else:
            passed_over[folder] += 1
    notes = [words_for(root, folder, count) for folder, count in sorted(passed_over.items())]
    if not grouped:
        raise SourceError(
            f"{root.uri} holds no folders of kohya's: they are named 10_words, for the repeats and for what is shown"
        )
    parts = []
    for folder, pictures in grouped.items():
        place = root.below(folder) if folder else root
        match = REPEATS.fullmatch(place.name)
        assert match is not None
        regular = is_reg or folder.partition("/")[0] in REGULAR
        subset = Subset(
            image_dir=place.uri, num_repeats=int(match.group(1)), class_tokens=match.group(2) or "", is_reg=regular
        )
        parts.append(Part(subset, place, f"{prefix}{folder or root.name}", pictures))
    return parts, notes


def words_for(root: Place, folder: str, count: int) -> str:
    """Why the pictures of a folder are not read."""
    where = root.below(folder).uri if folder else root.uri
    pictures = "picture" if count == 1 else "pictures"
    why = "as in kohya only folders named 10_words are, and nothing deeper in them"
    return f"{where}: {count} {pictures} not read: {why}"
