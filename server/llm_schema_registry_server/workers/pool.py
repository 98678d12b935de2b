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

CROWDED_FACTOR = 5
"""How many times `patience_seconds` by the clock a task keeps its slot on a machine where it hardly gets the processor."""
RETRY_SECONDS = 1.0
"""Pause after a process could not be started."""


class Overrun(Exception):
    """The task took longer than it may, and its process was killed."""


@dataclass(eq=False, slots=True)
class _RunningTask:
    """A task that a process works on. `abandoned`: nobody waits for its result any more. `slow`: it is in the slow lane."""

    process: WorkerProcess
    abandoned: bool = False
    slow: bool = False


class Pool:
    """Runs tasks in processes made by `setup`. Belongs to one event loop; made inside it."""

    def __init__(self, bounds: settings.WorkersSettings, setup: Setup) -> None:
        self._bounds = bounds
        self._setup = setup
        self._slots = asyncio.Semaphore(bounds.processes)
        self._waiting = 0
        self._idle: asyncio.LifoQueue[WorkerProcess] = asyncio.LifoQueue()
        self._processes: set[WorkerProcess] = set()  # alive and not in the slow lane
        self._starting = 0
        self._running: set[_RunningTask] = set()
        self._background: set[asyncio.Task[None]] = set()  # starts and reapings under way
        self._starts: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._trouble = ""
        self._counts = {"tasks": 0, "started": 0, "crashed": 0, "timed_out": 0}

    async def start(self) -> None:
        """Start all processes; raises Unavailable when one cannot be started."""
        outcomes = await asyncio.gather(
            *(self._start_one() for _ in range(self._target)), return_exceptions=True
        )
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                await self.stop()
                if isinstance(outcome, WorkerProcessEnded):
                    raise Unavailable(f"a worker {outcome.cause}", inside=outcome.stderr) from outcome
                raise outcome

    async def stop(self) -> None:
        """Kill and reap every process; tasks under way raise ShuttingDown."""
        self._stopping = True
        for start in self._starts:
            start.cancel()
        for process in {*self._processes, *(r.process for r in self._running)}:
            self._retire(process)
        while self._background:
            await asyncio.gather(*self._background, return_exceptions=True)

    async def run(self, task: Task[R], seconds: float) -> R:
        """The task's result, or its RegistryError. Raises Overrun after `seconds` of processor time, WorkerProcessEnded when the task ended
        its process, LimitExceeded when too many wait, Unavailable when no process can be started.

        Cancelled, it leaves the queue; a process at work may finish if it does so soon, else it is killed.
        """
        try:
            return await self._attempt(task, seconds)
        except WorkerProcessEnded as ended:
            if not ended.killed or self._stopping:
                raise
        # The process was killed from outside (an operator, the system short of memory): the task is tried once more.
        return await self._attempt(task, seconds)

    def facts(self) -> Mapping[str, str]:
        """Gauges of now, and counts since the start."""
        slow = self._slow
        now = {
            "processes": len(self._processes) + slow,
            "busy": len(self._running),
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
        return sum(running.slow for running in self._running)

    async def _attempt(self, task: Task[R], seconds: float) -> R:
        await self._take_slot()
        try:
            running = _RunningTask(await self._take_process())
        except BaseException:
            self._slots.release()
            raise
        self._counts["tasks"] += 1
        self._running.add(running)
        work = asyncio.ensure_future(self._supervise(running, task, seconds))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            work.add_done_callback(_ignore_error)
            running.abandoned = True
            if running.slow:
                running.process.kill()
            raise

    async def _take_slot(self) -> None:
        if self._stopping:
            raise ShuttingDown
        if self._slots.locked() and self._waiting >= self._bounds.queue:
            raise LimitExceeded(
                f"{self._waiting} schemas wait to be compiled or compared already; try again later",
                limit=self._bounds.queue,
            )
        self._waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self._waiting -= 1

    async def _take_process(self) -> WorkerProcess:
        """An idle process; normally there is one for each slot."""
        try:
            async with asyncio.timeout(START_SECONDS):
                while True:
                    process = await self._idle.get()
                    if self._stopping:
                        raise ShuttingDown
                    if process.alive:
                        return process
        except TimeoutError:
            raise Unavailable(
                f"no worker could be started: {self._trouble or 'the machine is too busy'}"
            ) from None

    async def _supervise(self, running: _RunningTask, task: Task[R], seconds: float) -> R:
        process, used = running.process, running.process.cpu_seconds()
        reply = process.ask(encode_request(Request(task, seconds, context.current())))
        reply.add_done_callback(_ignore_error)  # after an overrun nobody reads it
        answer: R | RegistryError | None = None
        try:
            if not await self._answered_soon(reply, process, used, seconds):
                self._move_to_slow_lane(running)
                if not await process.answered_within(reply, seconds, used, CROWDED_FACTOR * seconds):
                    self._counts["timed_out"] += 1
                    raise Overrun
            answer = decode_answer(task, reply.result())
        except MalformedValue as error:
            process.kill()
            await process.end()
            raise self._crash(
                WorkerProcessEnded(f"gave an answer that cannot be decoded ({error})")
            ) from None
        except WorkerProcessEnded:
            raise self._crash(await process.end()) from None
        finally:
            self._finish(running, usable=answer is not None)
        if isinstance(answer, RegistryError):
            raise answer
        return answer

    async def _answered_soon(
        self, reply: asyncio.Future[bytes], process: WorkerProcess, used: float, seconds: float
    ) -> bool:
        """Whether `reply` is there before the task has used `patience_seconds` of CPU; `used`: the CPU of its process before.

        On a crowded machine a task does not lose its slot for the time that others had the processor: starting another
        process would take even more of it.
        """
        patience, clock = self._bounds.patience_seconds, asyncio.get_running_loop().time
        end = clock() + min(CROWDED_FACTOR * patience, seconds)
        while not await _within(reply, min(patience, end - clock())):
            if process.cpu_seconds() - used >= patience or clock() >= end:
                return False
        return True

    def _move_to_slow_lane(self, running: _RunningTask) -> None:
        if running.abandoned:
            running.process.kill()
        elif self._slow < self._bounds.slow_processes:
            running.slow = True
            running.process.slow_down()
            self._processes.discard(running.process)
            self._slots.release()
            self._balance()

    def _finish(self, running: _RunningTask, *, usable: bool) -> None:
        self._running.discard(running)
        if running.slow or not usable or self._stopping:
            self._retire(running.process)
        else:
            running.process.clear_stderr()
            self._idle.put_nowait(running.process)
        if not running.slow:
            self._slots.release()

    def _crash(self, ended: WorkerProcessEnded) -> RegistryError | WorkerProcessEnded:
        if self._stopping:
            return ShuttingDown()
        self._counts["crashed"] += 1
        _LOG.warning("worker_crashed", cause=ended.cause, stderr=ended.stderr)
        return ended

    def _retire(self, process: WorkerProcess) -> None:
        self._processes.discard(process)
        process.kill()
        self._spawn(_reap(process))
        self._balance()

    def _balance(self) -> None:
        """Start as many processes as are missing."""
        while not self._stopping and len(self._processes) + self._starting < self._target:
            self._starting += 1
            start = self._spawn(self._keep_starting())
            self._starts.add(start)
            start.add_done_callback(self._starts.discard)

    async def _keep_starting(self) -> None:
        try:
            while True:
                try:
                    return await self._start_one()
                except WorkerProcessEnded as ended:
                    self._trouble = f"a worker {ended.cause}"
                    _LOG.error("worker_not_started", cause=ended.cause, stderr=ended.stderr)
                await asyncio.sleep(RETRY_SECONDS)
        finally:
            self._starting -= 1

    async def _start_one(self) -> None:
        process = await WorkerProcess.start(self._setup, self._on_end)
        self._counts["started"] += 1
        self._trouble = ""
        self._processes.add(process)
        self._idle.put_nowait(process)

    def _on_end(self, process: WorkerProcess) -> None:
        """The pipe of a process closed. When it was idle, nobody else notices."""
        if process in self._processes and not any(r.process is process for r in self._running):
            self._retire(process)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task


async def _within(reply: asyncio.Future[bytes], seconds: float) -> bool:
    """Whether `reply` is there, good or bad, before `seconds` have passed."""
    if not reply.done():
        await asyncio.wait([reply], timeout=seconds)
    return reply.done()


async def _reap(process: WorkerProcess) -> None:
    await process.end()


def _ignore_error(work: asyncio.Future[Any]) -> None:
    """Keep asyncio from reporting an error that nobody awaits."""
    if not work.cancelled():
        work.exception()
