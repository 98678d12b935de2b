"""Workers that run tasks on the caller's thread: for tests, and for work that is known to be small."""

from __future__ import annotations

from collections.abc import Mapping

from llm_schema_engines.formats.engine import Engines

from .task import R, Task

_TASKS = "inline_tasks"


class InlineWorkers:
    """Nothing bounds the time of a task here: give it engines and sources that bound themselves."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines
        self._tasks = {_TASKS: 0, Task.shortcut_is: 0}

    async def start(self) -> None:
        """Nothing to prepare."""

    async def stop(self) -> None:
        """Nothing to give back."""

    def run_now(self, task: Task[R]) -> R | None:
        self._tasks[_TASKS] += 1
        return task.run(self._engines)

    async def run(self, task: Task[R]) -> R:
        self._tasks[_TASKS] += 1
        return task.run(self._engines)

    def shortcut(self, task: Task[R]) -> R | None:
        """Task.shortcut."""
        result = task.shortcut(self._engines)
        if result is not None:
            self._tasks[task.shortcut_is] += 1
        return result

    def facts(self) -> Mapping[str, str]:
        return {name: str(count) for name, count in self._tasks.items()}
