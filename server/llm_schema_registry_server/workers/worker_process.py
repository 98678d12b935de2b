"""One worker process as the server sees it: started, asked, killed, reaped."""

from __future__ import annotations

import asyncio
import enum
import fcntl
import math
import os
import signal
import socket
import sys
from collections import deque
from collections.abc import Callable, Sequence
from typing import Self, cast

from llm_schema_engines.protoc.processor_time import processor_seconds

from ..telemetry import logs
from .memory_budget import resident
from .messages import HEADER, MAX_FRAME, Setup, encode_request
from .starting import Process, ended, environment, started
from .template import Template, TemplateAway
from .worker_main import OUT_OF_MEMORY

_LOG = logs.get("workers")
START_SECONDS = 20.0
"""A process that is not ready after this is given up."""

STDERR_BYTES = 4000
"""How much of the end of its standard error is logged when a process has ended."""

GRACE_SECONDS = 1.0
"""How long a process that has closed its pipe may take to end."""

TOO_LARGE = f"announced an answer of more than {MAX_FRAME >> 20} MiB"

PIECE_BYTES = 256 * 1024
"""How much of a request is written in one turn of the event loop."""

_OVER_BUDGET = "held most of the memory when all workers together held too much"
LEAST_WAIT = 0.005
"""Seconds between two looks at the processor time of a process."""

LOW_PRIORITY = 10
"""nice(2). At the very lowest, 19, a process gets a hundredth of a machine that is busy with other things, and ends nothing."""


class EndReason(enum.Enum):
    """Whether a process ended at a limit that was set for it, or for any other reason."""

    MEMORY = "memory"
    MEMORY_OF_ALL = "memory of all processes together"
    PROCESSOR_TIME = "processor time"
    OTHER = "other"


class WorkerProcessEnded(Exception):
    """The process ended before it answered. `killed`: by a SIGKILL or SIGTERM that we did not send; its task may be harmless.

    `stderr`, the end of what it wrote there, is for the log only: it may hold paths and content.
    """

    def __init__(
        self,
        cause: str,
        *,
        killed: bool = False,
        stderr: str = "",
        reason: EndReason = EndReason.OTHER,
    ) -> None:
        super().__init__(cause)
        self.cause = cause
        self.reason = reason
        self.killed = killed
        self.stderr = stderr


class WorkerProcess:
    """A running subprocess that has made its engines and confined itself. Does one task at a time."""

    def __init__(self, process: Process, pipe: _Pipe, transport: asyncio.Transport, stderr: int) -> None:
        self._process = process
        self._pipe = pipe
        self._transport = transport
        self._stderr = stderr
        self._killed = self._over_budget = False
        self._at_first = 0
        self._ending: asyncio.Future[WorkerProcessEnded] | None = None

    @classmethod
    async def start(
        cls, setup: Setup, on_end: Callable[[WorkerProcess], None], template: Template | None = None
    ) -> Self:
        """A new process, ready for its first task; raises WorkerProcessEnded when it ends, or is not ready, before that.

        A copy of the `template`, if there is one. `on_end` is called once, when its end of the pipe closes after it was ready.
        """
        ours, theirs = socket.socketpair()
        stderr = _memory_file()
        try:
            with theirs:
                process = await _made(theirs.fileno(), stderr, template)
        except BaseException:
            ours.close()
            os.close(stderr)
            raise
        ours.setblocking(False)
        pipe = _Pipe()
        try:
            transport, _ = await asyncio.get_running_loop().create_connection(lambda: pipe, sock=ours)
        except BaseException:
            await ended(process)
            ours.close()
            os.close(stderr)
            raise
        worker = cls(process, pipe, transport, stderr)
        try:
            async with asyncio.timeout(START_SECONDS):
                await worker.ask(encode_request(setup))
            worker._at_first = resident(process.pid)
        except WorkerProcessEnded:
            raise await worker.end() from None
        except TimeoutError:
            worker.kill()
            await worker.end()
            raise WorkerProcessEnded(f"was not ready after {START_SECONDS:g} s") from None
        except asyncio.CancelledError:
            worker.kill()
            await worker.end()
            raise
        pipe.on_end = lambda: on_end(worker)
        return worker

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return not self._pipe.lost and self._process.returncode is None

    def cpu_seconds(self) -> float:
        """Processor time that it has used so far. Where the system does not measure it, all time counts; one that has ended
        has used infinitely much."""
        try:
            return processor_seconds(self._process.pid)
        except OSError:
            return math.inf

    async def answered_within(
        self, reply: asyncio.Future[bytes], seconds: float, used: float, longest: float
    ) -> bool:
        """Whether `reply` is there before the process has used `seconds` of processor time; `used`: what it had used before.

        On a crowded machine the clock runs faster than that; `longest`: seconds by the clock after which it is over anyway.
        """
        clock = asyncio.get_running_loop().time
        end = clock() + longest
        while not reply.done():
            left = min(seconds - (self.cpu_seconds() - used), end - clock())
            if left <= 0:
                break
            await asyncio.wait([reply], timeout=max(left, LEAST_WAIT))
        return reply.done()

    def ask(self, request: Sequence[bytes]) -> asyncio.Future[bytes]:
        """Send one request, as `encode_request` has made it; the future is the answer's payload, or raises WorkerProcessEnded
        (await `end` for the cause)."""
        answer = self._pipe.expect()
        self._pipe.send(request)
        return answer

    @property
    def grown(self) -> int:
        """See memory_budget.Holder."""
        return max(0, resident(self._process.pid) - self._at_first)

    def kill_for_memory(self) -> None:
        """As `kill`, because all processes together hold too much."""
        self._over_budget = True
        self.kill()

    def kill(self) -> None:
        """End it at once; `end` must still be awaited."""
        self._killed = True
        if self._process.returncode is None:
            self._process.kill()
        self._transport.abort()

    def slow_down(self) -> None:
        """Give it a low priority from now on."""
        if self._process.returncode is None:
            os.setpriority(os.PRIO_PROCESS, self._process.pid, LOW_PRIORITY)

    def clear_stderr(self) -> None:
        """Between tasks: drop what it wrote to standard error."""
        os.ftruncate(self._stderr, 0)

    async def end(self) -> WorkerProcessEnded:
        """Reap it and close everything, once it has ended by itself or after GRACE_SECONDS. Answers with why it ended.

        May be awaited by several.
        """
        if self._ending is None:
            self._ending = asyncio.ensure_future(self._reap())
        return await asyncio.shield(self._ending)

    async def _reap(self) -> WorkerProcessEnded:
        if self._pipe.fault:
            self.kill()
        try:
            async with asyncio.timeout(GRACE_SECONDS):
                status = await self._process.wait()
        except TimeoutError:
            self.kill()
            status = await self._process.wait()
        self._transport.abort()
        written = os.pread(self._stderr, STDERR_BYTES, max(0, os.fstat(self._stderr).st_size - STDERR_BYTES))
        os.close(self._stderr)
        return WorkerProcessEnded(
            self._pipe.fault or (_OVER_BUDGET if self._over_budget else _cause(status)),
            killed=not self._killed and status in (-signal.SIGKILL, -signal.SIGTERM),
            stderr=written.decode("utf-8", "replace").strip(),
            reason=self._reason(status),
        )

    def _reason(self, status: int) -> EndReason:
        if self._over_budget:
            return EndReason.MEMORY_OF_ALL
        return EndReason.OTHER if self._pipe.fault else _REASONS.get(status, EndReason.OTHER)


class _Pipe(asyncio.Protocol):
    """Collects one frame at a time for the future that waits for it, and sends one in pieces: a request may have all the
    references of a schema, of which a transport would make one copy at once."""

    def __init__(self) -> None:
        self.lost = False
        self.fault = ""
        self.on_end: Callable[[], None] | None = None
        self._data = bytearray()
        self._answer: asyncio.Future[bytes] | None = None
        self._transport: asyncio.Transport | None = None
        self._unsent: deque[memoryview] = deque()
        self._paused = False
        self._sending: asyncio.Handle | None = None

    def send(self, parts: Sequence[bytes]) -> None:
        """Writes a frame, which a reader has taken before the next one is sent."""
        self._unsent = deque(memoryview(part) for part in parts)
        self._send_some()

    def _send_some(self) -> None:
        """Writes pieces up to PIECE_BYTES in all, and goes on in another turn of the loop."""
        self._sending = None
        room = PIECE_BYTES
        while self._unsent and room and not self._paused and self._transport is not None and not self.lost:
            part = self._unsent.popleft()
            if len(part) > room:
                self._unsent.appendleft(part[room:])
                part = part[:room]
            room -= len(part)
            self._transport.write(part)
        if self._unsent and not self._paused and not self.lost:
            self._sending = asyncio.get_running_loop().call_soon(self._send_some)

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        if self._unsent and self._sending is None:
            self._sending = asyncio.get_running_loop().call_soon(self._send_some)

    def expect(self) -> asyncio.Future[bytes]:
        self._answer = asyncio.get_running_loop().create_future()
        if self.lost:
            self._answer.set_exception(WorkerProcessEnded("it had ended already"))
        return self._answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # that of uvloop is no subclass

    def data_received(self, data: bytes) -> None:
        self._data += data
        if len(self._data) < HEADER.size:
            return
        (size,) = HEADER.unpack_from(self._data)
        if size > MAX_FRAME or self._answer is None or self._answer.done():
            self.fault = TOO_LARGE if size > MAX_FRAME else "wrote an answer without a request"
            assert self._transport is not None
            self._transport.abort()
        elif len(self._data) >= HEADER.size + size:
            self._answer.set_result(bytes(self._data[HEADER.size : HEADER.size + size]))
            self._data.clear()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self._unsent.clear()
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(WorkerProcessEnded("it closed the pipe"))
        if self.on_end is not None:
            self.on_end()


async def _made(channel: int, stderr: int, template: Template | None) -> Process:
    """A process with `channel` as standard input."""
    if template is not None:
        try:
            return await template.copy(channel, stderr)
        except TemplateAway as away:
            _LOG.warning(
                "worker_template_away", cause=str(away), consequence="the process loads the engines itself"
            )
    return await started(
        sys.executable, "-P", "-B", "-m", "llm_schema_registry_server.workers.worker_main",
        stdin=channel, stdout=asyncio.subprocess.DEVNULL, stderr=stderr,
        cwd="/", env=environment(), start_new_session=True,
    )  # fmt: skip


_REASONS = {OUT_OF_MEMORY: EndReason.MEMORY, -signal.SIGXCPU: EndReason.PROCESSOR_TIME}


def _cause(status: int) -> str:
    if status == OUT_OF_MEMORY:
        return "ran out of memory"
    if status == -signal.SIGXCPU:
        return "took too much processor time"
    return f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"


def _memory_file() -> int:
    """A file in memory to which writers append."""
    file = os.memfd_create("worker-stderr")
    fcntl.fcntl(file, fcntl.F_SETFL, fcntl.fcntl(file, fcntl.F_GETFL) | os.O_APPEND)
    return file
