"""The temporary server of a command: it answers, is told once what to do at first, and ends with its command."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from prefect.server.api import background_workers, server

from flows import embedded_server


def test_housekeeping_ends_by_itself_or_with_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []

    @asynccontextmanager
    async def worker(docket: str, *, ephemeral: bool) -> AsyncIterator[None]:
        said.append(f"begins {docket} {ephemeral}")
        try:
            yield
        finally:
            said.append("ends")

    monkeypatch.setattr(background_workers, "background_worker", worker)

    async def lives(seconds: float) -> None:
        async with embedded_server.at_first("docket", ephemeral=True):
            await asyncio.sleep(seconds)
            said.append("server ends")

    monkeypatch.setattr(embedded_server, "FIRST", 0.01)
    asyncio.run(lives(0.3))
    assert said == ["begins docket True", "ends", "server ends"]
    said.clear()
    monkeypatch.setattr(embedded_server, "FIRST", 60)
    asyncio.run(lives(0.1))
    assert said == ["begins docket True", "server ends", "ends"]


def test_the_server_that_is_started_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert hasattr(server, "background_worker"), "Prefect has another name for it: its housekeeping would never end"
    monkeypatch.setattr(server, "background_worker", server.background_worker)  # put back at the end
    monkeypatch.setattr(server, "create_app", lambda: server.background_worker)
    assert embedded_server.create_app() is embedded_server.at_first
