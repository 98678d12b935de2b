"""One task per store that notices committed changes, its own and those of other servers, and wakes the tasks that wait for them.

NOTIFY is not sent in the transactions that write: there it would make every commit wait for the one before.
A notification that is lost costs a poll interval, nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from typing import Any

from ...telemetry import logs
from ..change_signal import ChangeSignal
from . import queries
from .errors import AWAY

_LOG = logs.get("storage.postgres")

CHANNEL = "schema_registry_changes"
_RETRY_SECONDS = 0.5
_FIRST_PAUSE = 0.005
_GATHER_SECONDS = 0.01
"""Least time between two queries: all changes committed in between are found by one."""


class Watcher:
    """Advances `signal` to the newest final change.

    connect: opens a connection that only this task uses. listen: whether it may LISTEN (a transaction pooler cannot).
    poll_seconds: how often to query without a notification.
    """

    def __init__(
        self,
        signal: ChangeSignal,
        connect: Callable[[], Awaitable[Any]],
        *,
        listen: bool,
        poll_seconds: float,
    ) -> None:
        self._signal = signal
        self._connect = connect
        self._listen = listen
        self._poll_seconds = poll_seconds
        self._wake = asyncio.Event()
        self._notify_pending = False
        self._task: asyncio.Task[None] | None = None
        self.last_error = ""

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def committed(self) -> None:
        """This store has committed changes: query now, and notify the other servers."""
        self._notify_pending = True
        self._wake.set()

    async def _run(self) -> None:
        while True:
            try:
                connection = await self._connect()
            except AWAY as error:
                self._failed(error)
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            try:
                await self._follow(connection)
            except AWAY as error:
                self._failed(error)
                await asyncio.sleep(_RETRY_SECONDS)
            finally:
                connection.terminate()

    def _failed(self, error: BaseException) -> None:
        if not self.last_error:
            _LOG.warning("changes_not_followed", error=str(error) or type(error).__name__)
        self.last_error = f"has lost its connection ({type(error).__name__}) and tries again"

    async def _progress(self, connection: Any) -> tuple[int, int]:
        """The answer to queries.PROGRESS; others are notified in the same round trip when that is due."""
        if not self._notify_pending:
            final, newest = await connection.fetchrow(queries.PROGRESS)
        else:
            self._notify_pending = False
            final, newest, _ = await connection.fetchrow(queries.NOTIFYING_PROGRESS, CHANNEL)
        return final, newest

    async def _follow(self, connection: Any) -> None:
        if self._listen:
            mine = connection.get_server_pid()

            def on_notify(_: Any, sender: int, *rest: str) -> None:
                if sender != mine:
                    self._wake.set()

            await connection.add_listener(CHANNEL, on_notify)
            connection.add_termination_listener(lambda _: self._wake.set())
        pause = _FIRST_PAUSE
        clock = asyncio.get_running_loop().time
        queried_at = clock() - _GATHER_SECONDS
        while True:
            await asyncio.sleep(max(0.0, queried_at + _GATHER_SECONDS - clock()))
            queried_at = clock()
            self._wake.clear()
            # A pooler may change servers between preparing and asking, but not in a transaction.
            async with nullcontext() if self._listen else connection.transaction():
                final, newest = await self._progress(connection)
            self.last_error = ""
            self._signal.advance(final)
            # Some changes are committed, but not final before an older transaction ends, of which no notification comes.
            pause = min(pause * 2, self._poll_seconds) if newest > final else _FIRST_PAUSE
            try:
                # Not wait_for: before Python 3.12 it swallows a cancellation that comes together with the result.
                async with asyncio.timeout(pause if newest > final else self._poll_seconds):
                    await self._wake.wait()
            except TimeoutError:
                continue
