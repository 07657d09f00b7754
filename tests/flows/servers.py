"""Real servers on loopback for tests: started here, stopped here by their process id, with their words in a file."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
PREFECT = [sys.executable, "-m", "prefect"]


def free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


@contextmanager
def running(
    command: list[str], env: Mapping[str, str], log: Path, cwd: Path = ROOT
) -> Iterator[subprocess.Popen[bytes]]:
    """A process with its own group; at the end the whole group is stopped and waited for."""
    with log.open("wb") as file:
        process = subprocess.Popen(command, env=dict(env), cwd=cwd, stdout=file, stderr=file, start_new_session=True)
    try:
        yield process
    finally:
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(process.pid, number)
                process.wait(20)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue
        process.wait(10)


def wait_for(address: str, process: subprocess.Popen[bytes], log: Path, seconds: float = 120) -> None:
    """Until the address answers; what the process said where it does not."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text()[-2000:]
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except OSError:
            time.sleep(0.3)
    raise AssertionError(f"{address} did not answer in {seconds} s:\n{log.read_text()[-2000:]}")


@contextmanager
def prefect_server(folder: Path) -> Iterator[dict[str, str]]:
    """A Prefect server with a database of its own; yields the environment in which to use it."""
    port = free_port()
    env = {
        **{name: value for name, value in os.environ.items() if name != "PREFECT_LOGGING_LEVEL"},
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_WORKER_QUERY_SECONDS": "2",
        "VELATURA_HOME": str(ROOT),
        "VELATURA_DATA": str(folder / "data"),
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
    }  # without the logging level: a command that an earlier test has run in this process may have quietened Prefect
    log = folder / "server.log"
    command = [*PREFECT, "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with running(command, {k: v for k, v in env.items() if k != "PREFECT_API_URL"}, log) as process:
        wait_for(f"http://127.0.0.1:{port}/api/health", process, log)
        yield env


def prefect(env: Mapping[str, str], *arguments: str, cwd: Path = ROOT) -> str:
    """What `prefect ARGUMENTS` prints; a failure shows its words."""
    done = subprocess.run([*PREFECT, *arguments], env=dict(env), cwd=cwd, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def until(what: str, look: object, seconds: float) -> object:
    """The first true value that ``look()`` gives, or a failure that says what was waited for."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = look()  # type: ignore[operator]
        if value:
            return value
        time.sleep(1)
    raise AssertionError(f"{what} did not happen in {seconds} s")
