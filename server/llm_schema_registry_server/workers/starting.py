"""How subprocesses of the server are started: with nothing secret in their environment, and never left behind."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any, Protocol


class Process(Protocol):
    """A process as `asyncio.subprocess` has it."""

    @property
    def pid(self) -> int: ...
    @property
    def returncode(self) -> int | None: ...
    def kill(self) -> None: ...
    async def wait(self) -> int: ...


async def started(*command: str, **how: Any) -> asyncio.subprocess.Process:
    """A started process; when the caller is cancelled meanwhile, it is ended again."""
    starting = asyncio.ensure_future(asyncio.create_subprocess_exec(*command, **how))
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        await ended(await starting)
        raise


async def ended(process: Process) -> None:
    """Kills a process and waits until it has ended."""
    if process.returncode is None:
        process.kill()
    await process.wait()


def environment() -> dict[str, str]:
    """The whole environment of a worker process: where its modules are, nothing secret."""
    path = os.pathsep.join(os.path.abspath(entry) for entry in sys.path if entry)
    return {"PYTHONPATH": path, "LC_ALL": "C.UTF-8", "GRPC_PYTHON_DISABLE_DYNAMIC_STUBS": "1"}
