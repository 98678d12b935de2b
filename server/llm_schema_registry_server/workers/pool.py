"""The pool of worker processes: slots, fair queues, slow lane, replacement of processes that ended.

`processes` tasks run at a time, each in a slot; one more process than slots is kept ready, so that nobody waits when one
ends. A task that takes longer than `patience_seconds` moves to the slow lane: its process gets the lowest priority, and its
slot goes to the next task. When the slow lane is full, its process is killed, and the task waits to begin anew there. For a
while the further tasks of that caller and kind wait for the slow lane from the start. All but one slot is for callers of whom
nothing is known yet; the last one is kept for those whose tasks have been cheap. So costly tasks cannot hold up cheap ones. Starting a
process takes the processor from all others: callers whose tasks end theirs again and again are refused for a while, longer
each time.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from llm_schema_engines.protoc.processor_time import STARVED_FACTOR

from .. import settings
from ..errors import LimitExceeded, RegistryError, ShuttingDown, Unavailable
from ..queues import caller as callers
from ..queues.back_off import BackOff
from ..queues.caller import Caller
from ..queues.fair_queue import Cost, FairQueue, QueueLimits, Queues, Ticket
from ..queues.history import CostHistory
from ..telemetry import context, logs, names, tracing
from ..telemetry.tracing import Attributes
from ..telemetry.work import Tasks
from .codec import MalformedValue
from .memory_budget import MemoryBudget
from .messages import Request, Setup, decode_answer, encode_request, times_of
from .task import R, Task
from .template import AVAILABLE, Template
from .worker_process import START_SECONDS, WorkerProcess, WorkerProcessEnded

_LOG = logs.get("workers")

CROWDED_FACTOR = 5
"""How many times `patience_seconds` by the clock a task keeps its slot on a machine where it hardly gets the processor."""
CRASH_SECONDS = 1.0
"""What a task has cost that ended its process, which had to be replaced: its caller's next ones wait for the slow lane."""
SUSPICIOUS_SECONDS = 60.0
"""For so long after a task has ended its process, unknown callers are not taken for harmless."""
RETRY_SECONDS = 1.0
"""Pause after a process could not be started."""


class Overrun(Exception):
    """The task took longer than it may, and its process was killed."""


class Starved(Exception):
    """The task did not get the processor for as long as it may use it, and its process was killed: the machine is too busy."""


class _MovedOut(Exception):
    """The task was dear and the slow lane full: it lost its slot and must begin anew."""


@dataclass(eq=False, slots=True)
class _RunningTask:
    """A task that a process works on. `abandoned`: nobody waits for its result any more. `slow`: it is in the slow lane.
    `history`: what its cost is noted under. `used`: processor time of the process before the task. `spent`: what the task had used
    when it was given up."""

    process: WorkerProcess
    ticket: Ticket
    caller: Caller
    history: tuple[str, type[Any]]
    used: float
    abandoned: bool = False
    slow: bool = False
    spent: float | None = None

    def give_up(self) -> None:
        """Ends the process, since nobody waits for the result: that is no crash, and no reason to hold anybody off."""
        self.spent = self.process.cpu_seconds() - self.used
        self.process.kill()


class Pool:
    """Runs tasks in processes made by `setup`. Belongs to one event loop; made inside it."""

    def __init__(
        self,
        bounds: settings.WorkersSettings,
        setup: Setup,
        queues: Queues | None = None,
        tasks: Tasks | None = None,
    ) -> None:
        self._tasks = tasks or Tasks()
        self._bounds = bounds
        self._setup = setup
        self._template = Template(setup.engines.partition(":")[0]) if AVAILABLE else None
        queues = queues or Queues()
        limits = replace(queues.limits, waiting=bounds.queue)
        unproven = max(1, bounds.processes - 1)
        self._quick_lane = queues.add(_queue("workers", (bounds.processes, unproven, unproven), limits))
        self._slow_lane = queues.add(_queue("slow_workers", (bounds.slow_processes,) * 3, limits))
        self._history = CostHistory(bounds.patience_seconds)
        self._suspicious_until = 0.0
        self._back_off = BackOff(bounds.crash_back_off_seconds)
        self._idle_slow: list[WorkerProcess] = []
        self._without_process: list[
            Ticket
        ] = []  # of slots that are free again when their processes are replaced
        self._idle: asyncio.LifoQueue[WorkerProcess] = asyncio.LifoQueue()
        self._idle_again = asyncio.Event()  # a process has become idle
        self._processes: set[WorkerProcess] = set()  # alive and not in the slow lane
        self._starting = 0
        self._running: set[_RunningTask] = set()
        self._background: set[asyncio.Task[None]] = set()  # starts and reapings under way
        self._starts: set[asyncio.Task[None]] = set()
        self._budget = MemoryBudget(bounds.total_memory_bytes, self._living, self._watched, self._end_largest)
        self._watch: asyncio.Task[None] | None = None
        self._stopping = False
        self._trouble = ""
        self._counts = dict.fromkeys(
            ("tasks", "started", "not_started", "crashed", "timed_out", "held_off"), 0
        )

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
        self._idle_again.set()
        for start in self._starts:
            start.cancel()
        for process in self._living():
            self._retire(process)
        self._free_slots(len(self._without_process))
        while self._background:
            await asyncio.gather(*self._background, return_exceptions=True)
        if self._template is not None:
            await self._template.stop()

    async def run(self, task: Task[R], seconds: float) -> R:
        """The task's result, or its RegistryError. Raises Overrun after `seconds` of processor time, Starved
        when it does not get that much, WorkerProcessEnded when the task ended
        its process, LimitExceeded when too many wait or the caller's tasks keep ending their processes, Unavailable when no process can be started.

        Cancelled, it leaves the queue; a process at work may finish if it does so soon, else it is killed.
        """
        with tracing.span(f"worker {type(task).__name__}", {names.TASK: type(task).__name__}):
            return await self._attempts(task, seconds)

    async def _attempts(self, task: Task[R], seconds: float) -> R:
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
            "processes": len(self._processes) + slow + len(self._idle_slow),
            "busy": len(self._running),
            "slow": slow,
            "waiting": self._quick_lane.waiting + self._slow_lane.waiting,
        }
        facts = {name: str(value) for name, value in (now | self._counts).items()}
        return {**facts, "trouble": self._trouble} if self._trouble else facts

    @property
    def _target(self) -> int:
        return self._bounds.processes + 1

    @property
    def _slow(self) -> int:
        # A copy: a collection of garbage may begin while this counts, and end a task that nobody waits for.
        return sum(running.slow for running in self._running.copy())

    async def _attempt(self, task: Task[R], seconds: float) -> R:
        if self._stopping:
            raise ShuttingDown
        caller = callers.current()
        history = caller.key, type(task)
        self._check_back_off(history)
        if self._history.cost(history) is not Cost.DEAR or not self._bounds.slow_processes:
            ticket = await self._take_quick_slot(caller, history, task)
            try:
                return await self._run_with(ticket, self._take_process, caller, history, task, seconds)
            except _MovedOut:
                pass
        try:
            ticket = await self._slow_lane.take(caller, Cost.DEAR)
        except BaseException:
            self._end_idle_slow()
            raise
        return await self._run_with(ticket, self._take_slow_process, caller, history, task, seconds)

    async def _take_quick_slot(
        self, caller: Caller, history: tuple[str, type[Any]], task: Task[Any]
    ) -> Ticket:
        while True:
            cost = self._expected_cost(caller, history, task)
            ticket = await self._quick_lane.take(caller, cost)
            expected = self._expected_cost(caller, history, task)
            if expected <= cost and (cost is Cost.CHEAP or not self._suspicious or self._idle.qsize() > 1):
                return ticket
            ticket.release(0.0)  # what has happened meanwhile leaves less room for it
            if expected <= cost:
                await self._await_idle()

    def _expected_cost(self, caller: Caller, history: tuple[str, type[Any]], task: Task[Any]) -> Cost:
        """What a task is taken for in the quick lane. A small one of an unknown caller is cheap, unless processes have ended of
        late: then those whose tasks are known keep a process for themselves."""
        cost = self._history.cost(history)
        if cost is Cost.USUAL and (
            not caller.key  # the server knows what it does
            or (task.is_small() and not self._suspicious)
        ):
            return Cost.CHEAP
        return cost

    @property
    def _suspicious(self) -> bool:
        return time.monotonic() < self._suspicious_until

    async def _run_with(
        self,
        ticket: Ticket,
        take_process: Callable[[], Awaitable[WorkerProcess]],
        caller: Caller,
        history: tuple[str, type[Any]],
        task: Task[R],
        seconds: float,
    ) -> R:
        try:
            if self._stopping:
                raise ShuttingDown
            self._check_back_off(history)  # its earlier ones have run meanwhile
            process = await take_process()
            running = _RunningTask(process, ticket, caller, history, process.cpu_seconds())
        except BaseException:
            ticket.release(0.0)
            raise
        running.slow = running.process not in self._processes
        self._counts["tasks"] += 1
        self._running.add(running)
        if self._watch is None or self._watch.done():
            self._watch = self._spawn(self._budget.watch())
        work = asyncio.ensure_future(self._supervise(running, task, seconds))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            work.add_done_callback(_ignore_error)
            running.abandoned = True
            if running.slow:
                running.give_up()
            raise

    def _living(self) -> Collection[WorkerProcess]:
        return {*self._processes, *self._idle_slow, *(r.process for r in self._running.copy())}

    def _watched(self) -> bool:
        return bool(self._running) and not self._stopping

    def _end_largest(self, process: WorkerProcess) -> None:
        if process.alive:
            _LOG.warning("worker_memory", held=process.grown, setting="workers.total_memory_bytes")
            process.kill_for_memory()

    def _check_back_off(self, history: tuple[str, type[Any]]) -> None:
        """Raises LimitExceeded for a caller who has to wait because its tasks ended their processes."""
        left = self._back_off.seconds_left(history)
        if left > 0:
            self._counts["held_off"] += 1
            raise LimitExceeded(
                f"the last schemas or data of this caller ended the processes that worked on them; try others in {left:.0f} s "
                "(setting workers.crash_back_off_seconds)",
                retry_seconds=left,
                setting="workers.crash_back_off_seconds",
            )

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
            raise self._none_started() from None

    async def _take_slow_process(self) -> WorkerProcess:
        """One that has the lowest priority already, or an idle one that gets it now. It leaves one for each slot of the quick lane:
        tasks that end their processes would use up all, faster than new ones start."""
        while (process := self._spare_process()) is None:
            await self._await_idle()
        return process

    async def _await_idle(self) -> None:
        """Until a process has become idle."""
        self._idle_again.clear()
        try:
            async with asyncio.timeout(START_SECONDS):
                await self._idle_again.wait()
        except TimeoutError:
            raise self._none_started() from None
        if self._stopping:
            raise ShuttingDown

    def _spare_process(self) -> WorkerProcess | None:
        while self._idle_slow:
            process = self._idle_slow.pop()
            if process.alive:
                return process
            self._retire(process)
        while len(self._processes) > self._bounds.processes and not self._idle.empty():
            process = self._idle.get_nowait()
            if process.alive:
                self._slow_down(process)
                return process
        return None

    def _put_idle(self, process: WorkerProcess) -> None:
        self._idle.put_nowait(process)
        self._idle_again.set()

    def _none_started(self) -> Unavailable:
        return Unavailable(f"no worker could be started: {self._trouble or 'the machine is too busy'}")

    async def _supervise(self, running: _RunningTask, task: Task[R], seconds: float) -> R:
        process, used = running.process, running.used
        clock = asyncio.get_running_loop().time
        began = clock()
        reply = process.ask(encode_request(Request(task, seconds, _context())))
        reply.add_done_callback(_ignore_error)  # after an overrun nobody reads it
        answer: R | RegistryError | None = None
        try:
            if running.slow or not await self._answered_soon(reply, process, used, seconds):
                self._move_to_slow_lane(running, clock() - began, process.cpu_seconds() - used)
                if not await process.answered_within(reply, seconds, used, STARVED_FACTOR * seconds):
                    self._counts["timed_out"] += running.spent is None  # else it was given up, and ended
                    raise Overrun if process.cpu_seconds() - used >= seconds else Starved
            times, data = times_of(reply.result())
            answer = decode_answer(task, data)
            if times is not None:
                what: Attributes = {names.TASK: type(task).__name__, names.PROCESS_PID: process.pid}
                tracing.elsewhere(f"{type(task).__name__} in its process", *times, what)
        except MalformedValue as error:
            process.kill()
            await process.end()
            raise self._crash(
                WorkerProcessEnded(f"gave an answer that cannot be decoded ({error})")
            ) from None
        except WorkerProcessEnded:
            ended = await process.end()
            if running.spent is not None:
                raise
            if (
                not ended.killed and running.caller.key
            ):  # nobody else is to wait for what the server itself asked
                self._history.note(running.history, CRASH_SECONDS)
                self._back_off.note(running.history)
                self._suspicious_until = time.monotonic() + SUSPICIOUS_SECONDS
            raise self._crash(ended) from None
        finally:
            spent = process.cpu_seconds() - used if running.spent is None else running.spent
            elapsed = clock() - began
            if math.isfinite(spent):  # by the processor alone: a neighbour's load makes nobody's tasks dear
                self._history.note(running.history, min(spent, elapsed))
            self._finish(running, self._cost(spent, elapsed), usable=answer is not None)
            self._tasks.ended(type(task).__name__, _result(answer), elapsed)
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

    def _cost(self, processor: float, elapsed: float) -> float:
        """Seconds that a task has cost: what it used of the processor, but at least a share of how long it kept its slot."""
        if elapsed < self._bounds.patience_seconds:
            return elapsed
        if not math.isfinite(processor):  # it has ended
            return elapsed
        return min(elapsed, max(processor, elapsed / CROWDED_FACTOR))

    def _move_to_slow_lane(self, running: _RunningTask, elapsed: float, processor: float) -> None:
        """Raises _MovedOut when the slow lane is full."""
        if running.slow:
            return
        if running.abandoned:
            running.give_up()
            return
        if not self._bounds.slow_processes:
            return
        slow = self._slow_lane.take_now(running.caller, Cost.DEAR)
        self._history.note(running.history, min(processor, elapsed))
        if slow is None:
            raise _MovedOut
        running.slow = True
        self._slow_down(running.process)
        self._free_slot(running.ticket, elapsed)
        running.ticket = slow

    def _slow_down(self, process: WorkerProcess) -> None:
        process.slow_down()
        self._processes.discard(process)
        self._balance()

    def _finish(self, running: _RunningTask, cost: float, *, usable: bool) -> None:
        self._running.discard(running)
        process = running.process
        usable = usable and not self._stopping
        if usable and not running.slow:
            process.clear_stderr()
            self._put_idle(process)
        elif usable and self._slow_lane.waiting:  # it cannot get a better priority again, but serve them
            process.clear_stderr()
            self._idle_slow.append(process)
            self._idle_again.set()
        else:
            self._retire(process)
        if running.slow:
            running.ticket.release(cost)
        else:
            self._free_slot(running.ticket, cost)

    def _free_slot(self, ticket: Ticket, cost: float) -> None:
        """Gives a slot to the next task, as soon as there is a process for it: tasks that cost their processes may not use up those
        that the other slots need."""
        missing = self._bounds.processes - len(self._processes)
        if self._stopping or len(self._without_process) >= missing:
            ticket.release(cost)
        else:
            ticket.settle(cost)
            self._without_process.append(ticket)

    def _free_slots(self, most: int) -> None:
        for _ in range(min(most, len(self._without_process))):
            self._without_process.pop().release()

    def _end_idle_slow(self) -> None:
        """Ends processes with the lowest priority that nobody waits for."""
        if not self._slow_lane.waiting:
            while self._idle_slow:
                self._retire(self._idle_slow.pop())

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
                    self._counts["not_started"] += 1
                    _LOG.error("worker_not_started", cause=ended.cause, stderr=ended.stderr)
                    self._free_slots(len(self._without_process))  # whoever takes them is told what is wrong
                await asyncio.sleep(RETRY_SECONDS)
        finally:
            self._starting -= 1

    async def _start_one(self) -> None:
        process = await WorkerProcess.start(self._setup, self._on_end, self._template)
        self._counts["started"] += 1
        self._trouble = ""
        self._processes.add(process)
        self._put_idle(process)
        self._free_slots(1)

    def _on_end(self, process: WorkerProcess) -> None:
        """The pipe of a process closed. When it was idle, nobody else notices."""
        if process in self._idle_slow:
            self._idle_slow.remove(process)
            self._retire(process)
        elif process in self._processes and not any(r.process is process for r in self._running.copy()):
            self._retire(process)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task


def _context() -> context.CallContext:
    """The context of the call, with the span under which the process works."""
    now = context.current()
    return replace(now, traceparent=tracing.traceparent() or now.traceparent)


def _result(answer: object) -> str:
    if answer is None:
        return "failed"
    return "refused" if isinstance(answer, RegistryError) else "ok"


def _queue(name: str, room: Sequence[int], limits: QueueLimits) -> FairQueue:
    what = "schemas wait to be compiled or compared"
    return FairQueue(name, room, limits, what=what, setting="workers.queue")


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
