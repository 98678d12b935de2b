"""What a micro-benchmark is.

What it measures is imported by `make`, from whichever source tree is on the path: one that lacks it lacks the benchmark, and no
other one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

Operation = Callable[[], object]
"""Does the work once. What it returns is awaited when it can be."""


@dataclass(frozen=True)
class Benchmark:
    """group: parse, canonicalize, compare, validate, store, cache or codec. make: sets up, and returns what is repeated."""

    group: str
    name: str
    make: Callable[[], Operation | Awaitable[Operation]]

    @property
    def full_name(self) -> str:
        return f"{self.group}: {self.name}"
