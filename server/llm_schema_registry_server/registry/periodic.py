"""Work that a server does again and again beside its calls: recording usage, counting statistics, forgetting old changes."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from ..errors import RegistryError
from ..model.health import Component, ComponentStatus
from ..telemetry import logs
from .leasing import LeaseKeeper

STOP_SECONDS = 2.0
LONGEST_BACK_OFF = 16
"""How many times longer than usual the pause after failures becomes at most."""

_LOG = logs.get("background")


@dataclass(frozen=True, slots=True)
class WorkState:
    """last_success: when a run ended well, None before the first. trouble: why the last run failed; "" when it did not.
    failures: runs that failed one after the other. elsewhere: whether another server of the store does this work."""

    last_success: datetime | None = None
    trouble: str = ""
    failures: int = 0
    elsewhere: bool = False


class PeriodicWork:
    """Runs `work` when it is started and then with pauses of `every_seconds`, varied by a half so that servers that were
    started together do not stay in step.

    A run that fails is logged once, and so is the first that does not fail after it. The pause after the second failure in
    a row is twice as long, then four times, up to LONGEST_BACK_OFF times.

    retry_seconds: the least pause after a failure. lease: with it, only the server of a store that holds it works.
    waits_first: begin with a pause. runs_at_stop: run a last time when it is stopped. stop_seconds: how long `stop` waits for
    that, and again for a run that was cancelled.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[], Awaitable[None]],
        clock: Callable[[], datetime],
        *,
        every_seconds: float,
        retry_seconds: float = 0,
        lease: LeaseKeeper | None = None,
        waits_first: bool = False,
        runs_at_stop: bool = False,
        stop_seconds: float = STOP_SECONDS,
        vary: Callable[[], float] = lambda: random.uniform(0.5, 1.5),
    ) -> None:
        self.name = name
        self.state = WorkState()
        self._work, self._clock, self._lease, self._vary = work, clock, lease, vary
        self._every, self._retry = every_seconds, retry_seconds
        self._waits_first, self._runs_at_stop = waits_first, runs_at_stop
        self._stop_seconds = stop_seconds
        self._asked = asyncio.Event()
        self._ending = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._loop(), name=self.name)

    def run_soon(self) -> None:
        """End the pause; a run that is under way is followed by another one at once."""
        self._asked.set()

    async def stop(self) -> None:
        """Returns within three times `stop_seconds`, even when the work can neither end nor be cancelled."""
        self._ending = True
        self._asked.set()
        if self._task is not None:
            if self._runs_at_stop:
                await asyncio.wait([self._task], timeout=self._stop_seconds)
            self._task.cancel()
            await asyncio.wait([self._task], timeout=self._stop_seconds)
            await self._release()

    @property
    def pause_seconds(self) -> float:
        """The next pause, before it is varied."""
        failures = self.state.failures
        if not failures:
            return self._every
        longer = min(1 << min(failures - 1, LONGEST_BACK_OFF), LONGEST_BACK_OFF)
        return max(self._every * longer, self._retry)

    async def run_once(self) -> None:
        """One run; what it raises goes into the state and the log."""
        try:
            ran = await self._lease.run(self._work) if self._lease is not None else await self._run()
        except Exception as error:
            self._failed(error)
        else:
            self._succeeded(ran)

    async def _run(self) -> bool:
        await self._work()
        return True

    async def _loop(self) -> None:
        if self._waits_first:
            await self._wait()
        while not self._ending:
            await self.run_once()
            await self._wait()
        if self._runs_at_stop:
            await self.run_once()

    async def _wait(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self.pause_seconds * self._vary()):
                await self._asked.wait()
        self._asked.clear()

    def _failed(self, error: Exception) -> None:
        before = self.state
        expected = isinstance(error, RegistryError)
        trouble = error.message if isinstance(error, RegistryError) else repr(error)
        self.state = WorkState(before.last_success, trouble, before.failures + 1)
        if not before.trouble:
            _LOG.warning(
                "background_work_failed",
                work=self.name,
                error=str(error) if expected else trouble,
                exc_info=None if expected else error,
            )

    def _succeeded(self, ran: bool) -> None:
        before = self.state
        last = self._clock() if ran else before.last_success
        self.state = WorkState(last, elsewhere=not ran)
        if before.trouble:
            _LOG.info("background_work_recovered", work=self.name, failures=before.failures)

    async def _release(self) -> None:
        if self._lease is None:
            return
        try:
            async with asyncio.timeout(self._stop_seconds):
                await self._lease.release()
        except (RegistryError, TimeoutError) as error:
            _LOG.warning(
                "lease_not_released", work=self.name, error=str(error), why="others wait until it expires"
            )


def component(works: Sequence[PeriodicWork]) -> Component:
    """What the health report tells of them. Always UP: no caller is served worse while one of them fails."""
    details: dict[str, str] = {}
    for work in works:
        state = work.state
        if state.last_success is not None:
            details[f"{work.name}_last_success"] = state.last_success.isoformat(timespec="seconds")
        if state.trouble:
            details[f"{work.name}_trouble"] = state.trouble
        if state.elsewhere:
            details[f"{work.name}_elsewhere"] = "another server does it"
    return Component(ComponentStatus.UP, details=details)
