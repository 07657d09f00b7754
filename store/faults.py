"""What Lance says when the world is at fault, told in our own errors."""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager

from core.errors import DiskFull, StoreError

FULL = ("no space left", "os error 28", "os error 122", "quota exceeded", "storage is full", "disk is full")
FORBIDDEN = ("permission denied", "os error 13", "read-only file system", "os error 30")
ELSEWHERE = ("retryerror", 'store: "s3"', "object store", "error performing", "credential")
SAID = re.compile(r"<Code>(\w+)</Code>|(dns error|connect error|[Cc]onnection refused|timed out|credential[^,})]*)")
RACES = ("concurrent", "conflict")


def lost_a_race(error: BaseException) -> bool:
    """Whether a commit failed only because another process committed first."""
    return any(sign in str(error).lower() for sign in RACES)


def is_full(error: BaseException) -> bool:
    """Whether there was no room for what had to be written."""
    number = getattr(error, "errno", None)
    return number in (errno.ENOSPC, errno.EDQUOT) or any(sign in str(error).lower() for sign in FULL)


def is_forbidden(error: BaseException) -> bool:
    """Whether this user may not write there."""
    number = getattr(error, "errno", None)
    return number in (errno.EACCES, errno.EPERM, errno.EROFS) or any(sign in str(error).lower() for sign in FORBIDDEN)


def from_elsewhere(error: BaseException) -> bool:
    """Whether a server that keeps the store has refused or did not answer."""
    return any(sign in str(error).lower() for sign in ELSEWHERE)


@contextmanager
def explained(uri: str) -> Iterator[None]:
    """Turn a full or forbidden disk, or a server's refusal, into our errors; Lance raises them as different types."""
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:
        if is_full(error):
            raise DiskFull(
                f"no room left on the disk of the store {uri}; all that was stored before is still there; "
                "make room and run again"
            ) from error
        if "://" in uri and from_elsewhere(error):
            found = SAID.search(str(error))
            why = next(filter(None, found.groups())) if found else str(error).splitlines()[0][:200]
            raise StoreError(
                f"the store {uri} cannot be reached: {why}; bucket, AWS_ENDPOINT_URL, AWS_REGION and credentials must "
                "be those that other tools of S3 use on this machine"
            ) from error
        if is_forbidden(error):
            raise StoreError(f"the store {uri} may not be written by this user; check the folder's owner") from error
        raise
