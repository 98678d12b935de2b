"""The template of worker processes as the server sees it: started once, asked for copies, replaced when it has ended."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections import deque
from contextlib import suppress

from ..telemetry import logs
from .starting import ended, environment, started
from .template_messages import ENDED, FORK, FORKED, NOT_FORKED, READY, REAP, parse, say

_LOG = logs.get("workers")
START_SECONDS = 20.0
"""A template that is not ready after this is given up."""
_MOST_BYTES = 256
AVAILABLE = sys.platform == "linux"
"""Elsewhere each worker process loads the engines itself."""


class TemplateAway(Exception):
    """There is no template, or it cannot fork."""


class Copy:
    """A process that the template has forked."""

    def __init__(self, pid: int, template: _Running) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._template = template
        self._over = asyncio.Event()

    def kill(self) -> None:
        """Ends it at once."""
        if self.returncode is None:  # else its number may be another's
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    async def wait(self) -> int:
        """Until it has ended: its status, or the negative number of the signal."""
        await self._over.wait()
        assert self.returncode is not None
        return self.returncode

    def ended(self, status: int) -> None:
        """The template has said so, or has ended itself."""
        self.returncode = status
        self._over.set()


class Template:
    """Of worker processes whose engines are made by a function of `module`. Starts when it is first asked."""

    def __init__(self, module: str) -> None:
        self._module = module
        self._running: _Running | None = None
        self._starting = asyncio.Lock()

    async def copy(self, channel: int, stderr: int) -> Copy:
        """A new process with `channel` as standard input. Raises TemplateAway."""
        async with self._starting:
            if self._running is None or self._running.gone:
                self._running = await _Running.start(self._module)
        return await self._running.copy(channel, stderr)

    async def stop(self) -> None:
        """Ends the template; its copies end with it."""
        running, self._running = self._running, None
        if running is not None:
            await running.stop()


class _Running:
    """One process."""

    def __init__(self, process: asyncio.subprocess.Process, control: socket.socket) -> None:
        self._process, self._control = process, control
        self._loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._asked: deque[asyncio.Future[Copy]] = deque()
        self._copies: dict[int, Copy] = {}
        self.gone = False

    @classmethod
    async def start(cls, module: str) -> _Running:
        """Raises TemplateAway."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        with theirs:
            try:
                process = await started(
                    sys.executable, "-P", "-B", "-m", "llm_schema_registry_server.workers.template_main",
                    str(os.getpid()), module,
                    stdin=theirs.fileno(), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
                    cwd="/", env=environment(), start_new_session=True,
                )  # fmt: skip
            except BaseException as error:
                ours.close()
                if isinstance(error, OSError):
                    raise TemplateAway(str(error)) from error
                raise
        running = cls(process, ours)
        running._loop.add_reader(ours, running._read)
        try:
            async with asyncio.timeout(START_SECONDS):
                await running._ready
        except TimeoutError:
            await running.stop()
            raise TemplateAway(f"it was not ready after {START_SECONDS:g} s") from None
        except BaseException:
            await running.stop()
            raise
        return running

    async def copy(self, channel: int, stderr: int) -> Copy:
        """Raises TemplateAway."""
        asked: asyncio.Future[Copy] = self._loop.create_future()
        try:
            socket.send_fds(self._control, [say(FORK)], [channel, stderr])
        except OSError as error:
            raise TemplateAway(str(error)) from error
        self._asked.append(asked)
        try:
            return await asyncio.shield(asked)
        except asyncio.CancelledError:
            asked.add_done_callback(_kill)
            raise

    async def stop(self) -> None:
        """Ends the process."""
        if not self.gone:
            self._leave()
        await ended(self._process)

    def _read(self) -> None:
        try:
            data = self._control.recv(_MOST_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            _LOG.warning("worker_template_ended")
            self._leave()
            return
        what, *numbers = parse(data)
        if what == READY:
            self._ready.set_result(None)
        elif what == FORKED:
            copy = self._copies[numbers[0]] = Copy(numbers[0], self)
            self._answer(copy)
        elif what == NOT_FORKED:
            self._answer(TemplateAway(os.strerror(numbers[0])))
        elif what == ENDED:
            self._copies.pop(numbers[0]).ended(numbers[1])
            with suppress(OSError):
                self._control.send(say(REAP, numbers[0]))

    def _answer(self, answer: Copy | TemplateAway) -> None:
        asked = self._asked.popleft()
        if isinstance(answer, Copy):
            asked.set_result(answer)
        else:
            asked.set_exception(answer)

    def _leave(self) -> None:
        """The template is gone, and the kernel ends its copies (PR_SET_PDEATHSIG)."""
        self.gone = True
        self._loop.remove_reader(self._control)
        self._control.close()
        away = TemplateAway("the template of worker processes has ended")
        if not self._ready.done():
            self._ready.set_exception(away)
            self._ready.exception()
        while self._asked:
            self._answer(away)
        for copy in self._copies.values():
            copy.kill()
            copy.ended(-signal.SIGKILL)
        self._copies.clear()


def _kill(asked: asyncio.Future[Copy]) -> None:
    """Of a copy that nobody waits for any more."""
    if not asked.cancelled() and asked.exception() is None:
        asked.result().kill()
