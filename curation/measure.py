"""One decode feeds everything: bytes in; size, hashes, thumbnail and all scores out, as a worker sends them back."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.hashing import digest
from core.pixels import Pixels
from core.record import Reason
from curation import decode, perceptual, view
from curation.decode import Matte, Undecodable
from curation.filter import Filter
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


def reading(matte: Matte, max_pixels: int) -> str:
    """Names the way pictures are read: a record that was read in another way is read again."""
    return digest("reading", decode.VERSION, perceptual.VERSION, view.VERSION, matte, max_pixels)


def measured(data: bytes, filters: Sequence[Filter], matte: Matte, max_pixels: int) -> Measured | Reason:
    """Decode and measure; a refusal is a reason."""
    try:
        picture = decode.decode(data, matte=matte, max_pixels=max_pixels)
        seen = View(picture.pixels, picture.alpha)
        quality: dict[str, float] = {}
        for one in filters:
            quality |= one.measure(seen)
        phash, mirrored = perceptual.hashes(seen.thumbnail_grey)
        return Measured(picture.width, picture.height, picture.media_type, phash, mirrored, seen.thumbnail, quality)
    except Undecodable as error:
        return error.reason
    except MemoryError:
        return Reason("too_much_memory", "measuring it takes more memory than one picture may have")


def to_json(result: Measured | Reason) -> str:
    """One line, for a worker to send."""
    if isinstance(result, Reason):
        return json.dumps({"code": result.code, "words": result.words})
    return json.dumps(
        {
            "width": result.width,
            "height": result.height,
            "media_type": result.media_type,
            "phash": result.phash,
            "phash_mirrored": result.phash_mirrored,
            "thumbnail": base64.b64encode(result.thumbnail.tobytes()).decode(),
            "quality": {name: float(score) for name, score in result.quality.items()},
        }
    )


def from_json(line: str) -> Measured | Reason:
    """What `to_json` wrote."""
    said = json.loads(line)
    if "code" in said:
        return Reason(said["code"], said["words"])
    thumbnail = np.frombuffer(base64.b64decode(said.pop("thumbnail")), np.uint8)
    return Measured(thumbnail=thumbnail.reshape(THUMBNAIL, THUMBNAIL, 3), **said)
