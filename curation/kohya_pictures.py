"""The pictures of one kohya subset: files directly in its folder, or those that its metadata file names."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from core.errors import SourceError
from curation import formats
from curation.kohya_config import Subset
from curation.kohya_words import Wording, with_tags, wording
from curation.places import Place
from curation.sidecars import LONGEST
from curation.source import Found, failing
from curation.walking import looked_at, pictures_below, printable, read_sidecar, remote_picture

KNOWN = frozenset(("abs_path", "caption", "image_path", "image_size", "latents_npz", "tags", "train_resolution"))
"""of a metadata file's entry: caption and tags are taken, the others are measured anew"""


@dataclass(frozen=True, slots=True)
class Part:
    """One subset where it stands."""

    subset: Subset
    folder: Place
    label: str
    """what its pictures' names begin with"""
    pictures: Sequence[Found] = ()
    """those directly in the folder, named below it"""

    def named(self, name: str) -> str:
        """A picture's name in the source."""
        return f"{self.label}/{name}" if self.label else name


def in_folder(place: Place) -> tuple[list[Found], int]:
    """``(pictures directly in a folder, how many lie deeper)``; kohya does not read those."""
    try:
        found = list(pictures_below(place))
    except SourceError:
        return [], 0
    direct = [picture for picture in found if "/" not in picture.name]
    return direct, len(found) - len(direct)


def told(part: Part, extensions: Sequence[str], *, class_captions: bool) -> Iterator[Found]:
    """The pictures of a folder with caption, tags and weight; the first carries what holds for all."""
    subset, picked, passed_over, found = part.subset, 0, 0, []
    for picture in part.pictures:
        text, note = text_beside(part.folder, picture.name, extensions)
        if text is None and not note:
            from_json = picture.caption if ".json" in extensions else ""
            passed_over += bool(picture.caption and not from_json)
            text = from_json or (subset.class_tokens or "" if class_captions else None)
        said = Wording("", subset.keep_tokens) if text is None else wording(text, subset, picture.name)
        picked += said.picked
        found.append(as_told(replace(picture, name=part.named(picture.name)), subset, said, note))
    notes = wildcard_note(part.folder.uri, picked)
    if passed_over:
        notes += (
            f"{part.folder.uri}: {passed_over} pictures have a caption that is not read, because caption_extension is "
            f"{extensions[0]!r} as in kohya: set caption_extension, in the dataset file or beside `path`",
        )
    return with_notes(found, notes)


def as_told(picture: Found, subset: Subset, said: Wording, note: str) -> Found:
    """The picture as its subset says."""
    tags = subset.tags(said.keep, said.keep_last)
    return replace(picture, caption=said.text, tags=tags, weight=float(subset.num_repeats), note=note)


def wildcard_note(where: str, picked: int) -> tuple[str, ...]:
    """What is told of captions that kohya would draw anew at each step."""
    if not picked:
        return ()
    words = f"{where}: {picked} captions have several lines or wildcards; one was drawn for each picture and holds"
    return (f"{words}, where kohya draws at each step",)


def with_notes(found: Sequence[Found], notes: Sequence[str]) -> Iterator[Found]:
    """The same pictures, the first with these notes before its own."""
    for at, picture in enumerate(found):
        words = [*(notes if at == 0 else ()), picture.note]
        yield replace(picture, note="; ".join(word for word in words if word))


def text_beside(folder: Place, picture: str, extensions: Sequence[str]) -> tuple[str | None, str]:
    """``(text, note)`` of the first caption file that is there; no text where there is none."""
    stem = picture.removesuffix(PurePosixPath(picture).suffix)
    for extension in extensions:
        if extension == ".json":
            continue
        place = folder.below(stem + extension)
        where = printable(place.uri)
        try:
            data = read_sidecar(place.uri) if place.is_local else place.read(0, LONGEST + 1)
            if len(data) <= LONGEST:
                return data.decode("utf-8-sig"), ""
            return None, f"{where} has more than {LONGEST:,} bytes, so it was not taken for a caption"
        except FileNotFoundError:
            continue
        except UnicodeDecodeError:
            return None, f"{where} is not UTF-8, so its caption was left out: save it as UTF-8"
        except OSError as error:
            return None, f"{where} cannot be read ({error.strerror or error}), so its caption was left out"
    return None, ""


def named_in_metadata(subset: Subset, metadata: Place, folder: Place | None, label: str) -> Iterator[Found]:
    """The pictures that a metadata file names; one that is not there is told as a picture that cannot be read."""
    entries = metadata_of(metadata)
    pictures = (
        list(pictures_below(folder)) if folder is not None and any(not is_absolute(key) for key in entries) else []
    )
    by_name = {picture.name: picture for picture in pictures}
    by_stem = {str(PurePosixPath(picture.name).with_suffix("")): picture for picture in pictures}
    found, picked, unknown = [], 0, set()
    for key, entry in entries.items():
        if not is_absolute(key) and folder is None:
            raise SourceError(f"{metadata.uri} names {key!r}, which needs an image_dir that it stands in")
        if is_absolute(key):
            picture = absolute(key)
        else:
            name = str(PurePosixPath(key))
            near = by_name.get(name) or by_stem.get(name) or absent(key, f"{metadata.name} names it")
            picture = replace(near, name=f"{label}/{near.name}" if label else near.name)
        caption, tags = (str(entry.get(word) or "") for word in ("caption", "tags"))
        said = wording(with_tags(caption, tags, subset), subset, picture.name)
        picked += said.picked
        unknown |= entry.keys() - KNOWN
        found.append(as_told(picture, subset, said, ""))
    notes = wildcard_note(metadata.uri, picked)
    if unknown:
        notes += (f"{metadata.uri}: not taken over from its entries: {', '.join(sorted(unknown))}",)
    return with_notes(found, notes)


def metadata_of(place: Place) -> Mapping[str, Mapping[str, Any]]:
    """Path -> what is said of it, from ``{"path": {...}}`` or from lines of ``{"image_path": ...}``."""
    try:
        text = place.read().decode("utf-8-sig")
        if place.name.lower().endswith(".jsonl"):
            lines = [json.loads(line) for line in text.split("\n") if line.strip()]
            value = {line["image_path"]: line for line in lines}
        else:
            value = json.loads(text)
    except OSError as error:
        raise SourceError(f"metadata_file {place.uri} cannot be read: {error.strerror or error}") from None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise SourceError(f"metadata_file {place.uri} is not as kohya writes it: {error!r}") from None
    if not isinstance(value, dict) or not all(isinstance(entry, dict) for entry in value.values()):
        raise SourceError(f'metadata_file {place.uri} must hold {{"picture": {{"caption": "words"}}}}')
    return value


def is_absolute(key: str) -> bool:
    """Whether a metadata file says by itself where a picture is."""
    return key.startswith("/") or "://" in key


def absolute(key: str) -> Found:
    """A picture by its full path; named by its folder and file."""
    place = Place.of(key)
    name = printable(f"{place.parent.name}/{place.name}")
    try:
        if place.is_local:
            found = looked_at(place.path, name)
        else:
            found = remote_picture(place.parent, place.name, place.stat(), {})
    except OSError as error:
        return Found(name, printable(place.uri), 0, 0, failing(error))
    return replace(found, name=name) if found is not None else absent(key, "what stands there is no picture")


def absent(key: str, why: str) -> Found:
    """A picture that is named and not there."""
    suffix = "" if formats.looks_meant(key) else " (with any picture's suffix)"
    return Found(printable(key), printable(key), 0, 0, failing(OSError(f"{why}, but it is not there{suffix}")))
