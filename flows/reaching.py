"""Whether MLflow's server can be reached, and waiting until it can: a server that is down costs no run."""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import TypeVar

from core.errors import TrackingError
from core.progress import say

PATIENCE = 1800.0
"""seconds that a run waits for MLflow before it gives up; what it has made stays, and running again goes on"""
EVERY = 3.0
T = TypeVar("T")


def is_reachable(address: str, seconds: float = 3) -> bool:
    """Whether something answers at an http address, whatever it says; a database in a file always does."""
    if not address.startswith("http"):
        return True
    try:
        with urllib.request.urlopen(f"{address.rstrip('/')}/health", timeout=seconds):
            return True
    except urllib.error.HTTPError:
        return True
    except (OSError, http.client.HTTPException):
        return False


def wait_for(address: str, patience: float = PATIENCE) -> None:
    """Until MLflow answers; `TrackingError` where it does not for ``patience`` seconds."""
    end, told = time.monotonic() + patience, False
    while not is_reachable(address):
        if time.monotonic() >= end:
            raise TrackingError(f"MLflow at {address} does not answer; start it and run again: what was made is kept")
        if not told:
            say(f"MLflow at {address} does not answer; waiting for it for up to {patience / 60:.0f} minutes")
        told = True
        time.sleep(EVERY)


def kept_trying(address: str, act: Callable[[], T], patience: float = PATIENCE) -> T:
    """What ``act`` gives, begun anew where MLflow went away meanwhile; so it must be fit to be done twice."""
    from mlflow.exceptions import MlflowException
    from requests import RequestException  # of artifacts, which MLflow passes on

    while True:
        wait_for(address, patience)
        try:
            return act()
        except (MlflowException, RequestException) as error:
            if is_reachable(address):
                raise TrackingError(f"MLflow at {address} refuses: {error}; what was made is kept") from error
