import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from mlflow.exceptions import MlflowException

from core.errors import TrackingError
from flows import reaching
from flows.reaching import is_reachable, kept_trying, wait_for

AWAY = "http://127.0.0.1:9"  # nobody listens on the discard port


class Refusing(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_error(403)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Refusing) as found:
        threading.Thread(target=found.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{found.server_port}"
        found.shutdown()


def test_a_server_that_refuses_is_there_and_a_file_always_is(server: str) -> None:
    assert is_reachable(server)
    assert is_reachable("sqlite:////nowhere.db")
    assert not is_reachable(AWAY)


def test_a_server_that_stays_away_is_told() -> None:
    with pytest.raises(TrackingError, match="does not answer; start it and run again"):
        wait_for(AWAY, patience=0)


def test_what_failed_because_the_server_went_away_is_done_again(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    there = [True, False, True]
    monkeypatch.setattr(reaching, "is_reachable", lambda _: there.pop(0))
    tries: list[int] = []

    def act() -> str:
        tries.append(1)
        if len(tries) == 1:
            raise MlflowException("connection refused")
        return "done"

    assert kept_trying(server, act) == "done"
    assert not there


def test_what_a_server_that_is_there_refuses_is_told_once(server: str) -> None:
    def act() -> None:
        raise MlflowException("no such run")

    with pytest.raises(TrackingError, match="refuses: no such run"):
        kept_trying(server, act)
