"""What one serving process has to do with the others: says that it is ready, tells its page of series, gathers theirs, and how many there are."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from ..model.health import Component, ComponentStatus
from ..telemetry import families as f
from ..telemetry import logs
from ..telemetry.pages import DamagedPage, MergedPage, PageRegistry, dumped
from .place import Place, State

_LOG = logs.get("siblings")
COMPONENT = "processes"
"""Their name in the health report."""
READY = "ready"
BEAT_SECONDS = 1.0
"""How often a process that serves says so."""
_STATM = Path("/proc/self/statm")
_BACKLOG = 64
_FRESH_SECONDS = 0.1
"""A page is made anew when the last one is older: several processes may be asked for the page of all at the same time."""


class Siblings:
    """Of the process `number` of `place`. seconds: how long the page of another process is waited for."""

    def __init__(self, place: Place, number: int, *, seconds: float = 1.0) -> None:
        self._place, self.number, self._seconds = place, number, seconds
        self._pid = os.getpid()
        self._registry: Collector | None = None
        self._server: asyncio.Server | None = None
        self._made, self._made_at = b"", -_FRESH_SECONDS
        self.wanted = place.read().wanted

    def tell_ready(self) -> None:
        """Lets the supervisor know that this process serves, and that its event loop turns: to be called every BEAT_SECONDS. A supervisor
        that does not listen hears the next one."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as telling, suppress(OSError):
            telling.setblocking(False)
            telling.sendto(f"{READY} {self._pid}".encode(), str(self._place.notices))

    async def probe(self) -> Component:
        """Whether all are there. Until they have been once, no traffic should come; later those that are left take it."""
        try:
            state = await asyncio.to_thread(self._place.read)
        except OSError as error:
            return Component(
                ComponentStatus.DEGRADED, "the supervisor of the serving processes is gone", inside=str(error)
            )
        details = {
            "wanted": str(state.wanted),
            "ready": str(state.ready),
            **{f"restarts_{why}": str(count) for why, count in state.restarts.items()},
        }
        if state.ready >= state.wanted:
            return Component(ComponentStatus.UP, details=details)
        told = f"{state.ready} of {state.wanted} serving processes are ready"
        if not state.complete:
            return Component(ComponentStatus.DOWN, f"{told}, the others are starting", details)
        return Component(ComponentStatus.DEGRADED, f"{told}; what has ended is being started again", details)

    # The pages of series.

    def collect(self) -> Iterable[Metric]:
        """The series that tell this process from the others."""
        number = (str(self.number),)
        cpu, resident = f.SERVING_CPU.counter(), f.SERVING_RESIDENT.gauge()
        cpu.add_metric(number, time.process_time())
        resident.add_metric(number, _resident())
        return cpu, resident

    async def serve_page(self, registry: Collector) -> None:
        """Tells the other processes the page of this one from now on, until `close`."""
        self._registry = registry
        path = self._place.socket(self._pid)
        self._server = await asyncio.start_unix_server(self._tell, path, backlog=_BACKLOG)

    def close(self) -> None:
        """Tells it no more."""
        if self._server is not None:
            self._server.close()

    def leave(self, registry: Collector) -> None:
        """Leaves behind what this process has counted, for the others' pages."""
        with suppress(OSError):  # the supervisor is gone, and with it the folder
            self._place.put(self._place.page(self._pid), dumped(registry.collect()))

    async def gathered(self) -> PageRegistry:
        """The page of all processes, also of those that have ended."""
        own = await self._own()
        try:
            state = await asyncio.to_thread(self._place.read)
        except OSError:  # the supervisor is gone: there is nobody else to be found
            return _merged([own], [], ())
        others = [member for member in state.members if member.ready and member.pid != self._pid]
        asked = [member.pid for member in others if not member.leaving]
        pages = await asyncio.gather(*(self._asked(pid) for pid in asked))
        heard = [page for page in pages if page is not None]
        missing = [pid for pid, page in zip(asked, pages, strict=True) if page is None]
        leaving = [member.pid for member in others if member.leaving]  # they tell no more
        ended = await asyncio.to_thread(self._left_behind, state, [*missing, *leaving])
        return await asyncio.to_thread(_merged, [own, *heard], ended, _numbers(state, len(missing)))

    async def _own(self) -> bytes:
        """The page of this process, which is left in the folder, too, in case that it dies."""
        if self._registry is None:
            raise AssertionError("a process that is asked for its page tells it")
        if time.monotonic() >= self._made_at + _FRESH_SECONDS:
            self._made, self._made_at = dumped(self._registry.collect()), time.monotonic()
            with suppress(OSError):  # the supervisor is gone, and with it the folder
                await asyncio.to_thread(self._place.put, self._place.page(self._pid), self._made)
        return self._made

    async def _tell(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(await self._own())
            await writer.drain()
        except OSError:
            return  # who asked has left
        finally:
            writer.close()

    async def _asked(self, pid: int) -> bytes | None:
        """The page of another process; None when it does not tell it in time."""
        try:
            async with asyncio.timeout(self._seconds):
                reader, writer = await asyncio.open_unix_connection(self._place.socket(pid))
                try:
                    return await reader.read() or None
                finally:
                    writer.close()
        except (OSError, TimeoutError):
            return None

    def _left_behind(self, state: State, missing: Iterable[int]) -> list[bytes]:
        """What ended processes have counted, and what those that do not answer had when they were asked last."""
        files = [self._place.page(pid) for pid in missing]
        if state.ended:
            files.append(self._place.folder / state.ended)
        found = []
        for file in files:
            with suppress(FileNotFoundError):  # one that has never been asked
                found.append(file.read_bytes())
        return found


def _merged(pages: Iterable[bytes], ended: Iterable[bytes], of_all: Iterable[Metric]) -> PageRegistry:
    """One page; of_all: families of the server as a whole, which take the place of those of its processes."""
    merged = MergedPage()
    for page in pages:
        _add(merged.add, page)
    for page in ended:
        _add(lambda data: merged.add(data, ended=True), page)
    own = {family.name: family for family in of_all}
    return PageRegistry([*(family for family in merged.families() if family.name not in own), *own.values()])


def _add(add: Callable[[bytes], None], page: bytes) -> None:
    try:
        add(page)
    except DamagedPage as error:
        _LOG.error("page_damaged", why=str(error), consequence="its numbers are missing from /metrics")


def _numbers(state: State, missing: int) -> Iterable[Metric]:
    processes, restarts = f.SERVING.gauge(), f.SERVING_RESTARTS.counter()
    for name, count in (("wanted", state.wanted), ("ready", state.ready), ("missing", missing)):
        processes.add_metric((name,), count)
    for why, count in state.restarts.items():
        restarts.add_metric((why,), count)
    # That of the whole server: single processes that are replaced make it no younger.
    return processes, restarts, f.STARTED_AT.one(state.started)


def _resident() -> float:
    return float(_STATM.read_text().split()[1]) * resource.getpagesize()
