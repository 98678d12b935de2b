"""One serving process, as its supervisor sees it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

LONGEST_DELAY_SECONDS = 30.0
_FIRST_DELAY_SECONDS = 0.5
_STEADY_SECONDS = 60.0
"""A process that has served for so long has begun well, whatever becomes of it."""


class ServingProcess:
    """It runs. number: its place among the others."""

    def __init__(self, number: int, process: asyncio.subprocess.Process) -> None:
        self.number, self._process = number, process
        self._ready, self._ready_at, self._heard_at = asyncio.Event(), 0.0, 0.0

    @classmethod
    async def started(cls, number: int, folder: Path, arguments: Sequence[str]) -> ServingProcess:
        """A new one, of the supervisor that has this folder; arguments: of `serve`. Raises OSError."""
        # A session of its own: Ctrl-C is for the supervisor, which then stops all.
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "llm_schema_registry_server", "serve", *arguments, "--member", str(folder / str(number)),
            stdin=asyncio.subprocess.DEVNULL,
            env=_environment(),
            start_new_session=True,
        )  # fmt: skip
        return cls(number, process)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def ended(self) -> bool:
        return self._process.returncode is not None

    @property
    def was_ready(self) -> bool:
        """Whether it has ever said that it serves."""
        return self._ready.is_set()

    @property
    def steady(self) -> bool:
        """Whether it has served for a while."""
        return self.was_ready and time.monotonic() - self._ready_at >= _STEADY_SECONDS

    @property
    def cause(self) -> str:
        """How it has ended."""
        status = self._process.returncode
        if status is None or status >= 0:
            return f"exit status {status}"
        return f"signal {signal.Signals(-status).name}"

    @property
    def exit_status(self) -> int:
        """With which a server ends whose only process this was."""
        return max(1, self._process.returncode or 0)

    def says_ready(self) -> bool:
        """It has told that it serves; whether for the first time."""
        self._heard_at = time.monotonic()
        if self._ready.is_set():
            return False
        self._ready_at = self._heard_at
        self._ready.set()
        return True

    @property
    def silent_seconds(self) -> float:
        """For how long it has said nothing, since it was ready."""
        return time.monotonic() - self._heard_at if self.was_ready else 0.0

    def excuse(self) -> None:
        """Its silence is not its fault."""
        self._heard_at = time.monotonic()

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal, unless it has ended."""
        with suppress(ProcessLookupError):
            self._process.send_signal(number)

    async def wait(self) -> None:
        """Until it has ended."""
        await self._process.wait()

    async def until_ready(self, seconds: float | None = None) -> bool:
        """Whether it serves before it ends, and within so many seconds."""
        waits = [asyncio.ensure_future(self._ready.wait()), asyncio.ensure_future(self.wait())]
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        return self.was_ready and not self.ended

    async def stop(self, seconds: float) -> bool:
        """Has it drain; whether it did within so many seconds. Otherwise it is killed."""
        self.signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(seconds):
                await self.wait()
        except TimeoutError:
            self.signal(signal.SIGKILL)
            await self.wait()
            return False
        return True


def _environment() -> dict[str, str]:
    """Ours; modules are found where we find them, and not in the current directory."""
    path = os.pathsep.join(os.path.abspath(entry) for entry in sys.path if entry)
    return {**os.environ, "PYTHONPATH": path}


class Delays:
    """How long to wait before a process is started in the place of one that has ended: not at all after the first end, then longer each
    time, until one has served for a while."""

    def __init__(self) -> None:
        self._ends = 0

    def after(self, *, steady: bool) -> float:
        """Seconds, after one more end. steady: that one had served for a while."""
        self._ends = 1 if steady else self._ends + 1
        if self._ends == 1:
            return 0.0
        # Bounded before it is raised: who fails for days makes a large number.
        return min(LONGEST_DELAY_SECONDS, _FIRST_DELAY_SECONDS * 2.0 ** min(self._ends - 2, 16))
