"""Paths that stand for several places: ``shards/{000..012}.tar``, ``part-*.zip``, on a disk or behind a URL."""

import glob
import os
import re

from core.errors import SourceError
from curation.places import Place, is_url, is_web, remote, told

_BRACES = re.compile(r"\{(?:(\d+)\.\.(\d+)|([^{}]*,[^{}]*))\}")
MOST = 1_000_000
"""places that braces may spell out"""


def matching(pattern: str) -> list[Place]:
    """What a path with ``{000..012}``, ``{a,b}``, ``*``, ``?`` or ``[...]`` stands for, in order, each once.

    A path without these, and each that braces spell out, is given whether it is there or not.
    """
    if not is_url(pattern) and os.path.lexists(Place.of(pattern).uri):
        return [Place.of(pattern)]
    places: dict[str, Place] = {}
    for one in in_braces(pattern):
        for place in in_stars(one):
            places.setdefault(place.uri, place)
    return list(places.values())


def is_pattern(path: str) -> bool:
    """Whether a path may stand for several."""
    if not is_url(path) and os.path.lexists(Place.of(path).uri):
        return False
    return bool(_BRACES.search(path)) or (not is_web(path) and glob.has_magic(path))


def in_braces(pattern: str) -> list[str]:
    """``a-{08..10}.tar`` as ``a-08.tar``, ``a-09.tar``, ``a-10.tar``; zeros in front are kept."""
    found = _BRACES.search(pattern)
    if found is None:
        return [pattern]
    first, last, words = found.groups()
    if words is None:
        if abs(int(last) - int(first)) >= MOST:
            raise SourceError(f"{pattern}: {found.group()} spells out more than {MOST:,} places")
        step = 1 if int(first) <= int(last) else -1
        choices = [f"{number:0{len(first)}}" for number in range(int(first), int(last) + step, step)]
    else:
        choices = words.split(",")
    before, after = pattern[: found.start()], pattern[found.end() :]
    rest = in_braces(after)
    if len(choices) * len(rest) > MOST:
        raise SourceError(f"{pattern} spells out more than {MOST:,} places")
    return [before + choice + end for choice in choices for end in rest]


def in_stars(pattern: str) -> list[Place]:
    """What is there for a pattern with ``*``, ``?`` or ``[...]``; a path without them as it is."""
    place = Place.of(pattern)
    if is_web(pattern) or not glob.has_magic(pattern):
        return [place]
    if place.is_local:
        return [Place(path) for path in sorted(glob.glob(place.uri, recursive=True))]  # noqa: PTH207
    system, path = remote(place.uri)
    with told(pattern):
        system.invalidate_cache()
        return [Place(system.unstrip_protocol(found)) for found in sorted(system.glob(path))]
