"""Prefect's temporary server, where the user has none: started first of all, and out of reach of Ctrl-C."""

from __future__ import annotations

import atexit
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from core.errors import ServerError
from flows.home import Home
from flows.mortal import end_with_parent
from flows.stations import ROOT, answers

PATIENCE = 240.0
"""seconds in which it must answer; a new database on a busy machine takes half a minute"""
FAREWELL = 5.0
TEMPORARY = "VELATURA_TEMPORARY_PREFECT"
"""set where the server is of this command only: nothing waits there for an event"""


@dataclass(frozen=True, slots=True)
class Starting:
    """A server that is on its way; there is so much to import meanwhile that it costs hardly any time."""

    process: subprocess.Popen[bytes] | None
    """None: the user has a server"""
    address: str = ""

    def wait(self) -> None:
        """Until it answers; call it before the first flow. `ServerError` where it does not."""
        if self.process is None:
            return
        end = time.monotonic() + PATIENCE
        while not answers(f"{self.address}/health", seconds=5):
            if self.process.poll() is not None:
                raise ServerError(f"Prefect's temporary server ended with status {self.process.returncode}")
            if time.monotonic() > end:
                raise ServerError(f"Prefect's temporary server did not answer in {PATIENCE:.0f} s")
            time.sleep(0.05)


def start_prefect(home: Home) -> Starting:
    """Begin to start a server if there is none to use; best before Prefect is imported, which takes as long.

    Prefect would start one by itself, but only after it has imported the whole server here, too, and would wait for it
    idly. A terminal sends Ctrl-C to all processes of a command: a server that died of it could not be told how the run
    ended, and would be asked again for more than a minute.
    """
    home.use_prefect()
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, leave)  # a process that dies of it would leave the server behind
    if os.environ.get("PREFECT_API_URL") or (Path(os.environ["PREFECT_HOME"]) / "profiles.toml").exists():
        return Starting(None)
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "--app-dir", str(ROOT), "--factory"]
    command += ["flows.embedded_server:create_app", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--log-level", "error", "--lifespan", "on"]
    plain = {"PREFECT_UI_ENABLED": "0", "PREFECT__SERVER_EPHEMERAL": "1", "PREFECT__SERVER_FINAL": "1"}
    # what the automations of `velatura up` wait for is in the same database, and is that server's to decide
    plain["PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED"] = "false"
    process = subprocess.Popen(command, env={**os.environ, **plain}, preexec_fn=_between)  # noqa: PLW1509  no thread yet
    atexit.register(stop, process)
    address = f"http://127.0.0.1:{port}/api"
    os.environ |= {"PREFECT_API_URL": address, TEMPORARY: "1"}
    if "prefect" in sys.modules:  # a script of `flows/` has read its settings already
        from prefect.context import refresh_global_settings_context

        refresh_global_settings_context()
    return Starting(process, address)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End it, by force if it will not."""
    process.terminate()
    try:
        process.wait(FAREWELL)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


def leave(number: int, _frame: FrameType | None) -> None:
    """End as after the signal, but in order: what was started is stopped."""
    sys.exit(128 + number)


def _between() -> None:
    """Between fork and exec: Ctrl-C is not heard, and the end of this process, however it comes, is the server's."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    end_with_parent()
