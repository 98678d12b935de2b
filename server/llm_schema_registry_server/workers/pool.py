"""The pool of worker processes: slots, queue, slow lane, replacement of processes that ended.

`processes` tasks run at a time, each in a slot; one more process than slots is kept ready, so that nobody waits when one
ends. A task that takes longer than `patience_seconds` moves to the slow lane: its process gets the lowest priority, its
slot goes to the next task, and the process is not used again. So a few costly tasks cannot hold up cheap ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from .. import settings
from ..errors import LimitExceeded, RegistryError, ShuttingDown, Unavailable
from ..telemetry import context, logs
from .codec import MalformedValue
from .messages import Request, Setup, decode_answer, encode_request
from .task import R, Task
from .worker_process import START_SECONDS, WorkerProcess, WorkerProcessEnded

_LOG = logs.get("workers")

CROWDED = 5
"""How many times its patience the pool waits for a task that hardly got the processor."""
RETRY_SECONDS = 1.0
"""Pause after a child could not be started."""


class Overrun(Exception):
    """The task took longer than it may, and its child was killed."""


@dataclass(eq=False, slots=True)
class _RunningTask:
    """A task in the hands of a child. `abandoned`: nobody waits for it any more."""

    child: WorkerProcess
    abandoned: bool = False
    slow: bool = False


class Pool:
    """Runs tasks in children made by `setup`. Belongs to one event loop; made inside it."""

    def __init__(self, bounds: settings.WorkersSettings, setup: Setup) -> None:
        self._bounds = bounds
        self._setup = setup
        self._seats = asyncio.Semaphore(bounds.processes)
        self._waiting = 0
        self._idle: asyncio.LifoQueue[WorkerProcess] = asyncio.LifoQueue()
        self._children: set[WorkerProcess] = set()  # alive and not in the slow lane
        self._starting = 0
        self._errands: set[_RunningTask] = set()
        self._background: set[asyncio.Task[None]] = set()  # starts and reapings under way
        self._starts: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._trouble = ""
        self._counts = {"tasks": 0, "started": 0, "crashed": 0, "timed_out": 0}

    async def start(self) -> None:
        """Start all children; raises Unavailable when one cannot be started."""
        outcomes = await asyncio.gather(
            *(self._start_one() for _ in range(self._target)), return_exceptions=True
        )
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                await self.stop()
                if isinstance(outcome, WorkerProcessEnded):
                    raise Unavailable(f"a worker {outcome.cause}: {outcome.last_words}") from outcome
                raise outcome

    async def stop(self) -> None:
        """Kill and reap every child; tasks under way raise ShuttingDown."""
        self._stopping = True
        for start in self._starts:
            start.cancel()
        for child in {*self._children, *(e.child for e in self._errands)}:
            self._retire(child)
        while self._background:
            await asyncio.gather(*self._background, return_exceptions=True)

    async def run(self, task: Task[R], seconds: float) -> R:
        """The task's result, or its RegistryError. Raises Overrun after `seconds`, ChildGone when the child died of it,
        LimitExceeded when too many wait, Unavailable when no child can be had.

        Cancelled, it leaves the queue; a child at work may finish if it does so soon, else it is killed.
        """
        try:
            return await self._attempt(task, seconds)
        except WorkerProcessEnded as gone:
            if not gone.killed or self._stopping:
                raise
        # Somebody else killed the child (an operator, the system short of memory): the task gets a second chance.
        return await self._attempt(task, seconds)

    def facts(self) -> Mapping[str, str]:
        """What is going on, and counts since the start."""
        slow = self._slow
        now = {
            "processes": len(self._children) + slow,
            "busy": len(self._errands),
            "slow": slow,
            "waiting": self._waiting,
        }
        facts = {name: str(value) for name, value in (now | self._counts).items()}
        return {**facts, "trouble": self._trouble} if self._trouble else facts

    @property
    def _target(self) -> int:
        return self._bounds.processes + 1

    @property
    def _slow(self) -> int:
        return sum(errand.slow for errand in self._errands)

    async def _attempt(self, task: Task[R], seconds: float) -> R:
        await self._take_seat()
        try:
            errand = _RunningTask(await self._take_child())
        except BaseException:
            self._seats.release()
            raise
        self._counts["tasks"] += 1
        self._errands.add(errand)
        work = asyncio.ensure_future(self._attend(errand, task, seconds))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            work.add_done_callback(_seen)
            errand.abandoned = True
            if errand.slow:
                errand.child.kill()
            raise

    async def _take_seat(self) -> None:
        if self._stopping:
            raise ShuttingDown
        if self._seats.locked() and self._waiting >= self._bounds.queue:
            raise LimitExceeded(
                f"{self._waiting} schemas wait to be compiled or compared already; try again later",
                limit=self._bounds.queue,
            )
        self._waiting += 1
        try:
            await self._seats.acquire()
        finally:
            self._waiting -= 1

    async def _take_child(self) -> WorkerProcess:
        """An idle child; normally there is one for whoever has a seat."""
        try:
            async with asyncio.timeout(START_SECONDS):
                while True:
                    child = await self._idle.get()
                    if self._stopping:
                        raise ShuttingDown
                    if child.alive:
                        return child
        except TimeoutError:
            raise Unavailable(
                f"no worker could be started: {self._trouble or 'the machine is too busy'}"
            ) from None

    async def _attend(self, errand: _RunningTask, task: Task[R], seconds: float) -> R:
        child, used = errand.child, errand.child.cpu_seconds()
        end = asyncio.get_running_loop().time() + seconds
        reply = child.ask(encode_request(Request(task, seconds, context.current())))
        reply.add_done_callback(_seen)  # after an overrun nobody looks at it any more
        answer: R | RegistryError | None = None
        try:
            if not await self._patiently(reply, child, used, seconds):
                self._lose_patience(errand)
                if not await _within(reply, end - asyncio.get_running_loop().time()):
                    self._counts["timed_out"] += 1
                    raise Overrun
            answer = decode_answer(task, reply.result())
        except MalformedValue as error:
            child.kill()
            await child.end()
            raise self._crash(WorkerProcessEnded(f"answered nonsense ({error})")) from None
        except WorkerProcessEnded:
            raise self._crash(await child.end()) from None
        finally:
            self._conclude(errand, usable=answer is not None)
        if isinstance(answer, RegistryError):
            raise answer
        return answer

    async def _patiently(
        self, reply: asyncio.Future[bytes], child: WorkerProcess, used: float, seconds: float
    ) -> bool:
        """Whether `reply` is there before the task has used up the patience of the pool; `used`: the child's CPU before it.

        On a crowded machine a task does not lose its seat for the time that others had the processor: to replace a child
        would make the crowd larger.
        """
        patience, clock = self._bounds.patience_seconds, asyncio.get_running_loop().time
        end = clock() + min(CROWDED * patience, seconds)
        while not await _within(reply, min(patience, end - clock())):
            if child.cpu_seconds() - used >= patience or clock() >= end:
                return False
        return True

    def _lose_patience(self, errand: _RunningTask) -> None:
        if errand.abandoned:
            errand.child.kill()
        elif self._slow < self._bounds.slow_processes:
            errand.slow = True
            errand.child.slow_down()
            self._children.discard(errand.child)
            self._seats.release()
            self._balance()

    def _conclude(self, errand: _RunningTask, *, usable: bool) -> None:
        self._errands.discard(errand)
        if errand.slow or not usable or self._stopping:
            self._retire(errand.child)
        else:
            errand.child.rest()
            self._idle.put_nowait(errand.child)
        if not errand.slow:
            self._seats.release()

    def _crash(self, gone: WorkerProcessEnded) -> RegistryError | WorkerProcessEnded:
        if self._stopping:
            return ShuttingDown()
        self._counts["crashed"] += 1
        _LOG.warning("worker_crashed", cause=gone.cause, last_words=gone.last_words)
        return gone

    def _retire(self, child: WorkerProcess) -> None:
        self._children.discard(child)
        child.kill()
        self._chore(_reap(child))
        self._balance()

    def _balance(self) -> None:
        """Start as many children as are missing."""
        while not self._stopping and len(self._children) + self._starting < self._target:
            self._starting += 1
            start = self._chore(self._keep_starting())
            self._starts.add(start)
            start.add_done_callback(self._starts.discard)

    async def _keep_starting(self) -> None:
        try:
            while True:
                try:
                    return await self._start_one()
                except WorkerProcessEnded as gone:
                    self._trouble = f"a worker {gone.cause}"
                    _LOG.error("worker_not_started", cause=gone.cause, last_words=gone.last_words)
                await asyncio.sleep(RETRY_SECONDS)
        finally:
            self._starting -= 1

    async def _start_one(self) -> None:
        child = await WorkerProcess.start(self._setup, self._gone)
        self._counts["started"] += 1
        self._trouble = ""
        self._children.add(child)
        self._idle.put_nowait(child)

    def _gone(self, child: WorkerProcess) -> None:
        """A child's pipe closed: nobody may be asking it, so the pool itself must notice."""
        if child in self._children and not any(e.child is child for e in self._errands):
            self._retire(child)

    def _chore(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task


async def _within(reply: asyncio.Future[bytes], seconds: float) -> bool:
    """Whether `reply` is there, good or bad, before `seconds` have passed."""
    if not reply.done():
        await asyncio.wait([reply], timeout=seconds)
    return reply.done()


async def _reap(child: WorkerProcess) -> None:
    await child.end()


def _seen(work: asyncio.Future[Any]) -> None:
    """Its error, if any, needs no reader."""
    if not work.cancelled():
        work.exception()
