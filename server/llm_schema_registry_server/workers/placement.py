"""Where a task runs: what is known to be small in the server itself, everything else in a worker process."""

from __future__ import annotations

from collections.abc import Mapping

from .inline import InlineWorkers
from .task import R, Task, Workers


class PlacedWorkers:
    """Sends each task to `inline` or to `processes`, as Task.runs_inline says."""

    def __init__(self, inline: InlineWorkers, processes: Workers) -> None:
        self._inline = inline
        self._processes = processes

    async def start(self) -> None:
        await self._inline.start()
        await self._processes.start()

    async def stop(self) -> None:
        await self._processes.stop()
        await self._inline.stop()

    def run_now(self, task: Task[R]) -> R | None:
        result = self._inline.shortcut(task)
        return result if result is not None else self._place(task).run_now(task)

    async def run(self, task: Task[R]) -> R:
        return await self._place(task).run(task)

    def facts(self) -> Mapping[str, str]:
        return {**self._inline.facts(), **self._processes.facts()}

    def _place(self, task: Task[R]) -> Workers:
        return self._inline if task.runs_inline() else self._processes
