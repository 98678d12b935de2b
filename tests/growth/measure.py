"""How processor time and memory grow when an input is doubled four times."""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

FACTOR = 16
LIMIT = 100.0
"""So many times the processor time or memory may an input of 16 times the size take: about 3 for each doubling. Linear is
16, quadratic 256; a step to a slower way for large inputs is no growth."""
_MEASURABLE = 0.001  # seconds of processor time
_MEASURABLE_MEMORY = 256 * 1024  # bytes
_ATTEMPTS = 4


def time_growth(make: Callable[[int], T], run: Callable[[T], object], start: int, largest: int) -> float:
    """t(16n) / t(n), the least of several attempts, for the first n from `start` that takes measurable time; 1.0 when none up to
    `largest` does. Sizes that a limit refuses count like all others: refusing must be cheap too."""
    size = start
    while size * FACTOR < largest and _seconds(run, make(size), 1) < _MEASURABLE:
        size *= 2
    small, large = make(size), make(size * FACTOR)
    least = float("inf")
    for _ in range(_ATTEMPTS):
        before = _seconds(run, small, 5)
        if before < _MEASURABLE / 4:
            return 1.0
        least = min(least, _seconds(run, large, 1 if least < LIMIT else 2) / before)
        if least <= LIMIT:
            break
    return least


def memory_growth(make: Callable[[int], T], run: Callable[[T], object], size: int) -> float:
    """The peak of memory for 16n over that for n; 1.0 when both are small."""
    small, large = _peak(run, make(size)), _peak(run, make(size * FACTOR))
    return 1.0 if large < _MEASURABLE_MEMORY else large / max(small, _MEASURABLE_MEMORY / FACTOR)


def _seconds(run: Callable[[T], object], value: T, times: int) -> float:
    best = float("inf")
    collecting = gc.isenabled()
    gc.disable()  # it runs when it likes, over all objects of the process
    try:
        for _ in range(times):
            start = time.process_time()
            run(value)
            best = min(best, time.process_time() - start)
    finally:
        if collecting:
            gc.enable()
    return best


def _peak(run: Callable[[T], object], value: T) -> int:
    run(value)  # what is made once and kept
    tracemalloc.start()
    try:
        run(value)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
