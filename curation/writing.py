"""What an ingest found out, written a batch at a time: pictures, then captions, then the records that name them."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from core.caption import Caption
from core.hashing import sha256_of
from core.pixels import Pixels
from core.record import Record, Value
from curation.duplicates import thumbnail_key
from curation.looking import Looked
from curation.measure import Frame, Measured
from curation.reading import Reading
from curation.records import as_found, back, caption_of, is_frame, is_same_file, read_anew
from curation.source import Found
from store.image import Image
from store.store import Store


@dataclass(slots=True)
class Batch:
    """Some files of one source, with what was known of them before."""

    source: str
    reading: Reading
    before: Mapping[str, list[Record]]
    """by the file's name; frames of animated pictures too"""
    captions: Mapping[str, Caption]
    """by record"""
    counts: Counter[str]
    """``new``, ``decoded`` and ``returned`` are counted here"""
    done: list[tuple[Found, Record]] = field(default_factory=list)
    images: list[Image] = field(default_factory=list)
    thumbnails: dict[str, Pixels] = field(default_factory=dict)
    size: int = 0
    """bytes of ``images``"""

    def keep(self, found: Found, record: Record) -> None:
        """A file that has not changed, and with it the frames that were taken of it."""
        self.done.append((found, self.back(record)))
        for frame in self.before.get(found.name, ()):
            taken = is_frame(frame) and frame.drawn.get("taken") == self.reading.taken
            if taken and is_same_file(frame, found):
                self.done.append((found, self.back(frame)))

    def take(self, looked: Looked) -> None:
        """A file that was read."""
        record = self.record(looked.found.name, looked.found, looked.sha256)
        assert looked.result is not None, f"{looked.found.name} was not measured"
        self.done.append((looked.found, read_anew(record, looked.result, self.reading)))
        if isinstance(looked.result, Measured):
            self.counts["decoded"] += 1
            self.hold(looked.data, looked.sha256, looked.result)
            for frame in looked.result.frames:
                self.done.append((looked.found, self.frame(looked.found, record, frame)))

    def frame(self, found: Found, first: Record, frame: Frame) -> Record:
        """A later frame as a record of its own."""
        sha256 = sha256_of(frame.data) if frame.data else ""
        record = self.record(f"{found.name}#{frame.number}", found, sha256)
        if isinstance(frame.result, Measured):
            self.hold(frame.data, sha256, frame.result)
        record = read_anew(record, frame.result, self.reading)
        drawn: dict[str, Value] = {"frame": frame.number, "first": first.id, "taken": self.reading.taken}
        return replace(record, drawn={**record.drawn, **drawn})

    def hold(self, data: bytes, sha256: str, result: Measured) -> None:
        """Bytes and thumbnail of a picture that can be decoded."""
        self.thumbnails[thumbnail_key(sha256, self.reading.key)] = result.thumbnail
        self.images.append(Image(sha256, data, result.media_type, result.width, result.height))
        self.size += len(data)

    def record(self, name: str, found: Found, sha256: str) -> Record:
        """The record that the picture has already, or a new one."""
        new = Record(Record.id_of(self.source, name, sha256), sha256, self.source, name, found.uri)
        for record in self.before.get(found.name, ()):
            if record.id == new.id:
                return self.back(record)
        self.counts["new"] += 1
        return new

    def back(self, record: Record) -> Record:
        """The record, no longer set aside."""
        self.counts["returned"] += record.verdict == "removed"
        return back(record)

    def write(self, store: Store) -> list[Record]:
        """Put everything into the store; the records as they are now."""
        store.put_images(self.images)
        store.cache("embeddings").put(self.thumbnails)
        for record in self.silenced():
            store.edit_caption(record, "")
        store.put_captions(self.said())
        # a file's own record says that its frames are there, so it is written after them
        ordered = sorted(self.done, key=lambda one: not is_frame(one[1]))
        store.put_records(as_found(record, found) for found, record in ordered)
        written = [record for _, record in self.done]
        self.done, self.images, self.thumbnails, self.size = [], [], {}, 0
        return written

    def said(self) -> Iterator[Caption]:
        """The user captions that what stands beside the pictures changes.

        A picture that was edited is another record, which takes over the caption of the one that it was.
        """
        for found, record in self.done:
            user = self.user_after(found, record)
            if user and user != self.user(record.id):
                yield Caption(record.id, user=user)

    def silenced(self) -> list[str]:
        """The records whose caption stood beside them and does no longer."""
        return [record.id for found, record in self.done if self.user(record.id) and not self.user_after(found, record)]

    def user_after(self, found: Found, record: Record) -> str:
        """What a person says of a record, now that its file was looked at."""
        earlier = self.earlier(found, record)
        return caption_of(self.user(earlier.id) if earlier else "", earlier, found)

    def earlier(self, found: Found, record: Record) -> Record | None:
        """What the picture was before: the same record, or the one that it was edited from."""
        there = [one for one in self.before.get(found.name, ()) if one.name == record.name]
        same = next((one for one in there if one.id == record.id), None)
        return same or next((one for one in there if one.verdict != "removed"), None)

    def user(self, record: str) -> str:
        """What a person said of a record before."""
        return self.captions[record].user if record in self.captions else ""
