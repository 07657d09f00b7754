"""Prefect's temporary server, where the user has none: started early, and out of reach of Ctrl-C."""

import signal
import sys
from types import FrameType


def start_prefect() -> None:
    """Start it if there is no server to use, so that it outlives a Ctrl-C and can be told how the run ended.

    A terminal sends the signal to all processes of a command. A server that dies of it is asked again for more than a
    minute before Prefect lets the command end.
    """
    from prefect.client.orchestration import get_client

    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, leave)  # a process that dies of it would leave the server behind
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # a process inherits what is blocked
    try:
        get_client(sync_client=True)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def leave(number: int, _frame: FrameType | None) -> None:
    """End as after the signal, but in order: what was started is stopped."""
    sys.exit(128 + number)
