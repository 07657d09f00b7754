"""One decode feeds everything: bytes in; size, hashes, thumbnail and all scores out, as a worker sends them back."""

import base64
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.pixels import Pixels
from core.record import Reason
from curation import decode, perceptual
from curation.decode import Matte, Room, Undecodable
from curation.filter import Filter
from curation.frames import frames
from curation.reading import Frames
from curation.view import THUMBNAIL, View


@dataclass(frozen=True, slots=True)
class Measured:
    """What ingest keeps of a picture beside its bytes."""

    width: int
    height: int
    media_type: str
    phash: int
    phash_mirrored: int
    thumbnail: Pixels
    quality: dict[str, float]
    num_frames: int = 1
    frames: "tuple[Frame, ...]" = ()
    """of an animated picture those that were asked for, without the first"""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of an animated picture as a picture of its own."""

    number: int
    data: bytes
    """a PNG; empty where it could not be read"""
    result: Measured | Reason


def measured(
    data: bytes,
    filters: Sequence[Filter],
    matte: Matte,
    max_pixels: int,
    taken: Frames | None = None,
    room: Room | None = None,
) -> Measured | Reason:
    """Decode and measure; a refusal is a reason. ``taken``: the frames to take of an animated picture."""
    try:
        picture = decode.decode(data, matte=matte, max_pixels=max_pixels, room=room)
        seen = View(picture.pixels, picture.alpha)
        quality: dict[str, float] = {}
        for one in filters:
            quality |= one.measure(seen)
        phash, mirrored = perceptual.hashes(seen.thumbnail_grey)
        numbers = taken.of(picture.num_frames) if taken else ()
        return Measured(
            picture.width,
            picture.height,
            picture.media_type,
            phash,
            mirrored,
            seen.thumbnail,
            quality,
            picture.num_frames,
            tuple(_frames(data, numbers, filters, matte, max_pixels)),
        )
    except Undecodable as error:
        return error.reason
    except MemoryError:
        return Reason("too_much_memory", "measuring it takes more memory than one picture may have")


def _frames(
    data: bytes, numbers: Sequence[int], filters: Sequence[Filter], matte: Matte, max_pixels: int
) -> Iterator[Frame]:
    """Each frame, up to the first that cannot be read."""
    if not numbers:
        return
    next_one = iter(numbers)
    try:
        for number, png in frames(data, numbers, max_pixels):
            next(next_one)
            yield Frame(number, png, measured(png, filters, matte, max_pixels))
    except Undecodable as error:
        yield Frame(next(next_one), b"", error.reason)


def to_json(result: Measured | Reason) -> str:
    """One line, for a worker to send."""
    return json.dumps(_plain(result))


def from_json(line: str) -> Measured | Reason:
    """What `to_json` wrote."""
    return _result(json.loads(line))


def _plain(result: Measured | Reason) -> dict[str, Any]:
    if isinstance(result, Reason):
        return {"code": result.code, "words": result.words}
    return {
        "width": result.width,
        "height": result.height,
        "media_type": result.media_type,
        "phash": result.phash,
        "phash_mirrored": result.phash_mirrored,
        "thumbnail": base64.b64encode(result.thumbnail.tobytes()).decode(),
        "quality": {name: float(score) for name, score in result.quality.items()},
        "num_frames": result.num_frames,
        "frames": [(one.number, base64.b64encode(one.data).decode(), _plain(one.result)) for one in result.frames],
    }


def _result(said: dict[str, Any]) -> Measured | Reason:
    if "code" in said:
        return Reason(said["code"], said["words"])
    thumbnail = np.frombuffer(base64.b64decode(said.pop("thumbnail")), np.uint8)
    made = tuple(Frame(number, base64.b64decode(data), _result(of)) for number, data, of in said.pop("frames"))
    return Measured(thumbnail=thumbnail.reshape(THUMBNAIL, THUMBNAIL, 3), frames=made, **said)
