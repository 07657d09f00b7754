"""Prefect's temporary server, which does its housekeeping at first and then waits for requests only.

What does that housekeeping looks for work several times a second for as long as it lives: 9 ms of CPU time in every
second, of 12 that the idle server takes in all. There is some once an hour, and nothing here waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from fastapi import FastAPI
from prefect.server.api import background_workers, server

FIRST = 20.0
"""seconds: old events are removed within the first few; what is left, the next time"""


def create_app() -> FastAPI:
    """What uvicorn serves."""
    setattr(server, "background_worker", at_first)  # noqa: B010  Prefect has no setting for it
    return server.create_app()


@asynccontextmanager
async def at_first(*what: Any, **how: Any) -> AsyncIterator[None]:
    """In place of Prefect's `background_worker`: the same, ended after `FIRST` seconds."""

    async def work() -> None:
        async with background_workers.background_worker(*what, **how):
            await asyncio.sleep(FIRST)

    task = asyncio.create_task(work())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
