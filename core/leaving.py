"""The end of a process that has loaded much."""

import atexit
import gc


def leave_quickly() -> None:
    """Do not take everything apart at the end: with torch, diffusers and a store loaded that takes 1.5 to 2.7 seconds.

    What is registered to be done at exit is done. Call it first, since the last of those is done first.
    """
    atexit.register(gc.freeze)
