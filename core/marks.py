"""Tags that say how a picture is to be used, not what it shows: they are never words of a caption."""

from collections.abc import Iterable

REGULARISATION = "regularisation"
"""what the class looks like without the subject: for prior preservation, never an ordinary training picture"""
DERIVED = "derived="
"""with the SHA-256 of a real picture: a program made this one from it, and it was read back from an export"""
FRAME_OF = "frame_of="
"""with the SHA-256 of an animated picture: this is a later frame of it, and was read back from an export"""
KEEP_TOKENS = "keep_tokens="
"""with a number: so many words or tags stay first when a caption is shuffled"""
KEEP_LAST_TOKENS = "keep_last_tokens="
"""with a number: so many stay last"""


def is_mark(tag: str) -> bool:
    """Whether the tag is about use."""
    return tag == REGULARISATION or tag.startswith((DERIVED, FRAME_OF, KEEP_TOKENS, KEEP_LAST_TOKENS))


def shown(tags: Iterable[str]) -> tuple[str, ...]:
    """The tags that say what a picture shows."""
    return tuple(tag for tag in tags if not is_mark(tag))


def never_held_out(tags: Iterable[str]) -> bool:
    """Whether the picture says nothing about what a model has learned of the subject."""
    return any(tag == REGULARISATION or tag.startswith(DERIVED) for tag in tags)


def root_of(tags: Iterable[str]) -> str:
    """The SHA-256 of the real picture that a derived one was made from; empty for a real one."""
    return next((tag.removeprefix(DERIVED) for tag in tags if tag.startswith(DERIVED)), "")


def file_of(tags: Iterable[str]) -> str:
    """The SHA-256 of the animated picture that it is a later frame of; empty for any other."""
    return next((tag.removeprefix(FRAME_OF) for tag in tags if tag.startswith(FRAME_OF)), "")
