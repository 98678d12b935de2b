"""What a pool of worker processes tells of itself."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from llm_schema_registry_server.settings.tree import WorkersSettings
from llm_schema_registry_server.workers.messages import Setup
from llm_schema_registry_server.workers.pool import Pool


@dataclass(eq=False)
class Running:
    """What a pool counts of a task."""

    slow: bool


class Abandoned:
    """Garbage in a circle, whose end is the end of a task: so are coroutines that nobody waits for."""

    def __init__(self, running: set[Any], task: object) -> None:
        self.itself, self._running, self._task = self, running, task

    def __del__(self) -> None:
        self._running.discard(self._task)


@pytest.fixture
def threshold() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


async def test_a_collection_of_garbage_may_end_a_task_while_facts_are_told(threshold: None) -> None:
    pool = Pool(WorkersSettings(), Setup(os.getpid(), "", (), 1 << 30))
    for allocations in range(60):
        gc.disable()
        task = Running(slow=False)
        pool._running |= {task, Running(slow=True)}  # type: ignore[arg-type]
        Abandoned(pool._running, task)
        gc.enable()
        gc.set_threshold(gc.get_count()[0] + allocations)  # so far into it a collection begins
        facts = pool.facts()
        gc.set_threshold(0)
        gc.collect()

    assert facts["slow"] == "60"
