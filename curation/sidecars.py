"""What stands beside pictures in ``cat.txt``, ``cat.caption`` or ``cat.json``, in folders as in archives."""

import json
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

CAPTIONS = (".txt", ".caption", ".json")
"""what may stand beside a picture, the first that is there wins: ``cat.txt`` or ``cat.png.txt`` beside ``cat.png``"""
LONGEST = 1 << 20
LICENCE = ("license", "licence", "license_name", "licence_name", "rights", "copyright")
"""what a column, or a key of a JSON file, that says the licence is usually called"""
LONGEST_LICENCE = 120

Read = Callable[[str], bytes]
"""a sidecar's bytes by its name, at most one more than `LONGEST`; `FileNotFoundError` where there is none"""


def names_beside(picture: str) -> list[str]:
    """Where a caption may stand, in order."""
    stem = picture.removesuffix(PurePosixPath(picture).suffix)
    return [*(stem + end for end in CAPTIONS), *(picture + end for end in CAPTIONS)]


class Beside(NamedTuple):
    """What stands beside a picture."""

    caption: str = ""
    note: str = ""
    """what a person should hear of it"""
    licence: str = ""


def said_beside(picture: str, read: Read, where: Callable[[str], str] = str) -> Beside:
    """What is said of a picture by its name; ``where`` makes a name what people are shown.

    The first sidecar that is there has the caption; where that is a text, a JSON file beside it may have the licence.
    """
    names = names_beside(picture)
    first = first_there(names, read, where)
    if first is None:
        return Beside()
    name, said = first
    more = None if is_json(name) else first_there(list(filter(is_json, names)), read, where)
    return said if more is None else said._replace(licence=more[1].licence)


def first_there(names: Sequence[str], read: Read, where: Callable[[str], str]) -> tuple[str, Beside] | None:
    """The first of some sidecars that is there, and what it says."""
    for name in names:
        try:
            data = read(name)
        except FileNotFoundError:
            continue
        except OSError as error:
            words = f"{where(name)} cannot be read ({error.strerror or error}), so its caption was left out"
            return name, Beside(note=words)
        return name, said_in(data, name, where(name))
    return None


def is_json(name: str) -> bool:
    """Whether a sidecar is JSON, by its name."""
    return name.lower().endswith(".json")


def said_in(data: bytes, name: str, where: str) -> Beside:
    """What a sidecar's bytes say; ``where`` is what people are shown."""
    if len(data) > LONGEST:
        return Beside(note=f"{where} has more than {LONGEST:,} bytes, so it was not taken for a caption")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return Beside(note=f"{where} is not UTF-8, so its caption was left out: save it as UTF-8")
    return from_json(text, where) if is_json(name) else Beside(tidy(text))


def tidy(words: str) -> str:
    """One line that can be stored; half a character, which JSON can say, becomes ``?``."""
    return " ".join(words.encode("utf-8", "replace").decode().split())


def from_json(text: str, where: str) -> Beside:
    """The caption in ``{"caption": "...", "license": "..."}`` or in a JSON string."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        return Beside(note=f"{where} is not JSON ({error}), so its caption was left out")
    licence = ""
    if isinstance(value, dict):
        licence = licence_of(next((value[key] for key in value if str(key).lower() in LICENCE), None))
        value = value.get("caption", "")
    if not isinstance(value, str):
        return Beside(note=f'{where} holds no caption: expected {{"caption": "words"}}', licence=licence)
    return Beside(tidy(value), licence=licence)


def licence_of(value: object) -> str:
    """What a cell or a key says of the licence, cut to a length that a card can show; numbers say nothing."""
    return tidy(value)[:LONGEST_LICENCE] if isinstance(value, str) else ""
