"""A Hugging Face dataset: an image folder with metadata.jsonl, .csv or .parquet, or parquet files with the pictures."""

import re
from collections.abc import Iterator

from core.errors import SourceError
from curation.image_folders import names_below, parquet_files, pictures_with_metadata
from curation.parquet_pictures import pictures_in
from curation.patterns import is_pattern, matching
from curation.places import Place, Stat
from curation.source import Found, Refused, Source, failing, of_path, root_of


class Huggingface(Source):
    """Read only. In a folder both are found: parquet files with pictures, and pictures with what metadata says of them.

    Class labels of parquet files become tags. Of a caption that is a list the first one is taken.
    """

    path: str
    """a folder, a parquet file, a pattern such as ``train-*.parquet``, or a URL such as
    ``hf://datasets/OWNER/NAME/data``"""
    label: str = ""
    """the source's name; empty: that of the folder or file"""
    image: str = ""
    """the column of pictures in parquet files; empty: the one that the file describes as such, or image, img ..."""
    caption: str = ""
    """the column of captions; empty: the first that is called caption, text, prompt ..., if there is one"""

    anywhere: bool = False
    """also read files that rows of a parquet file name outside of its folder, as `Dataset.to_parquet` writes them; only
    for what you made yourself"""

    @property
    def name(self) -> str:
        return of_path(self.label, self.path, ".parquet")

    @property
    def root(self) -> str:
        return root_of(self.label, self.path, "")

    @property
    def waits(self) -> int:
        return 0 if Place.of(self.path).is_local else 8

    def pictures(self) -> Iterator[Found]:
        if is_pattern(self.path):
            yield from self.of_files([(place, place.name) for place in matching(self.path)])
            return
        place = Place.of(self.path)
        if not there(place).is_folder:
            yield from self.of_files([(place, place.name)])
            return
        names = names_below(place)
        tables = parquet_files(names)
        if tables:
            yield from self.of_files([(place.below(name), name) for name in tables])
        try:
            yield from pictures_with_metadata(place, names, self.caption)
        except SourceError:
            if not tables:
                raise

    def of_files(self, places: list[tuple[Place, str]]) -> Iterator[Found]:
        """The pictures of parquet files; those of one set, such as train-00000-of-00004, are counted as one."""
        taken: dict[str, int] = {}
        found, mistakes = False, []
        for place, name in places:
            prefix = re.sub(r"-\d+-of-\d+(-[0-9a-f]{16})?$", "", name.removesuffix(".parquet"))
            try:
                for picture in pictures_in(
                    place, prefix, taken, image=self.image, caption=self.caption, anywhere=self.anywhere
                ):
                    found = True
                    yield picture
            except SourceError as error:
                mistakes.append(error)
                if len(places) > 1:
                    yield Found(name, place.uri, 0, 0, failing(Refused("unreadable", str(error))))
        if not found:
            raise mistakes[0] if mistakes else SourceError(f"{self.path} holds no pictures")


def there(place: Place) -> Stat:
    """What is known of a place; `SourceError` where it is not there."""
    try:
        return place.stat()
    except FileNotFoundError:
        raise SourceError(f"{place.uri} does not exist: `path` must be a folder or a parquet file") from None
    except OSError as error:
        raise SourceError(f"{place.uri} cannot be read: {error.strerror or error}") from None
