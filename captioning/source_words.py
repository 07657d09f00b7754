"""What a picture's source says of it: the words in its file name, its folder's class word, and the recipe's trigger."""

import re
from pathlib import PurePosixPath

from core.marks import REGULARISATION, shown
from core.record import Record

NAMES = ("trigger", "class_word", "name", "folder")
"""what every template can use"""

_WORDS = """
img image images dsc dscn dscf pxl photo picture pic pict screenshot scan untitled unnamed download file
copy final edit edited new tmp temp wallpaper jpg jpeg png webp
"""
CAMERA = frozenset(_WORDS.split())
"""what cameras and programs write into names"""
_CODE = re.compile(r"(?=\w*\d)[0-9a-f]{4,}|[uU]\+?[0-9a-f]{4,}", re.I)


def words_in(name: str) -> str:
    """The words in a file name: ``"IMG_0042 redApple-2.png"`` says "red apple", ``"1F34E.svg"`` says nothing."""
    stem = PurePosixPath(name).name
    stem = re.sub(r"\.[A-Za-z0-9]{1,5}$", "", stem)
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", stem)
    kept = []
    for piece in re.split(r"[\s_\-.,;+()\[\]{}#@!&=~'’`^%]+", spaced):
        if _CODE.fullmatch(piece):
            continue
        word = re.sub(r"\d+", "", piece)
        if word and word.lower() not in CAMERA and (len(word) > 1 or word.lower() in ("a", "o") or not word.isascii()):
            kept.append(word.lower())
    return " ".join(kept)


def source_words(record: Record, trigger: str, class_word: str) -> dict[str, str]:
    """The words for a template; without a class word in the recipe the source's tags stand for it.

    A regularisation picture has no trigger: it shows the class without the subject.
    """
    folder = PurePosixPath(record.name).parent.name
    return {
        "trigger": "" if REGULARISATION in record.tags else trigger,
        "class_word": class_word or ", ".join(shown(record.tags)),
        "name": words_in(record.name),
        "folder": words_in(f"{folder}.x") if folder else "",
    }
