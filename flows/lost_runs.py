"""Flow runs that a server still calls running, though nobody works on them any more.

The process of a run that is ended by SIGTERM does not say so: `velatura up` does, for those that it ends itself. Where
it could not, since the machine was switched off, say, they are known by their silence.

Prefect's own watch over signs of life (`flows.bootstrap.zombies`) does not see those: what falls due while its server
is away is decided while that server starts, when nothing listens yet, and never again. Such a run would keep its place
for ever, and no other would be begun. So `velatura up` looks for itself, some time after its start.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import psutil  # type: ignore[import-untyped]

from flows.stations import HEARTBEAT, MISSED

GRACE = 3.0 * HEARTBEAT
"""seconds after its start in which a server hears of every run that is alive"""
EVERY = 60.0
"""seconds between two looks"""
WORDS = "no sign of life: its worker was killed or cut off, perhaps while the server was away"


def end_lost(api: str, silent: float = MISSED * HEARTBEAT) -> list[str]:
    """Mark as crashed what has given no sign of life for ``silent`` seconds; the names of these runs.

    Runs that never gave one are left alone: somebody else's, who does not ask for it. ``api`` is Prefect's address;
    an OSError where it does not answer.
    """
    found = []
    for run in _ask(api, "/flow_runs/filter", {"flow_runs": {"state": {"type": {"any_": ["RUNNING", "CANCELLING"]}}}}):
        last = _last_sign(api, run["id"])
        if last is not None and (datetime.now(UTC) - last).total_seconds() > silent:
            crashed(api, run["id"], WORDS)
            found.append(str(run["name"]))
    return found


def crashed(api: str, run: str, words: str) -> None:
    """Mark a run as crashed, which frees its place and lets it be begun again; an OSError where nobody answers."""
    _ask(api, f"/flow_runs/{run}/set_state", {"state": {"type": "CRASHED", "name": "Crashed", "message": words}})


def runs_of(processes: Iterable[psutil.Process]) -> list[str]:
    """The ids of the flow runs that these processes are."""
    found = []
    for one in processes:
        with suppress(psutil.Error):
            found.append(one.environ().get("PREFECT__FLOW_RUN_ID", ""))
    return [run for run in dict.fromkeys(found) if run]


def _last_sign(api: str, run: str) -> datetime | None:
    signs = {
        "event": {"name": ["prefect.flow-run.heartbeat"]},
        "resource": {"id": [f"prefect.flow-run.{run}"]},
        "occurred": {"since": "2020-01-01T00:00:00Z"},  # by default only the last days are looked at
        "order": "DESC",
    }
    events = _ask(api, "/events/filter", {"filter": signs, "limit": 1})["events"]
    return datetime.fromisoformat(events[0]["occurred"]) if events else None


def _ask(api: str, path: str, body: object) -> Any:
    request = urllib.request.Request(api + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.loads(answer.read())
