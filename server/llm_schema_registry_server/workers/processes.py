"""Workers in supervised subprocesses: what hostile input can end or hold up is never the server."""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from typing import Any, cast

from .. import settings
from ..caches.single_flight import SingleFlight
from ..errors import Unavailable
from ..queues.fair_queue import Queues
from ..telemetry import logs
from ..telemetry.work import Tasks
from .messages import Setup
from .pool import Overrun, Pool, Starved
from .task import FailureKind, R, Task, TaskFailure
from .worker_process import EndReason, WorkerProcessEnded

_LOG = logs.get("workers")

FAILED_SECONDS = 60.0
"""For so long a task that failed is answered with the same failure, which costs no process: what kills one kills the next."""
MOST_FAILED = 1000
"""Most failures that are remembered."""


class ProcessWorkers:
    """`engines` names a function (`package.module:function`) that makes Engines of `arguments` in each process. Its queues are
    shown among `queues`; what they did is noted in `tasks`."""

    def __init__(
        self,
        bounds: settings.WorkersSettings,
        engines: str,
        *arguments: object,
        queues: Queues | None = None,
        tasks: Tasks | None = None,
    ) -> None:
        self._bounds = bounds
        self._pool = Pool(bounds, Setup(os.getpid(), engines, arguments, bounds.memory_bytes), queues, tasks)
        self._failed: OrderedDict[int, tuple[float, TaskFailure]] = (
            OrderedDict()
        )  # by the hash of a task's key
        self._flights: SingleFlight[Hashable, Any] = SingleFlight()

    async def start(self) -> None:
        """Start the processes; raises Unavailable, with what they said, when they cannot be started."""
        await self._pool.start()

    async def stop(self) -> None:
        await self._pool.stop()

    def run_now(self, task: Task[R]) -> R | None:
        """None: a process always takes time."""
        return None

    async def run(self, task: Task[R]) -> R:
        key = task.key()
        if key is None:
            return await self._run(task)
        if self._failed:
            until, failure = self._failed.get(hash(key), (0.0, None))
            if failure is not None and time.monotonic() < until:
                return task.failed(failure)
        return cast(R, await self._flights.run(key, lambda: self._run(task)))

    async def _run(self, task: Task[R]) -> R:
        limit = task.seconds(self._bounds)
        try:
            return await self._pool.run(task, limit)
        except Overrun:
            failure = TaskFailure(FailureKind.TIMED_OUT, _too_long(limit))
        except Starved:
            raise Unavailable(
                f"the machine is too busy: {type(task).__name__.lower()} did not get {limit:g} s of the processor; try again"
            ) from None
        except WorkerProcessEnded as ended:
            # The kernel ends a process too, at a limit some seconds later, when the server is too busy to do it.
            if ended.reason is EndReason.PROCESSOR_TIME:
                failure = TaskFailure(FailureKind.TIMED_OUT, _too_long(limit))
            elif ended.reason in (EndReason.MEMORY, EndReason.MEMORY_OF_ALL):
                of_all = ended.reason is EndReason.MEMORY_OF_ALL
                failure = TaskFailure(FailureKind.OUT_OF_MEMORY, ended.cause, of_all)
            else:
                failure = TaskFailure(FailureKind.CRASHED, ended.cause)
        if failure.kind is FailureKind.CRASHED:
            _LOG.error("task_crashed", task=type(task).__name__, cause=failure.cause)
        if not failure.of_all:  # alone it might do
            self._remember(task, failure)
        return task.failed(failure)

    def _remember(self, task: Task[Any], failure: TaskFailure) -> None:
        key = task.key()
        if key is not None:
            self._failed[hash(key)] = (time.monotonic() + FAILED_SECONDS, failure)
            self._failed.move_to_end(hash(key))
            while len(self._failed) > MOST_FAILED:
                self._failed.popitem(last=False)

    def facts(self) -> Mapping[str, str]:
        return self._pool.facts()


def _too_long(seconds: float) -> str:
    return f"takes longer than {seconds:g} s"
