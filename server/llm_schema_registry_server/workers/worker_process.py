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
from collections.abc import Callable, Sequence
from typing import Any, Self

from llm_schema_engines.protoc.processor_time import processor_seconds

from .messages import HEADER, MAX_FRAME, Setup, encode_request
from .worker_main import OUT_OF_MEMORY

START_SECONDS = 20.0
"""A process that is not ready after this is given up."""

STDERR_BYTES = 4000
"""How much of the end of its standard error is logged when a process has ended."""

GRACE_SECONDS = 1.0
"""How long a process that has closed its pipe may take to end."""

TOO_LARGE = f"announced an answer of more than {MAX_FRAME >> 20} MiB"

LEAST_WAIT = 0.005
"""Seconds between two looks at the processor time of a process."""

LOW_PRIORITY = 10
"""nice(2). At the very lowest, 19, a process gets a hundredth of a machine that is busy with other things, and ends nothing."""


class EndReason(enum.Enum):
    """Whether a process ended at a limit that was set for it, or for any other reason."""

    MEMORY = "memory"
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

    def __init__(
        self, process: asyncio.subprocess.Process, pipe: _Pipe, transport: asyncio.Transport, stderr: int
    ) -> None:
        self._process = process
        self._pipe = pipe
        self._transport = transport
        self._stderr = stderr
        self._killed = False
        self._ending: asyncio.Future[WorkerProcessEnded] | None = None

    @classmethod
    async def start(cls, setup: Setup, on_end: Callable[[WorkerProcess], None]) -> Self:
        """A new process, ready for its first task; raises WorkerProcessEnded when it ends, or is not ready, before that.

        `on_end` is called once, when its end of the pipe closes after it was ready.
        """
        ours, theirs = socket.socketpair()
        stderr = _memory_file()
        try:
            with theirs:
                process = await _started(
                    sys.executable, "-P", "-B", "-m", "llm_schema_registry_server.workers.worker_main",
                    stdin=theirs.fileno(), stdout=asyncio.subprocess.DEVNULL, stderr=stderr,
                    cwd="/", env=_environment(), start_new_session=True,
                )  # fmt: skip
        except BaseException:
            ours.close()
            os.close(stderr)
            raise
        ours.setblocking(False)
        pipe = _Pipe()
        try:
            transport, _ = await asyncio.get_running_loop().create_connection(lambda: pipe, sock=ours)
        except BaseException:
            await _ended(process)
            ours.close()
            os.close(stderr)
            raise
        worker = cls(process, pipe, transport, stderr)
        try:
            async with asyncio.timeout(START_SECONDS):
                await worker.ask(encode_request(setup))
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
        self._transport.writelines(request)
        return answer

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
            self._pipe.fault or _cause(status),
            killed=not self._killed and status in (-signal.SIGKILL, -signal.SIGTERM),
            stderr=written.decode("utf-8", "replace").strip(),
            reason=EndReason.OTHER if self._pipe.fault else _REASONS.get(status, EndReason.OTHER),
        )


class _Pipe(asyncio.Protocol):
    """Collects one frame at a time for the future that waits for it."""

    def __init__(self) -> None:
        self.lost = False
        self.fault = ""
        self.on_end: Callable[[], None] | None = None
        self._data = bytearray()
        self._answer: asyncio.Future[bytes] | None = None
        self._transport: asyncio.BaseTransport | None = None

    def expect(self) -> asyncio.Future[bytes]:
        self._answer = asyncio.get_running_loop().create_future()
        if self.lost:
            self._answer.set_exception(WorkerProcessEnded("it had ended already"))
        return self._answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        if len(self._data) < HEADER.size:
            return
        (size,) = HEADER.unpack_from(self._data)
        if size > MAX_FRAME or self._answer is None or self._answer.done():
            self.fault = TOO_LARGE if size > MAX_FRAME else "wrote an answer without a request"
            assert isinstance(self._transport, asyncio.Transport)
            self._transport.abort()
        elif len(self._data) >= HEADER.size + size:
            self._answer.set_result(bytes(self._data[HEADER.size : HEADER.size + size]))
            self._data.clear()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(WorkerProcessEnded("it closed the pipe"))
        if self.on_end is not None:
            self.on_end()


async def _started(*command: str, **how: Any) -> asyncio.subprocess.Process:
    """A started process; when the caller is cancelled meanwhile, it is ended again."""
    starting = asyncio.ensure_future(asyncio.create_subprocess_exec(*command, **how))
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        await _ended(await starting)
        raise


async def _ended(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.wait()


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


def _environment() -> dict[str, str]:
    """The whole environment of a worker process: where its modules are, nothing secret."""
    path = os.pathsep.join(os.path.abspath(entry) for entry in sys.path if entry)
    return {"PYTHONPATH": path, "LC_ALL": "C.UTF-8", "GRPC_PYTHON_DISABLE_DYNAMIC_STUBS": "1"}
