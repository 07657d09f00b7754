"""Ask a server over HTTP for a JSON value, without its client library: those take seconds to import."""

from __future__ import annotations

import http.client
import json
import urllib.request
from typing import Any


def ask(address: str, body: object = None, seconds: float = 10) -> Any:
    """What it answers: to a POST where there is a body. An OSError where it does not, or not with a whole value."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=seconds) as answer:
            return json.loads(answer.read())
    except (ValueError, http.client.HTTPException) as error:  # cut off in the middle, or no server of this kind
        raise OSError(f"no whole answer from {address}: {error}") from error
