"""What `velatura up --check` looks at: its processes, both servers, and what must stand on Prefect's."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psutil  # type: ignore[import-untyped]
import yaml

from flows.asking import ask
from flows.home import Home
from flows.keeping_up import note
from flows.stations import POOLS, ROOT, ZOMBIES, Ports, answers, servers

CLOCK = 5.0
"""seconds by which the same process may seem to have begun earlier or later: clocks are set"""


@dataclass(frozen=True, slots=True)
class Seen:
    """One thing that was looked at."""

    what: str
    well: bool
    words: str


def checked(home: Home) -> list[Seen]:
    """All that should run for a home, or nothing where nothing was started.

    Servers are only asked while our own processes live: another's may listen there since.
    """
    said = noted(home)
    if said is None:
        return []
    ports = Ports(said["mlflow"], said["prefect"])
    if not _is_still(said["pid"], said["began"].get("velatura up")):
        words = f"process {said['pid']} is gone without a farewell; `velatura up` starts everything again"
        return [Seen("velatura up", False, words)]
    found = [Seen("velatura up", True, f"process {said['pid']}"), *stations(home, ports, said)]
    return [*found, *_answered("mlflow database", _runs(ports)), *_answered("prefect database", _flows(ports))]


def noted(home: Home) -> dict[str, Any] | None:
    """What `velatura up` has written down; None where there is nothing, or it is damaged."""
    try:
        said = json.loads(note(home).read_text())
        return {"began": {}, **said} if {"pid", "mlflow", "prefect", "stations"} <= said.keys() else None
    except (OSError, ValueError, AttributeError):
        return None


def stations(home: Home, ports: Ports, said: Mapping[str, Any]) -> Iterator[Seen]:
    """Each process, and whether it answers where it should."""
    known = {one.name: one.health for one in servers(home, ports)}
    for name, process in said["stations"].items():
        health = known.get(name, "")
        if not _is_still(process, said["began"].get(name)):
            yield Seen(name, False, f"process {process} is gone")
        elif health and not answers(health):
            yield Seen(name, False, f"process {process} does not answer at {health}")
        else:
            yield Seen(name, True, f"process {process}{f', {health}' if health else ''}")


def _is_still(process: int, began: float | None) -> bool:
    """Whether the process of this number lives and is the one that began then: numbers are given out again."""
    try:
        found = psutil.Process(process)
        same = began is None or abs(found.create_time() - began) < CLOCK
        return bool(same and found.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _answered(what: str, rows: Iterator[Seen]) -> Iterator[Seen]:
    """The rows, as far as the server answers."""
    try:
        yield from rows
    except OSError as error:
        yield Seen(what, False, f"cannot be asked: {error}")


def _runs(ports: Ports) -> Iterator[Seen]:
    found = ask(f"{ports.tracking}/api/2.0/mlflow/experiments/search", {"max_results": 100})
    names = ", ".join(sorted(one["name"] for one in found.get("experiments", [])))
    yield Seen("mlflow database", True, f"answers; experiments: {names or 'none'}")


def _flows(ports: Ports) -> Iterator[Seen]:
    api = f"{ports.dashboard}/api"
    there = {one["name"]: one for one in ask(f"{api}/work_pools/filter", {})}
    for name in POOLS:
        yield _pool(name, there.get(name), ask(f"{api}/work_pools/{name}/workers/filter", {}) if name in there else [])
    deployed = {one["name"]: one for one in ask(f"{api}/deployments/filter", {"limit": 200})}
    wanted = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    for one in wanted:
        yield _deployment(one["name"], deployed.get(one["name"]))
    automations = {one["name"]: one for one in ask(f"{api}/automations/filter", {"limit": 200})}
    for name in (ZOMBIES, *(trigger["name"] for one in wanted for trigger in one.get("triggers", []))):
        found = automations.get(name)
        words = "is missing; `velatura deploy` makes it" if found is None else "on" if found["enabled"] else "off"
        yield Seen(f"automation {name.removeprefix('velatura: ')}", words == "on", words)


def _pool(name: str, pool: Mapping[str, Any] | None, workers: list[Mapping[str, Any]]) -> Seen:
    what = f"pool {name}"
    if pool is None:
        return Seen(what, False, "is missing; `velatura deploy` makes it")
    if pool["is_paused"]:
        return Seen(what, False, f"is paused: nothing is begun there; prefect work-pool resume {name}")
    online = [one for one in workers if one["status"] == "ONLINE"]
    if not online:
        return Seen(what, False, "no worker is online")
    signs = (datetime.fromisoformat(one["last_heartbeat_time"]) for one in online)
    ages = [max((datetime.now(UTC) - sign).total_seconds(), 0) for sign in signs]
    told = ", ".join(f"{one['name']} ({age:.0f} s ago)" for one, age in zip(online, ages, strict=True))
    most = "no limit" if pool["concurrency_limit"] is None else f"at most {pool['concurrency_limit']} at a time"
    return Seen(what, True, f"{most}; online: {told}")


def _deployment(name: str, found: Mapping[str, Any] | None) -> Seen:
    if found is None:
        return Seen(f"deployment {name}", False, "is missing; `velatura deploy` makes it")
    paused = "; paused: only by hand" if found["paused"] else ""
    times = [one["schedule"].get("cron", "") for one in found.get("schedules") or [] if one["active"]]
    return Seen(f"deployment {name}", True, f"{found['work_pool_name']}{f', {times[0]}' if times else ''}{paused}")
