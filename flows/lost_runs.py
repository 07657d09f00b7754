"""Flow runs that a server still calls running, though nobody works on them any more.

The process of a run that is ended by SIGTERM does not say so: `velatura up` does, for those that it ends itself. Where
it could not, since the machine was switched off, say, they are known by their silence.

Prefect's own watch over signs of life (`flows.bootstrap.zombies`) does not see those: what falls due while its server
is away is decided while that server starts, when nothing listens yet, and never again. Such a run would keep its place
for ever, and no other would be begun. So `velatura up` looks for itself, some time after its start.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import psutil  # type: ignore[import-untyped]

from flows.asking import ask
from flows.stations import HEARTBEAT, MISSED, POOLS

GRACE = 3.0 * HEARTBEAT
"""seconds after its start in which a server hears of every run that is alive"""
EVERY = 60.0
"""seconds between two looks"""
BEGINNING = 600.0
"""seconds in which a run that a worker has taken begins: with its first imports, on a very busy machine"""


def end_lost(api: str, silent: float = MISSED * HEARTBEAT, beginning: float = BEGINNING) -> list[str]:
    """Mark as crashed what has given no sign of life for ``silent`` seconds; the names of these runs.

    Runs that never gave one are left alone: somebody else's, who does not ask for it. But one of our pools that a
    worker has taken and not begun for ``beginning`` seconds was lost with it, and would keep its place for ever.
    ``api`` is Prefect's address; an OSError where it does not answer.
    """
    now = datetime.now(UTC)
    lost = [run for run in _taken(api) if (now - _since(run)).total_seconds() > beginning]
    for run in _running(api, {}):
        last, began = _last_sign(api, run["id"]), _since(run)
        if last is not None and (now - max(last, began)).total_seconds() > silent:  # begun again: its signs are old
            lost.append(run)
    return [
        _end(api, run, "no sign of life: its worker was killed or cut off, perhaps with the server") for run in lost
    ]


def end_those(api: str, runs: Sequence[str], words: str) -> list[str]:
    """The same of runs by their ids, where they are not over; the server gets two seconds for each answer."""
    if not runs:
        return []
    return [_end(api, run, words, 2) for run in _running(api, {"id": {"any_": list(runs)}}, 2)]


def runs_of(processes: Iterable[psutil.Process]) -> list[str]:
    """The ids of the flow runs that these processes are."""
    found = []
    for one in processes:
        with suppress(psutil.Error):
            found.append(one.environ().get("PREFECT__FLOW_RUN_ID", ""))
    return [run for run in dict.fromkeys(found) if run]


def _running(api: str, which: dict[str, Any], seconds: float = 10) -> list[dict[str, Any]]:
    state = {"type": {"any_": ["RUNNING", "CANCELLING"]}}
    return list(ask(f"{api}/flow_runs/filter", {"flow_runs": {"state": state, **which}}, seconds))


def _taken(api: str) -> list[dict[str, Any]]:
    """Runs of our pools that a worker has taken and not begun."""
    asked = {"flow_runs": {"state": {"type": {"any_": ["PENDING"]}}}, "work_pools": {"name": {"any_": list(POOLS)}}}
    return list(ask(f"{api}/flow_runs/filter", asked))


def _since(run: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(run["state"]["timestamp"])


def _end(api: str, run: dict[str, Any], words: str, seconds: float = 10) -> str:
    """Its place is free then. One that crashed is begun again, one that was to be cancelled is not."""
    over = "CANCELLED" if run["state_type"] == "CANCELLING" else "CRASHED"
    state = {"type": over, "name": over.capitalize(), "message": words}
    ask(f"{api}/flow_runs/{run['id']}/set_state", {"state": state}, seconds)
    return str(run["name"])


def _last_sign(api: str, run: str) -> datetime | None:
    signs = {
        "event": {"name": ["prefect.flow-run.heartbeat"]},
        "resource": {"id": [f"prefect.flow-run.{run}"]},
        "occurred": {"since": "2020-01-01T00:00:00Z"},  # by default only the last days are looked at
        "order": "DESC",
    }
    events = ask(f"{api}/events/filter", {"filter": signs, "limit": 1})["events"]
    return datetime.fromisoformat(events[0]["occurred"]) if events else None
