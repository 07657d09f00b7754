"""How pictures are read: on which ground, how large and how slow they may be, which frames of animated ones."""

from functools import cached_property
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from core.hashing import digest
from core.record import Record
from curation import decode, perceptual, view
from curation.decode import MAX_PIXELS, WHITE, Matte

Level = Annotated[int, Field(ge=0, le=255)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", ignored_types=(cached_property,))


class Frames(_Section):
    """Which frames of an animated picture become pictures of their own, beside the first, which the file stands for."""

    every: int = Field(default=10, ge=1)
    """each so many frames one is taken"""
    most: int = Field(default=16, ge=1)
    """and no more than so many of one file, the first counted"""

    def of(self, num_frames: int) -> range:
        """The frames to take beside the first."""
        return range(self.every, num_frames, self.every)[: self.most - 1]


class Reading(_Section):
    """How the files of the source are read. Another way means that they are read again."""

    matte: tuple[Level, Level, Level] = WHITE
    """the colour (red, green, blue, 0 to 255) that shows where a picture is transparent"""
    max_pixels: int = Field(default=MAX_PIXELS, ge=1)
    """larger pictures are refused before they are unpacked"""
    seconds: float = Field(default=30.0, gt=0)
    """how long one file may take"""
    frames: Frames | None = None
    """of animated GIF, PNG, WebP and AVIF: every n-th frame as a picture of its own; none: the first frame only"""

    @cached_property
    def key(self) -> str:
        """Names the way pixels are made: a record that was read in another way is read again."""
        versions = (decode.VERSION, perceptual.VERSION, view.VERSION)
        said = () if self.matte == WHITE else ("said",)  # by the record: one that does not say it is read again
        return digest("reading", *versions, self.matte, self.max_pixels, *said)

    @property
    def taken(self) -> str:
        """Names the frames that are taken, as the records of animated pictures remember it; empty: the first only."""
        return f"every {self.frames.every}, at most {self.frames.most}" if self.frames else ""

    @property
    def ground(self) -> str:
        """The matte as records remember it; empty for white."""
        return "" if self.matte == WHITE else "#{:02x}{:02x}{:02x}".format(*self.matte)


def matte_of(record: Record) -> Matte:
    """The colour that a picture was laid onto when it was read."""
    said = bytes.fromhex(str(record.drawn.get("matte", "")).removeprefix("#"))
    return (said[0], said[1], said[2]) if said else WHITE
