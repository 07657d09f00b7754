"""Kohya's data as it is: folders named `10_words`, or a dataset file (.toml, .json) with its subsets."""

import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import replace

from core.errors import SourceError
from curation.exported import as_exported, rows_at
from curation.kohya_config import Subset, read_config
from curation.kohya_folders import parts_below
from curation.kohya_pictures import Part, in_folder, named_in_metadata, told
from curation.places import Place, is_url
from curation.source import Found, Source, of_path
from curation.walking import is_there, printable

CONFIGS = (".toml", ".json")


class Kohya(Source):
    """Repeats become weights, class words a tag and, where nothing else is said, the caption; both as in kohya.

    Pictures of regularisation sets are tagged `regularisation`: they are never held out, take no training picture's
    place among duplicates, and are left out of training as long as there is no prior preservation. Tokens that stay in
    place are tagged `keep_tokens=N`. A key that is not taken over is told in a note; one that would change what
    pictures mean is refused.
    """

    path: str
    """a folder with folders named `10_words` (also in `img`, `train`, `reg`), or a dataset file; URLs of fsspec too"""
    regularisation: str = ""
    """another folder with such folders, kohya's reg_data_dir; of a dataset file, `is_reg` says it"""
    label: str = ""
    """the source's name; empty: that of the folder or file"""
    caption_extension: str = ""
    """the captions' suffix where a dataset file says none; empty: `.caption` as in kohya, and for folders the first of
    .txt, .caption and .json that is there"""
    class_captions: bool = True
    """a picture without a caption gets its class words as one, as in kohya; false: the recipe's captioner writes it"""
    ignore: tuple[str, ...] = ()
    """keys of the dataset file to leave out although they change what pictures mean, such as `alpha_mask`"""

    @property
    def name(self) -> str:
        return of_path(self.label, self.path, *CONFIGS)

    @property
    def root(self) -> str:
        if self.label or self.place.name.lower().endswith(CONFIGS):  # its pictures lie anywhere
            return ""
        return printable(f"{self.place.uri.rstrip('/')}/")

    @property
    def place(self) -> Place:
        """Where it stands."""
        return Place.of(self.path)

    @property
    def waits(self) -> int:
        return 0 if self.place.is_local else 8

    def pictures(self) -> Iterator[Found]:
        if self.place.name.lower().endswith(CONFIGS):
            root, (found, notes) = self.place.parent, self._from_config()
        else:
            root, (found, notes) = self.place, self._from_folders()
        rows, note = rows_at(root)
        known, never = as_exported(found, rows, root)
        if never:
            notes.append(f"{never} pictures have less than 1 repeat, so they are not read, as in kohya")
        found, shared = distinct(sorted(known, key=lambda picture: picture.name))
        if shared:
            words = "their repeats are added up, and what the first says of them holds"
            notes.append(f"{shared} pictures stand in several sets: {words}")
        if not found:
            raise SourceError(f"{self.place.uri} names no picture that is there\n" + "\n".join(notes))
        words = "; ".join(word for word in (*notes, note, found[0].note) if word)
        yield replace(found[0], note=words)
        yield from found[1:]

    def _from_folders(self) -> tuple[list[Found], list[str]]:
        extensions = [dotted(self.caption_extension)] if self.caption_extension else [".txt", ".caption", ".json"]
        parts, notes = parts_below(self.place)
        if self.regularisation:
            more, words = parts_below(Place.of(self.regularisation), is_reg=True, prefix="regularisation/")
            parts, notes = [*parts, *more], [*notes, *words]
        return self._told(parts, notes, extensions)

    def _from_config(self) -> tuple[list[Found], list[str]]:
        if self.regularisation:
            raise SourceError(f"{self.place.uri}: a dataset file says itself what regularises (is_reg = true)")
        subsets, notes = read_config(self.place, self.ignore)
        parts, found = [], []
        for at, subset in enumerate(subsets):
            if any(same_set(subset, earlier) for earlier in subsets[:at]):
                notes.append(
                    f"{self.place.name}: {subset.image_dir or subset.metadata_file} stands twice; once is read"
                )
                continue
            folder = self._resolved(subset.image_dir, notes) if subset.image_dir else None
            label = self._label(subset.image_dir, folder) if folder else ""
            if subset.metadata_file:
                metadata = self._resolved(subset.metadata_file, notes)
                found += list(named_in_metadata(subset, metadata, folder, label))
            elif folder:
                pictures, deeper = in_folder(folder)
                if deeper or not pictures:
                    notes.append(f"{folder.uri}: {len(pictures)} pictures are read; {deeper} in folders below are not")
                parts.append(Part(subset, folder, label, pictures))
        more, notes = self._told(parts, notes, [dotted(self.caption_extension or ".caption")])
        return [*found, *more], notes

    def _told(self, parts: Sequence[Part], notes: list[str], others: Sequence[str]) -> tuple[list[Found], list[str]]:
        """All pictures of several folders; ``others``: captions' suffixes where the subset says none."""
        found: list[Found] = []
        for part in parts:
            own = part.subset.caption_extension
            found += told(part, [dotted(own)] if own else others, class_captions=self.class_captions)
        return found, notes

    def _resolved(self, path: str, notes: list[str]) -> Place:
        """Where kohya would look, from the folder where the command runs, or else beside the dataset file."""
        here = Place.of(path)
        if is_url(path) or path.startswith(("/", "~")) or is_there(here):
            if is_there(here):
                return here
            raise SourceError(f"{self.place.uri} names {path}, which is not there")
        beside = self.place.parent.below(posixpath.normpath(path))
        if not is_there(beside):
            raise SourceError(f"{self.place.uri} names {path}, which is neither {here.uri} nor {beside.uri}")
        words = (
            f"{self.place.name}: paths in it are taken from its own folder, where kohya takes them from the present one"
        )
        if words not in notes:
            notes.append(words)
        return beside

    def _label(self, path: str, folder: Place) -> str:
        """What names in a folder begin with: its path below the dataset file's, or as written, or its own name."""
        root = self.place.parent.uri.rstrip("/") + "/"
        written = path if not is_url(path) and not path.startswith(("/", "~")) else folder.name
        label = folder.uri.removeprefix(root) if folder.uri.startswith(root) else posixpath.normpath(written)
        return "" if label == "." else folder.name if label.startswith("..") else label


def dotted(extension: str) -> str:
    """``txt`` as ``.txt``, as kohya takes it."""
    return extension if extension.startswith(".") else f".{extension}"


def same_set(one: Subset, other: Subset) -> bool:
    """Whether two subsets of one dataset are the same folder or file: kohya reads the first."""
    keys = [(s.dataset, s.metadata_file or s.image_dir) for s in (one, other)]
    return keys[0] == keys[1]


def distinct(found: Sequence[Found]) -> tuple[list[Found], int]:
    """Each file once, with the weights of all sets that name it, under a name of its own; how many had several."""
    files: dict[str, Found] = {}
    shared: set[str] = set()
    for picture in found:
        first = files.get(picture.uri)
        if first is None:
            files[picture.uri] = picture
        else:
            shared.add(picture.uri)
            files[picture.uri] = replace(first, weight=first.weight + picture.weight)
    names: dict[str, int] = {}
    return [replace(picture, name=unused(picture.name, names)) for picture in files.values()], len(shared)


def unused(name: str, names: dict[str, int]) -> str:
    """The name, with a number behind it where it has been given away."""
    names[name] = names.get(name, 0) + 1
    return name if names[name] == 1 else f"{name} ({names[name]})"
