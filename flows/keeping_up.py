"""Starts the stations, keeps them running, and stops them all: nothing is left when it ends, however it ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from core.errors import ServerError
from core.files import write_text
from flows.home import Home
from flows.lost_runs import end_those, runs_of
from flows.mortal import end_with_parent
from flows.stations import Ports, Station, answers

PATIENCE = 180.0
"""seconds in which a server must answer; a new database on a busy machine takes half a minute"""
FAREWELL = 3.5
"""seconds between asking and ending by force, first for workers, then for servers: all of it must be over in ten. A
trainer whose parent is gone takes as many at most (`training.stopping.ECHO`), so that more would not help a long step
"""
REACTION = 1.0
"""seconds in which a server may act on what it was told of the runs that ended"""
ENDED = "ended with `velatura up`; begun again, it goes on from its last checkpoint, if it had come to one"
RESTARTS = 5
"""in a row, for a station that never lived for `STEADY` seconds: its mistake is told instead"""
STEADY = 60.0
LONGEST = 60.0
"""seconds between two tries of one that was well before: whatever ails it, the others go on"""


@dataclass
class Life:
    """How a station has fared."""

    began: float
    deaths: int = 0
    """in a row, each soon after its start"""
    steady: bool = False
    """whether it ever lived for `STEADY` seconds"""
    due: float | None = None
    """when it is started again; None: it runs, as far as is known"""


class Crew:
    """The processes of one `velatura up`."""

    def __init__(self, logs: Path, env: Mapping[str, str], pause: float = 1.0) -> None:
        """``pause``: seconds before the second restart in a row; the first is at once, later ones after twice that."""
        self.logs, self.env, self.pause = logs, dict(env), pause
        self.running: dict[str, tuple[Station, subprocess.Popen[bytes]]] = {}
        self.lives: dict[str, Life] = {}
        self.began: dict[str, float] = {}
        """when each process began, as the kernel says, so that another of the same number is not taken for it"""
        logs.mkdir(parents=True, exist_ok=True)

    def log(self, station: Station) -> Path:
        """Where a station's words are."""
        return self.logs / f"{station.name.replace(' ', '-')}.log"

    def start(self, station: Station) -> None:
        """Start it in a session of its own, to end with this process; its words are added to its log."""
        with self.log(station).open("ab") as log:
            process = subprocess.Popen(
                station.command, env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, preexec_fn=_end_with_parent,  # noqa: PLW1509  nothing here has started a thread
            )  # fmt: skip
        self.running[station.name] = (station, process)
        self.began[station.name] = born(process.pid)
        self.lives.setdefault(station.name, Life(0.0)).began = time.monotonic()

    def through(self, command: Sequence[str]) -> tuple[int, str]:
        """Run something to its end: its status and its words. Where this process is told to end meanwhile, it is ended.

        At once and with all that it has started: what can be done again need not be brought to an end.
        """
        with subprocess.Popen(
            command, env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, start_new_session=True, preexec_fn=_end_with_parent,  # noqa: PLW1509  as above
        ) as process:  # fmt: skip
            try:
                words, _ = process.communicate()
            except BaseException:
                _end(descendants([process.pid]), 0)
                raise
        return process.returncode, words

    def wait_for(self, stations: Sequence[Station]) -> None:
        """Until all of them are well; `ServerError` with the last words of one that is not."""
        end = time.monotonic() + PATIENCE
        for station in stations:
            while station.health and not answers(station.health):
                if self.running[station.name][1].poll() is not None:
                    raise ServerError(f"{station.name} ended at once:\n{self.last_words(station)}")
                if time.monotonic() > end:
                    raise ServerError(f"{station.name} did not answer in {PATIENCE:.0f} s: {self.log(station)}")
                time.sleep(0.2)

    def last_words(self, station: Station) -> str:
        """The end of its log."""
        return self.log(station).read_text(errors="replace")[-1500:].strip() or "it said nothing"

    def watch(self, say: Callable[[str], None]) -> None:
        """Start again what has ended; `ServerError` where one never gets on its feet."""
        for station, process in list(self.running.values()):
            life = self.lives[station.name]
            if life.due is None and process.poll() is not None:
                wait = self._mourn(station, life)
                when = f"in {wait:.0f} s" if wait else "now"
                words = f"ended with status {process.returncode}; started again {when}. Its words: {self.log(station)}"
                say(f"{station.name} {words}")
            if life.due is not None and time.monotonic() >= life.due:
                life.due = None
                self.start(station)

    def _mourn(self, station: Station, life: Life) -> float:
        """Seconds until a station that has ended is started again."""
        now = time.monotonic()
        if now - life.began >= STEADY:
            life.deaths, life.steady = 0, True
        life.deaths += 1
        if life.deaths > RESTARTS and not life.steady:
            raise ServerError(f"{station.name} ends again and again:\n{self.last_words(station)}")
        wait = min(self.pause * 2 ** (life.deaths - 2), LONGEST) if life.deaths > 1 else 0.0
        life.due = now + wait
        return wait

    def stop(self) -> list[str]:
        """Ask all to end, then end them and all they started; the ids of those that had to be ended by force.

        Workers and what they run go first: a trainer that is through with its step in time writes a checkpoint, and the
        server is told which runs ended.
        """
        workers = [process.pid for station, process in self.running.values() if not station.health]
        servers = [process.pid for station, process in self.running.values() if station.health]
        working = descendants(workers)
        runs = runs_of(working)
        left = _end(working, FAREWELL)
        with suppress(OSError):
            if end_those(self.env.get("PREFECT_API_URL", ""), runs, ENDED):
                time.sleep(REACTION)
        left += _end(descendants(servers), FAREWELL)
        left += _end(descendants(os.getpid()), 0)
        for _, process in self.running.values():
            process.wait(5)
        return left


def _end(family: Sequence[psutil.Process], seconds: float) -> list[str]:
    """End some processes, by force those that have not after so long; the ids of these."""
    for one in family:
        _signal(one.pid, signal.SIGTERM)  # once: to a second one Prefect's worker answers by leaving at once
    _, left = psutil.wait_procs(family, seconds)
    for one in left:
        _signal(one.pid, signal.SIGKILL)
    psutil.wait_procs(left, FAREWELL)  # a signal is sent, not obeyed: none may be left when this returns
    return [str(one.pid) for one in left]


def descendants(roots: Sequence[int] | int) -> list[psutil.Process]:
    """All processes below some, and these themselves unless it is this one."""
    found: list[psutil.Process] = []
    for root in [roots] if isinstance(roots, int) else roots:
        try:
            process = psutil.Process(root)
            found += [*([process] if root != os.getpid() else []), *process.children(recursive=True)]
        except psutil.NoSuchProcess:
            continue
    return found


def born(process: int) -> float:
    """When a process began, in seconds since 1970; 0 where it is gone already."""
    try:
        return float(psutil.Process(process).create_time())
    except psutil.NoSuchProcess:
        return 0.0


def _signal(process: int, number: int) -> None:
    try:
        os.kill(process, number)
    except ProcessLookupError:
        return


def _end_with_parent() -> None:
    """Between fork and exec: Ctrl-C is heard, whoever started us ignored it, and the parent's end is this one's."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    end_with_parent()


def check_free(ports: Ports) -> None:
    """`ServerError` where a port is taken."""
    for name, port in (("mlflow", ports.mlflow), ("prefect", ports.prefect)):
        with socket.socket() as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind(("127.0.0.1", port))
            except OSError:
                raise ServerError(f"port {port} is taken; name another with --{name}-port") from None


def note(home: Home) -> Path:
    """Where it is written down what runs."""
    return home.root / "up.json"


def write_note(home: Home, ports: Ports, crew: Crew) -> None:
    """Write it down for `velatura up --check`, where it is news."""
    stations = {name: process.pid for name, (_, process) in crew.running.items()}
    value = {"pid": os.getpid(), "mlflow": ports.mlflow, "prefect": ports.prefect, "stations": stations}
    text = json.dumps({**value, "began": {"velatura up": born(os.getpid()), **crew.began}}, indent=1) + "\n"
    if not note(home).exists() or note(home).read_text() != text:
        write_text(note(home), text)
