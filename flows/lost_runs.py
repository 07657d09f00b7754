"""Flow runs that a server still calls running, or about to, though nobody works on them any more.

The process of a run that is ended by SIGTERM does not say so: `velatura up` does, for those that it ends itself. Where
it could not, since the machine was switched off, say, they are known by their silence.

Prefect's own watch over signs of life (`flows.bootstrap.zombies`) does not see those: what falls due while its server
is away is decided while that server starts, when nothing listens yet, and never again; and a run that a worker has
taken and not begun gives no sign at all. Such a run would keep its place for ever, and no other would be begun. So
`velatura up`, `watch-sources` and `housekeeping`, each hour, look for themselves.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import psutil  # type: ignore[import-untyped]

from core.progress import say
from flows.asking import ask
from flows.stations import HEARTBEAT, MISSED

GRACE = 3.0 * HEARTBEAT
"""seconds in which a server that has just come back hears of every run that is alive"""
EVERY = 45.0
"""seconds between two looks"""
CALLED_LOST = "gave no sign of life and is marked as crashed"
SILENT, TAKEN = (
    "no sign of life: its worker was killed or cut off, perhaps with the server",
    "its worker was ended before it could begin it",
)


class Lookout:
    """Ends runs that are lost: silent for long, and then for ``grace`` seconds more in which the server listened.

    Their signs carry the time of the machine that gives them; a run whose newest sign is another one than at the look
    before is alive, whatever that machine's clock says. ``api`` is Prefect's address.
    """

    def __init__(
        self,
        api: str,
        silent: float = MISSED * HEARTBEAT,
        grace: float = GRACE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.api, self.silent, self.grace, self.clock = api, silent, grace, clock
        self.suspects: dict[str, tuple[datetime, float]] = {}
        """newest sign of each run that seems lost, and when it was first seen to be that"""

    def look(self) -> list[str]:
        """One look; the names of the runs that were ended. An OSError where the server does not answer."""
        before, self.suspects, ended = self.suspects, {}, []  # one that was away has not listened: begin anew
        now, suspects = self.clock(), {}
        for run, sign, words in seeming_lost(self.api, self.silent):
            known, since = before.get(run["id"], (sign, now))
            if known != sign:
                since = now
            if now - since >= self.grace:
                ended.append(_end(self.api, run, words))
            else:
                suspects[run["id"]] = (sign, since)
        self.suspects = suspects
        return ended


def end_lost(grace: float = GRACE, silent: float = MISSED * HEARTBEAT) -> list[str]:
    """End what is lost on the server that this process works for, if it does; takes ``grace`` if something seems so.

    The names of these runs, which are told. A server that does not answer is no reason to fail.
    """
    from flows.announcing import server  # with Prefect, which `velatura up` does not need

    lookout, ended = Lookout(server(), silent, grace), []
    with suppress(OSError):
        ended += lookout.look() if lookout.api else []
        if lookout.suspects:
            time.sleep(grace)
            ended += lookout.look()
    for name in ended:
        say(f"{name} {CALLED_LOST}")
    return ended


def seeming_lost(api: str, silent: float) -> Iterator[tuple[dict[str, Any], datetime, str]]:
    """Runs without a sign for ``silent`` seconds, their newest sign, and what is the matter.

    Runs that never gave one are left alone: somebody else's, who does not ask for it. Those that a worker has taken
    and not begun are lost where that worker is gone; with pools of containers or clusters, a run may begin without it.
    """
    now = datetime.now(UTC)
    for run in _unfinished(api, {}):
        began = datetime.fromisoformat(run["state"]["timestamp"])
        if run["state_type"] == "PENDING":
            if (now - began).total_seconds() > silent and _is_orphan(api, run, began):
                yield run, began, TAKEN
            continue
        last = _newest_event(api, "prefect.flow-run.heartbeat", {"id": [f"prefect.flow-run.{run['id']}"]})
        if last is not None and (now - max(last, began)).total_seconds() > silent:  # begun again: its signs are old
            yield run, max(last, began), SILENT


def end_those(api: str, runs: Sequence[str], words: str) -> list[str]:
    """The same of runs by their ids, where they are not over; the server gets two seconds for each answer."""
    if not runs:
        return []
    return [_end(api, run, words, 2) for run in _unfinished(api, {"id": {"any_": list(runs)}}, 2)]


def runs_of(processes: Iterable[psutil.Process]) -> list[str]:
    """The ids of the flow runs that these processes are."""
    found = []
    for one in processes:
        with suppress(psutil.Error):
            found.append(one.environ().get("PREFECT__FLOW_RUN_ID", ""))
    return [run for run in dict.fromkeys(found) if run]


def _unfinished(api: str, which: dict[str, Any], seconds: float = 10) -> list[dict[str, Any]]:
    state = {"type": {"any_": ["PENDING", "RUNNING", "CANCELLING"]}}
    return list(ask(f"{api}/flow_runs/filter", {"flow_runs": {"state": state, **which}}, seconds))


def _is_orphan(api: str, run: dict[str, Any], taken: datetime) -> bool:
    """Whether a run was taken by a worker that is gone, or has been started again since: that one never begins it."""
    pool = run.get("work_pool_name")
    if not pool or ask(f"{api}/work_pools/{quote(pool)}")["type"] != "process":
        return False
    mine = (run.get("labels") or {}).get("prefect.worker.name")  # it was ended at once, where it has not said that
    workers = [one for one in ask(f"{api}/work_pools/{quote(pool)}/workers/filter", {}) if mine in (None, one["name"])]
    for one in workers:
        which = {"id_prefix": ["prefect.worker."], "labels": {"prefect.resource.name": one["name"]}}
        started = _newest_event(api, "prefect.worker.started", which)
        if one["status"] == "ONLINE" and (started is None or started <= taken):
            return False
    return bool(workers) or mine is not None


def _end(api: str, run: dict[str, Any], words: str, seconds: float = 10) -> str:
    """Its place is free then. One that crashed is begun again, one that was to be cancelled is not."""
    over = "CANCELLED" if run["state_type"] == "CANCELLING" else "CRASHED"
    state = {"type": over, "name": over.capitalize(), "message": words}
    ask(f"{api}/flow_runs/{run['id']}/set_state", {"state": state}, seconds)
    return str(run["name"])


def _newest_event(api: str, name: str, resource: dict[str, Any]) -> datetime | None:
    """When it was last heard of."""
    signs = {
        "event": {"name": [name]},
        "resource": resource,
        "occurred": {"since": "2020-01-01T00:00:00Z"},  # by default only the last days are looked at
        "order": "DESC",
    }
    events = ask(f"{api}/events/filter", {"filter": signs, "limit": 1})["events"]
    return datetime.fromisoformat(events[0]["occurred"]) if events else None
