"""A CLIP-style byte BPE of 2,048 tokens, learnt from the captions, in the files that CLIPTokenizer reads."""

import itertools
import json
import random
from collections import Counter
from pathlib import Path

from tokenizers import Regex, pre_tokenizers
from transformers import CLIPTokenizer

from scripts.pocket.captions import NAMES, Truth, caption
from scripts.pocket.concepts import Concept
from scripts.pocket.packages import STYLES

SIZE = 2048
CONTEXT = 77
START, END = "<|startoftext|>", "<|endoftext|>"


def corpus(concepts: list[Concept]) -> list[str]:
    """Captions of every kind, several for each concept, and plain words of prompts."""
    rng = random.Random("corpus")
    texts = [
        "an openmoji style emoji of a sks squid, a photo of a drawing, a painting in the style of, black and white"
    ] * 5
    for concept in concepts:
        for _ in range(4):
            colours = tuple(rng.sample(NAMES, 2))
            size = rng.choice(("", "small", "large"))
            truth = Truth(concept, rng.choice(tuple(STYLES)), colours, rng.choice(NAMES), size)
            texts.append(caption(truth, rng))
        texts.append(f"{concept.name} {' '.join(concept.tags)}")
    return texts


WORD = Regex(r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+")
"""CLIP's own way to cut a text into words."""


def learn(texts: list[str], count: int) -> list[tuple[str, str]]:
    """Byte-pair merges, most frequent first, ties by the alphabet (the library's trainer breaks them by chance)."""
    cut = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(WORD, behavior="removed", invert=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    words = Counter(word for text in texts for word, _ in cut.pre_tokenize_str(text.lower()))
    pieces = {word: [*word[:-1], word[-1] + "</w>"] for word in words}
    merges: list[tuple[str, str]] = []
    while len(merges) < count:
        pairs: Counter[tuple[str, str]] = Counter()
        for word, parts in pieces.items():
            for pair in itertools.pairwise(parts):
                pairs[pair] += words[word]
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        merges.append(best)
        for word, parts in pieces.items():
            if best[0] in parts:
                pieces[word] = joined(parts, best)
    return merges


def joined(parts: list[str], pair: tuple[str, str]) -> list[str]:
    """Join this pair wherever it stands."""
    out: list[str] = []
    for part in parts:
        if out and (out[-1], part) == pair:
            out[-1] += part
        else:
            out.append(part)
    return out


def make(concepts: list[Concept], folder: Path) -> None:
    """Write vocab.json, merges.txt and tokenizer_config.json: 256 bytes, 256 word ends, merges, start, end.

    Files that are there stay: the CLIP in training knows their numbers.
    """
    if (folder / "vocab.json").exists():
        return
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = learn(corpus(concepts), SIZE - 2 * len(alphabet) - 2)
    tokens = [*alphabet, *(byte + "</w>" for byte in alphabet), *("".join(pair) for pair in merges), START, END]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({token: i for i, token in enumerate(tokens)}, ensure_ascii=False))
    lines = ["#version: 0.2", *(" ".join(pair) for pair in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n")
    config = {
        "tokenizer_class": "CLIPTokenizer",
        "bos_token": START,
        "eos_token": END,
        "unk_token": END,
        "pad_token": END,
        "model_max_length": CONTEXT,
        "do_lower_case": True,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")


class Encoder:
    """Texts to padded ids, each text cut up only once."""

    def __init__(self, folder: Path) -> None:
        """Read the tokenizer from ``folder``."""
        self.tokenizer = CLIPTokenizer.from_pretrained(str(folder))
        self.known: dict[str, list[int]] = {}

    def ids(self, text: str) -> list[int]:
        """With start and end, at most 77."""
        if text not in self.known:
            self.known[text] = self.tokenizer(text, truncation=True, max_length=CONTEXT)["input_ids"]
        return self.known[text]
