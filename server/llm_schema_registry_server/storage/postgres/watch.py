"""One task per store that learns of committed changes, its own and those of other servers, and wakes who waits.

NOTIFY is sent apart from the transactions that write: inside them it would make every commit wait for the one before.
A notification that is lost costs a poll interval, nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from typing import Any

from ..change_signal import ChangeSignal
from . import queries
from .errors import AWAY

CHANNEL = "schema_registry_changes"
_RETRY_SECONDS = 0.5
_FIRST_PAUSE = 0.005
_GATHER_SECONDS = 0.01
"""Least time between two looks: what is committed in between costs one look, not one each."""


class Watcher:
    """Keeps `news` at the newest final change.

    connect: opens a connection for this task alone. listen: whether it may LISTEN (a transaction pooler cannot).
    poll_seconds: how often to look without having been woken.
    """

    def __init__(
        self, news: ChangeSignal, connect: Callable[[], Awaitable[Any]], *, listen: bool, poll_seconds: float
    ) -> None:
        self._news = news
        self._connect = connect
        self._listen = listen
        self._poll_seconds = poll_seconds
        self._kick = asyncio.Event()
        self._tell = False
        self._task: asyncio.Task[None] | None = None
        self.trouble = ""

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def committed(self) -> None:
        """This store has committed changes: look, and tell the others."""
        self._tell = True
        self._kick.set()

    async def _run(self) -> None:
        while True:
            try:
                connection = await self._connect()
            except AWAY as error:
                self.trouble = str(error) or type(error).__name__
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            try:
                await self._follow(connection)
            except AWAY as error:
                self.trouble = str(error) or type(error).__name__
                await asyncio.sleep(_RETRY_SECONDS)
            finally:
                connection.terminate()

    async def _follow(self, connection: Any) -> None:
        if self._listen:
            mine = connection.get_server_pid()

            def on_notify(_: Any, sender: int, *rest: str) -> None:
                if sender != mine:
                    self._kick.set()

            await connection.add_listener(CHANNEL, on_notify)
            connection.add_termination_listener(lambda _: self._kick.set())
        pause = _FIRST_PAUSE
        clock = asyncio.get_running_loop().time
        looked = clock() - _GATHER_SECONDS
        while True:
            await asyncio.sleep(max(0.0, looked + _GATHER_SECONDS - clock()))
            looked = clock()
            self._kick.clear()
            if self._tell:
                self._tell = False
                await connection.execute(f"NOTIFY {CHANNEL}")
            # A pooler may change servers between preparing and asking, but not in a transaction.
            async with nullcontext() if self._listen else connection.transaction():
                final, newest = await connection.fetchrow(queries.PROGRESS)
            self.trouble = ""
            self._news.advance(final)
            # Committed behind a transaction that still runs: nobody tells us when that one ends.
            pause = min(pause * 2, self._poll_seconds) if newest > final else _FIRST_PAUSE
            try:
                # Not wait_for: before Python 3.12 it swallows a cancellation that comes together with the result.
                async with asyncio.timeout(pause if newest > final else self._poll_seconds):
                    await self._kick.wait()
            except TimeoutError:
                continue
