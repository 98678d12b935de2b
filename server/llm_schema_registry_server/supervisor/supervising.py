"""Starts the serving processes, keeps their number, replaces them one by one, drains them all."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable, Container, Coroutine, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import uvloop

from .. import __version__
from ..ready_message import ready_message
from ..running import CANNOT_START, begin_logs, read_levels, stop_signals, wanted_ports, write_ready
from ..settings import Settings
from ..siblings.joining import fixed
from ..siblings.place import Member, Place, State
from ..siblings.siblings import BEAT_SECONDS, READY
from ..telemetry import logs, secrets
from ..telemetry.pages import DamagedPage, MergedPage, dumped
from ..transports.listener import ListenError
from ..transports.ports import check_ports, held_ports
from .process import Delays, ServingProcess

_LOG = logs.get("supervisor")
_STOP_SECONDS = 15.0
"""What a process may take for draining beyond `drain_seconds`: connections are closed, the storage too."""
_START_SECONDS = 60.0
"""What a process may take to serve, beyond `caches.warm_seconds`, before a rolling restart is given up."""
_KEPT_SECONDS = 30.0
"""How long the files of a process that has ended stay: who has read an older state may still look for them."""
_LOOK_SECONDS = 1.0
"""Between two looks for processes that hang."""
_MOST_BYTES = 256


def supervise(
    settings: Settings, arguments: Sequence[str], ready_file: Path | None, again: Callable[[], Settings]
) -> int:
    """Run `server.workers` serving processes until SIGTERM or SIGINT; answers with the exit code. arguments: of `serve`, for each. again:
    reads the settings anew, for SIGUSR1."""
    begin_logs(settings, {"process": "supervisor"})
    if sys.platform != "linux":
        return _cannot_start(
            "server.workers above 1 needs Linux, which shares ports between processes; set it to 1"
        )
    wanted = wanted_ports(settings)
    try:
        check_ports(wanted)
        with held_ports(wanted) as ports:
            place = Place.made()
            try:
                state = State(settings.server.workers, os.getpid(), time.time(), ports, fixed(settings))
                supervisor = Supervisor(settings, arguments, place, state)
                # Not asyncio's own loop: it waits for processes in threads, and the kernel tells processes of the end of each thread that
                # might be their parent (siblings/joining.py): they would not drain, but take the second for a second SIGTERM.
                return uvloop.run(supervisor.run(ready_file, again))
            finally:
                shutil.rmtree(place.folder, ignore_errors=True)
    except ListenError as error:
        return _cannot_start(str(error))


def _cannot_start(why: str) -> int:
    print(secrets.masked(f"schema-registry-server: cannot start: {why}"), file=sys.stderr)
    return CANNOT_START


class Supervisor:
    """Of the processes of one server; `state` is what it begins with."""

    def __init__(self, settings: Settings, arguments: Sequence[str], place: Place, state: State) -> None:
        self._settings, self._arguments, self._place, self._state = settings, arguments, place, state
        self._current: dict[int, ServingProcess] = {}
        self._by_pid: dict[int, ServingProcess] = {}
        self._delays = [Delays() for _ in range(state.wanted)]
        self._replacing: set[int] = set()
        self._ended = 0
        self._serving = self._stopping = False
        self._rolling: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, ready_file: Path | None, again: Callable[[], Settings]) -> int:
        """Until it is asked to stop; the exit code."""
        self._given_up: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        asked = asyncio.ensure_future(stop_signals().wait())
        self._tell(self._state)
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices:
            notices.setblocking(False)
            notices.bind(str(self._place.notices))
            loop.add_reader(notices, self._noticed, notices)
            starting = asyncio.ensure_future(self._start_all())
            await _first(asked, starting)
            if starting.done() and (failed := starting.result()):
                await self._stop()
                return failed
            if starting.done():
                self._obey(loop, again)
                self._tell_ready(ready_file)
                await _first(asked, self._given_up)
            starting.cancel()
            await asyncio.wait({starting})
            all_drained = await self._stop()
            loop.remove_reader(notices)
        if self._given_up.done():
            return self._given_up.result()
        _LOG.info("stopped")
        return 0 if all_drained else 1

    def _obey(self, loop: asyncio.AbstractEventLoop, again: Callable[[], Settings]) -> None:
        def levels() -> None:
            read_levels(again)
            self._pass_on(signal.SIGUSR1)

        if self._settings.server.hang_seconds:
            self._spawn(self._watch_for_hanging(self._settings.server.hang_seconds))
        loop.add_signal_handler(signal.SIGUSR1, levels)
        loop.add_signal_handler(signal.SIGUSR2, self.roll)
        if self._settings.tls.on:  # without TLS, a terminal that is closed takes its server along
            loop.add_signal_handler(signal.SIGHUP, self._pass_on, signal.SIGHUP)

    def _pass_on(self, number: signal.Signals) -> None:
        for process in self._by_pid.values():
            if (
                process.was_ready
            ):  # another one may not know the signal yet, and reads everything when it starts
                process.signal(number)

    def _tell_ready(self, ready_file: Path | None) -> None:
        self._serving = True
        ports = self._state.ports
        if ready_file is not None:
            write_ready(ready_file, ports)
        _LOG.info(
            "serving",
            version=__version__,
            processes=self._state.wanted,
            **{f"{name}_port": port for name, port in ports.items()},
        )
        if sys.stdout.isatty():
            print(ready_message(self._settings, ports), flush=True)

    # Starting.

    async def _start_all(self) -> int:
        """Starts all for the first time: one alone, which prepares the storage and tells what is wrong, then the others. The exit code when
        one ends instead, else 0."""
        for numbers in ((0,), range(1, self._state.wanted)):
            processes = [await self._start(number) for number in numbers]
            for process in processes:
                self._current[process.number] = process
            for process in processes:
                if not await process.until_ready():
                    return process.exit_status
        return 0

    async def _start(self, number: int) -> ServingProcess:
        process = await ServingProcess.started(number, self._place.folder, self._arguments)
        self._by_pid[process.pid] = process
        self._tell(replace(self._state, members=(*self._state.members, Member(number, process.pid))))
        self._spawn(self._watch(process))
        return process

    def _noticed(self, notices: socket.socket) -> None:
        """A process has told something."""
        try:
            word, _, pid = notices.recv(_MOST_BYTES).decode("ascii", "replace").partition(" ")
        except (BlockingIOError, InterruptedError):
            return
        process = self._by_pid.get(int(pid)) if pid.isdecimal() else None
        if word == READY and process is not None and process.says_ready():
            self._tell(self._state.told(process.pid, ready=True))
            _LOG.info("serving_process_ready", number=process.number, pid=process.pid)

    # Keeping.

    async def _watch(self, process: ServingProcess) -> None:
        """Until it has ended, and another one is in its place when that was not asked for."""
        await process.wait()
        del self._by_pid[process.pid]
        self._gone(process)
        mine = self._current.get(process.number) is process
        if mine and self._serving and not self._stopping and process.number not in self._replacing:
            await self._start_again(process)

    async def _watch_for_hanging(self, seconds: float) -> None:
        """Kills who has not said for so long that it serves."""
        loop = asyncio.get_running_loop()
        pause = min(_LOOK_SECONDS, seconds / 4)
        looked_at = loop.time()
        while True:
            await asyncio.sleep(pause)
            now = loop.time()
            for process in tuple(self._by_pid.values()):
                if now - looked_at > 2 * pause + BEAT_SECONDS:
                    process.excuse()  # it was us who did not listen: the machine is too busy, or has slept
                elif process.silent_seconds > seconds + BEAT_SECONDS:
                    _LOG.error(
                        "serving_process_hangs",
                        number=process.number,
                        pid=process.pid,
                        seconds=round(process.silent_seconds, 1),
                        setting="server.hang_seconds",
                        consequence="it is killed",
                    )
                    process.signal(signal.SIGKILL)
            looked_at = now

    async def _start_again(self, ended: ServingProcess) -> None:
        number = ended.number
        delay = self._delays[number].after(steady=ended.steady)
        _LOG.error(
            "serving_process_ended",
            number=number,
            pid=ended.pid,
            cause=ended.cause,
            consequence=f"started again after {delay:g} s",
        )
        self._count("crashed" if ended.was_ready else "failed")
        if not ended.was_ready and not self._state.ready and not self._given_up.done():
            self._given_up.set_result(ended.exit_status)  # nobody serves: whoever started us should know
            return
        await asyncio.sleep(delay)
        while self._current[number] is ended and number not in self._replacing and not self._stopping:
            try:
                self._current[number] = await self._start(number)
            except OSError as error:  # too many processes, or no memory
                _LOG.error("serving_process_not_started", number=number, error=str(error))
                await asyncio.sleep(self._delays[number].after(steady=False))

    def _gone(self, process: ServingProcess) -> None:
        """Keeps what an ended process has counted, in the file of all that have ended."""
        page, before = self._place.page(process.pid), self._state.ended
        merged = MergedPage()
        for file in ([self._place.folder / before] if before else []) + [page]:
            try:
                merged.add(file.read_bytes(), ended=True)
            except FileNotFoundError:  # nobody has asked it
                continue
            except DamagedPage as error:
                _LOG.error(
                    "page_damaged", why=str(error), consequence="its numbers are missing from /metrics"
                )
        self._ended += 1
        name = self._place.ended(self._ended)
        self._place.put(self._place.folder / name, dumped(merged.families()))
        members = tuple(member for member in self._state.members if member.pid != process.pid)
        self._tell(replace(self._state, members=members, ended=name))
        # Where we are the first process of a container, what an ended one leaves behind is ours.
        loop = asyncio.get_running_loop()
        loop.call_later(_KEPT_SECONDS, _bury_strangers, self._by_pid)
        old = [page, self._place.socket(process.pid), *([self._place.folder / before] if before else [])]
        loop.call_later(_KEPT_SECONDS, _remove, old)

    # Replacing.

    def roll(self) -> None:
        """Begins to replace all processes, one by one, unless that is under way, or all are being stopped."""
        if self._stopping:
            return
        if self._rolling is not None and not self._rolling.done():
            _LOG.warning("roll_under_way", consequence="nothing new is begun")
            return
        self._rolling = self._spawn(self._roll())

    async def _roll(self) -> None:
        _LOG.info("rolling", processes=self._state.wanted)
        for number in range(self._state.wanted):
            self._replacing.add(number)
            try:
                replaced = await self._roll_one(number)
            finally:
                self._replacing.discard(number)
            if not replaced:
                _LOG.error(
                    "roll_given_up",
                    number=number,
                    consequence="this process and those after it stay as they are",
                )
                if self._current[number].ended:
                    await self._start_again(self._current[number])
                return
        _LOG.info("rolled", processes=self._state.wanted)

    async def _roll_one(self, number: int) -> bool:
        """Whether a new process has taken the place; the old one serves until then."""
        old = self._current[number]
        try:
            new = await self._start(number)
        except OSError as error:
            _LOG.error("serving_process_not_started", number=number, error=str(error))
            return False
        if not await new.until_ready(self._settings.caches.warm_seconds + _START_SECONDS):
            self._count("failed")
            new.signal(signal.SIGKILL)
            return False
        self._current[number] = new
        self._count("rolled")
        self._tell(self._state.told(old.pid, leaving=True))
        await self._drain(old)
        return True

    async def _drain(self, process: ServingProcess) -> bool:
        seconds = self._settings.drain_seconds + _STOP_SECONDS
        drained = await process.stop(seconds)
        if not drained:
            _LOG.error(
                "serving_process_killed",
                number=process.number,
                pid=process.pid,
                why=f"not drained after {seconds:g} s",
            )
        return drained

    # Stopping.

    async def _stop(self) -> bool:
        """Drains all; whether each did in time."""
        self._stopping = True
        if self._rolling is not None:
            self._rolling.cancel()
        return all(await asyncio.gather(*(self._drain(process) for process in tuple(self._by_pid.values()))))

    # Telling.

    def _count(self, why: str) -> None:
        restarts = {**self._state.restarts, why: self._state.restarts.get(why, 0) + 1}
        self._tell(replace(self._state, restarts=restarts))

    def _tell(self, state: State) -> None:
        self._state = state
        self._place.write(state)

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _LOG.error("supervisor_failed", error=repr(error), exc_info=error)


async def _first(*waits: asyncio.Future[Any]) -> None:
    """Returns when one of them is done."""
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)


def _bury_strangers(ours: Container[int]) -> None:
    """Takes note of children that have ended and were not started here."""
    try:
        children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    except OSError:  # a kernel that does not tell
        return
    for pid in map(int, children):
        if pid not in ours:
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)


def _remove(files: Sequence[Path]) -> None:
    for file in files:
        file.unlink(missing_ok=True)
