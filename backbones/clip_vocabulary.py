"""CLIP's own tokenizer, which all Stable Diffusions share: made from the vocabulary that comes with open_clip."""

from __future__ import annotations

import gzip
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from core.errors import MissingExtra

FIRST, LAST = "<|startoftext|>", "<|endoftext|>"
SIZE = 49408
"""tokens; a text encoder with another number has another vocabulary"""
LENGTH = 77
"""tokens that a text encoder takes"""


@lru_cache(maxsize=1)
def vocabulary() -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Numbers by token, and the merges in their order: what ``vocab.json`` and ``merges.txt`` hold.

    The 256 bytes as characters, the same at a word's end, one token for each merge, begin and end.
    """
    found = find_spec("open_clip")
    file = Path(found.origin).parent / "bpe_simple_vocab_16e6.txt.gz" if found and found.origin else None
    if file is None or not file.is_file():
        raise MissingExtra("CLIP's vocabulary comes with the package open_clip_torch, which is not installed")
    signs = list(bytes_as_signs())
    lines = gzip.decompress(file.read_bytes()).decode().split("\n")
    merges = [(first, second) for first, second in map(str.split, lines[1 : SIZE - 2 * len(signs) - 2 + 1])]
    tokens = [*signs, *(f"{sign}</w>" for sign in signs), *("".join(pair) for pair in merges), FIRST, LAST]
    return {token: number for number, token in enumerate(tokens)}, merges


def bytes_as_signs() -> str:
    """A printable character for each byte, in CLIP's order: those that are printable, then the others, moved up."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    return "".join(map(chr, [*plain, *range(256, 512 - len(plain))]))


def clip_tokenizer(padding: str = LAST) -> Any:
    """A `CLIPTokenizer`; the second of SDXL fills up with "!"."""
    from transformers import CLIPTokenizer

    numbers, merges = vocabulary()
    return CLIPTokenizer(
        vocab=dict(numbers),
        merges=list(merges),
        bos_token=FIRST,
        eos_token=LAST,
        unk_token=LAST,
        pad_token=padding,
        model_max_length=LENGTH,
    )
