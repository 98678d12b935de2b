"""One source tree's side of `make bench`: told by standard input what to repeat, answers on standard output, a JSON value a line.

    PYTHONPATH=TREE/engines:TREE/server:TREE/clients/python python loadtest/micro/child.py

A line "NAME" sets a benchmark up: null, or why the tree lacks it. A line ["NAME", COUNT] repeats it: seconds of processor time for each.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import inspect
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from micro import of_caches, of_codecs, of_engines, of_stores
from micro.benchmark import Benchmark, Operation

ABSENT = (ImportError, AttributeError, TypeError, KeyError)
"""What a tree raises that does not have what is measured, or has it in another form."""


def everything() -> dict[str, Benchmark]:
    """All benchmarks by name, in their order."""
    modules = (of_engines, of_stores, of_caches, of_codecs)
    return {made.full_name: made for module in modules for made in module.benchmarks()}


class Child:
    """Sets benchmarks up when they are first asked for, and repeats them on one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop, self._known = loop, everything()
        self._operations: dict[str, tuple[Operation, bool]] = {}

    def set_up(self, name: str) -> str | None:
        """None, or why it cannot be measured in this tree."""
        try:
            operation: Any = self._loop.run_until_complete(self._made(name))
            waits = self._loop.run_until_complete(_once(operation))
        except ABSENT as error:
            return f"{type(error).__name__}: {error}"[:300]
        self._operations[name] = operation, waits
        return None

    async def _made(self, name: str) -> Operation:
        made: Any = self._known[name].make()
        if inspect.isawaitable(made):
            made = await made
        operation: Operation = made
        return operation

    def repeat(self, name: str, count: int) -> float:
        """Seconds of processor time of one, all threads of this process together."""
        operation, waits = self._operations[name]
        gc.collect()
        gc.disable()  # a collection falls on whoever happens to be measured
        try:
            if waits:
                return self._loop.run_until_complete(_repeat(operation, count))
            return self._loop.run_until_complete(_repeat_at_once(operation, count))
        finally:
            gc.enable()


async def _once(operation: Operation) -> bool:
    """Does it, and says whether it has to be awaited."""
    answer = operation()
    if inspect.isawaitable(answer):
        await answer
        return True
    return False


async def _repeat(operation: Any, count: int) -> float:
    began = time.process_time()
    for _ in range(count):
        await operation()
    return (time.process_time() - began) / count


async def _repeat_at_once(operation: Operation, count: int) -> float:
    began = time.process_time()
    for _ in range(count):
        operation()
    return (time.process_time() - began) / count


def main() -> None:
    importlib.import_module("llm_schema_engines")  # a tree without it has nothing to measure: say so at once
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints is no answer
    loop = asyncio.new_event_loop()
    child = Child(loop)
    for line in sys.stdin:
        asked = json.loads(line)
        answer = child.set_up(asked) if isinstance(asked, str) else child.repeat(*asked)
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
