"""Pictures from the web: retried, limited in time and bytes, and every failure told in words."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus

import requests
import urllib3
from requests.adapters import HTTPAdapter

from curation.source import Refused

AGAIN = frozenset((408, 425, 429, 500, 502, 503, 504))
"""what a server says that may be otherwise in a moment"""
LONGEST_WAIT = 30.0
"""seconds that a server may ask to wait before the next try"""
PIECE = 1 << 16
AGENT = "velatura (a tool that makes data sets; it honours X-Robots-Tag)"


class Passing(OSError):
    """A failure that another try may not have. ``wait``: the seconds that the server asks for."""

    def __init__(self, words: str, wait: float = 0.0) -> None:
        super().__init__(words)
        self.wait = wait


@dataclass(frozen=True)
class Downloads:
    """Used by several threads at the same time."""

    tries: int
    seconds: float
    """for one try from beginning to end"""
    max_bytes: int
    pause: float
    """seconds before the second try; each further one waits twice as long"""
    heed: frozenset[str]
    """directives of ``X-Robots-Tag`` for which a picture is left alone"""
    at_once: int

    @cached_property
    def _session(self) -> requests.Session:
        session = requests.Session()
        session.max_redirects = 10
        session.headers["User-Agent"] = AGENT
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(pool_connections=self.at_once, pool_maxsize=self.at_once))
        return session

    def get(self, url: str) -> bytes:
        """What is there; an `OSError` in words where it cannot be had."""
        for attempt in range(self.tries):
            try:
                return self._once(url)
            except Passing as failure:
                if attempt + 1 == self.tries:
                    times = f" ({self.tries} tries)" if self.tries > 1 else ""
                    raise OSError(f"{failure}{times}") from None
                time.sleep(min(max(failure.wait, self.pause * 2**attempt), LONGEST_WAIT))
        raise AssertionError("there is at least one try")

    def _once(self, url: str) -> bytes:
        end = time.monotonic() + self.seconds
        with in_words(self.seconds), self._session.get(url, stream=True, timeout=self.seconds) as response:
            self._refuse(response)
            data = bytearray()
            while piece := response.raw.read1(PIECE, decode_content=True):  # `read` would wait for a slow one
                data += piece
                if len(data) > self.max_bytes:
                    raise self._too_large(f"more than {self.max_bytes:,}")
                if time.monotonic() > end:
                    raise Passing(f"it took more than {self.seconds:g} s")
            missing = response.raw.length_remaining
            if missing:
                raise Passing(f"the connection ended {missing:,} bytes before its end")
            return bytes(data)

    def _refuse(self, response: requests.Response) -> None:
        """Raise for what the headers tell already."""
        if not response.ok:
            words = f"the server said {status_in_words(response.status_code)}"
            if response.status_code in AGAIN:
                raise Passing(words, asked_wait(response.headers.get("Retry-After", "")))
            raise OSError(words)
        said = {word.strip().lower() for word in response.headers.get("X-Robots-Tag", "").replace(":", ",").split(",")}
        if refused := sorted(said & self.heed):
            raise Refused("opted_out", f"its server asks not to use it so (X-Robots-Tag: {', '.join(refused)})")
        length = response.headers.get("Content-Length", "")
        if length.isdecimal() and int(length) > self.max_bytes:
            raise self._too_large(f"{int(length):,}")

    def _too_large(self, size: str) -> Refused:
        return Refused("too_many_bytes", f"it has {size} bytes; `max_bytes` is {self.max_bytes:,}")


@contextmanager
def in_words(seconds: float) -> Iterator[None]:
    """What the libraries raise, as `Passing` where another try may help and as `OSError` where not."""
    try:
        yield
    except (requests.Timeout, urllib3.exceptions.TimeoutError):
        raise Passing(f"the server did not answer within {seconds:g} s") from None
    except (requests.exceptions.ChunkedEncodingError, urllib3.exceptions.ProtocolError) as error:
        raise Passing(f"the connection ended early: {innermost(error)}") from None
    except requests.exceptions.SSLError as error:
        raise OSError(f"its certificate is not right: {innermost(error)}") from None
    except requests.ConnectionError as error:
        raise Passing(f"no connection: {innermost(error)}") from None
    except requests.TooManyRedirects:
        raise OSError("it is redirected without end") from None
    except (requests.RequestException, urllib3.exceptions.HTTPError, UnicodeError, ValueError) as error:
        raise OSError(f"it cannot be asked for: {error}") from None


def innermost(error: BaseException) -> str:
    """What happened at the bottom, without the wrapping of libraries."""
    while True:
        inner = getattr(error, "reason", None) or next((a for a in error.args if isinstance(a, BaseException)), None)
        if not isinstance(inner, BaseException):
            return str(getattr(error, "strerror", None) or error)
        error = inner


def status_in_words(status: int) -> str:
    """``404 Not Found``."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def asked_wait(header: str) -> float:
    """Seconds in ``Retry-After``; a date is not worth the clock it would need."""
    return float(header) if header.isdecimal() else 0.0
