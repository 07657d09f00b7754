"""Captions that stand beside pictures: ``cat.txt``, ``cat.caption`` or ``cat.json``, in folders as in archives."""

import json
from collections.abc import Callable
from pathlib import PurePosixPath

CAPTIONS = (".txt", ".caption", ".json")
"""what may stand beside a picture, the first that is there wins: ``cat.txt`` or ``cat.png.txt`` beside ``cat.png``"""
LONGEST = 1 << 20

Read = Callable[[str], bytes]
"""a sidecar's bytes by its name, at most one more than `LONGEST`; `FileNotFoundError` where there is none"""


def names_beside(picture: str) -> list[str]:
    """Where a caption may stand, in order."""
    stem = picture.removesuffix(PurePosixPath(picture).suffix)
    return [*(stem + end for end in CAPTIONS), *(picture + end for end in CAPTIONS)]


def caption_beside(picture: str, read: Read, where: Callable[[str], str] = str) -> tuple[str, str]:
    """``(caption, note)`` of a picture by its name; ``where`` makes a name what people are shown."""
    for name in names_beside(picture):
        try:
            data = read(name)
        except FileNotFoundError:
            continue
        except OSError as error:
            return "", f"{where(name)} cannot be read ({error.strerror or error}), so its caption was left out"
        return caption_in(data, name, where(name))
    return "", ""


def caption_in(data: bytes, name: str, where: str) -> tuple[str, str]:
    """``(caption, note)`` in a sidecar's bytes; ``where`` is what people are shown."""
    if len(data) > LONGEST:
        return "", f"{where} has more than {LONGEST:,} bytes, so it was not taken for a caption"
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return "", f"{where} is not UTF-8, so its caption was left out: save it as UTF-8"
    return from_json(text, where) if name.lower().endswith(".json") else (tidy(text), "")


def tidy(words: str) -> str:
    """One line that can be stored; half a character, which JSON can say, becomes ``?``."""
    return " ".join(words.encode("utf-8", "replace").decode().split())


def from_json(text: str, where: str) -> tuple[str, str]:
    """The caption in ``{"caption": "..."}`` or in a JSON string."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        return "", f"{where} is not JSON ({error}), so its caption was left out"
    if isinstance(value, dict):
        value = value.get("caption", "")
    if not isinstance(value, str):
        return "", f'{where} holds no caption: expected {{"caption": "words"}}'
    return tidy(value), ""
