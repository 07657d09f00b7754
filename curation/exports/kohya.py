"""Kohya's folders with captions beside the pictures, and a dataset file that names them all."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from core.marks import KEEP_LAST_TOKENS, KEEP_TOKENS, REGULARISATION, shown
from core.progress import track
from curation.export import Export, Item
from curation.export_names import safe, stems, suffix_of, unused, write_new
from curation.exported import FILE

READ = frozenset((".png", ".jpg", ".jpeg", ".webp", ".bmp"))
"""what kohya looks for in any installation"""
CLOSE = 0.05
"""share by which repeats may differ from weights"""
MOST = 100
"""how many times the weights repeats may be"""


@dataclass(frozen=True, slots=True)
class Folder:
    """One folder of pictures that are drawn equally often."""

    holder: str
    """``train``, ``held_out`` or ``regularisation``"""
    repeats: int
    words: str
    keep: str
    """tokens that stay first when captions are shuffled, as a number; empty: none"""


class Kohya(Export):
    """`train/10_words`, `regularisation/1_words` and `held_out/...`; `dataset.toml` for --dataset_config.

    Held-out pictures are not in the dataset file. Repeats are whole numbers, so where weights are not, all are
    multiplied. What kohya has no place for (names, exact weights, tags, groups) stands in `velatura.jsonl`, for
    importing again.
    """

    resolution: int = Field(default=512, ge=0)
    """pixels, as written in the dataset file; 0: the command line says it"""
    caption_extension: str = Field(default=".txt", pattern=r"^\.[A-Za-z0-9]+$")
    """the suffix of the captions' files"""

    def write(self, items: Sequence[Item], folder: Path, stands: Path) -> list[str]:
        times, notes = multiplied(item.record.weight for item in items)
        groups: dict[Folder, list[Item]] = {}
        for item in items:
            groups.setdefault(folder_of(item, times), []).append(item)
        taken: set[str] = set()
        names = {group: name_of(group, taken) for group in groups}
        unread = 0
        with (folder / FILE).open("x") as rows:
            everything = [(group, item) for group in groups for item in groups[group]]
            files = dict(zip(groups, (iter(stems(i.name for i in groups[g])) for g in groups), strict=True))
            for group, item in track(everything, "exporting", len(everything)):
                data = item.read()
                suffix = suffix_of(item.name, data)
                unread += suffix not in READ
                beside = folder / names[group] / next(files[group])
                beside.parent.mkdir(parents=True, exist_ok=True)
                file = beside.with_name(beside.name + suffix)
                write_new(file, data)
                write_new(beside.with_name(beside.name + self.caption_extension), f"{item.caption}\n".encode())
                words = ", ".join(shown((class_words(names[group]),)))
                said = {"file": file.relative_to(folder).as_posix(), "repeats": group.repeats, "words": words}
                rows.write(json.dumps({**said, **item.row()}, ensure_ascii=False) + "\n")
        (folder / "dataset.toml").write_text(self.dataset_file(names, stands), encoding="utf-8")
        if unread:
            which = "1 picture is of a format" if unread == 1 else f"{unread} pictures are of formats"
            notes.append(f"{which} that kohya reads with a plugin or not at all")
        if any(tag.startswith(KEEP_LAST_TOKENS) for item in items for tag in item.tags):
            notes.append(f"tags {KEEP_LAST_TOKENS}N stand in {FILE} only: kohya cannot be told without a separator")
        return notes

    def dataset_file(self, names: dict[Folder, str], stands: Path) -> str:
        """The text of `dataset.toml`; its paths are absolute, because kohya takes others from where it is started."""
        lines = ["[general]", f"caption_extension = {quoted(self.caption_extension)}", "enable_bucket = true"]
        lines += ["", "[[datasets]]", *([f"resolution = {self.resolution}"] if self.resolution else [])]
        for group, name in names.items():
            if group.holder == "held_out" or group.repeats < 1:
                continue
            lines += ["", "  [[datasets.subsets]]", f"  image_dir = {quoted(str(stands / name))}"]
            lines += [f"  num_repeats = {group.repeats}", f"  class_tokens = {quoted(class_words(name))}"]
            lines += ["  is_reg = true"] if group.holder == REGULARISATION else []
            lines += [f"  keep_tokens = {group.keep}"] if group.keep else []
        return "\n".join(lines) + "\n"


def folder_of(item: Item, times: int) -> Folder:
    """Where a picture belongs."""
    weight = item.record.weight
    repeats = max(1, round(weight * times)) if weight > 0 else 0
    keep = next((tag.removeprefix(KEEP_TOKENS) for tag in item.tags if tag.startswith(KEEP_TOKENS)), "")
    holder = REGULARISATION if REGULARISATION in item.tags else item.side
    return Folder(holder, repeats, safe(", ".join(shown(item.tags))), keep if keep.isdecimal() else "")


def name_of(group: Folder, taken: set[str]) -> str:
    """The folder's path, such as ``train/10_sks dog``."""
    return unused(f"{group.holder}/{group.repeats}_{group.words}", taken)


def class_words(name: str) -> str:
    """What a folder's name says of its pictures."""
    return name.rpartition("/")[2].partition("_")[2]


def multiplied(weights: Iterable[float]) -> tuple[int, list[str]]:
    """By how much weights are multiplied to be nearly whole numbers, and words about it."""
    different = sorted({weight for weight in weights if weight > 0})
    for times in range(1, MOST + 1):
        if all(abs(max(1, round(w * times)) - w * times) <= CLOSE * w * times for w in different):
            break
    if times == 1:
        return 1, []
    return times, [f"repeats are {times} times the weights, since kohya's are whole numbers: an epoch is longer"]


def quoted(text: str) -> str:
    """A TOML string."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
