"""What a fuzz of the engines asks: kinds of questions, each a function of a random that counts what it saw and says what is
wrong. Small in tests/fuzz/test_kinds.py, for as long as wanted by loadtest/engines/fuzz.py."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random

SLOW = 5.0
"""Seconds of processor time of one operation that is a finding: what a worker gets for a comparison, and half of that for a
validation, is less."""


@dataclass
class Outcome:
    """What rounds saw: `counts`, what is wrong (`findings`), and the seconds of processor time of the slowest operation of each
    name (`slowest`)."""

    counts: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)
    slowest: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, operation: str, about: object = "") -> Iterator[None]:
        """Measures an operation; one that takes too long is a finding, with what it was about."""
        started = time.process_time()
        yield
        took = time.process_time() - started
        self.slowest[operation] = max(took, self.slowest.get(operation, 0.0))
        if took > SLOW:
            self.findings.append(f"{operation} took {took:.1f} s: {about!s:.3000}")

    def add(self, other: Outcome) -> None:
        self.counts += other.counts
        self.findings += other.findings
        for operation, took in other.slowest.items():
            self.slowest[operation] = max(took, self.slowest.get(operation, 0.0))


@dataclass(frozen=True)
class Kind:
    """One kind of question. `judge`: who says what is right."""

    name: str
    judge: str
    ask: Callable[[Random, Outcome], None]


def round_of(kind: Kind, seed: int, number: int) -> Outcome:
    """One round. Whatever an engine raises is a finding, and so is a judge's AssertionError."""
    outcome = Outcome(Counter({"rounds": 1}))
    try:
        kind.ask(Random(f"{seed}/{kind.name}/{number}"), outcome)
    except Exception as error:  # the question of a fuzz is whether anything is raised
        outcome.findings.append(f"{type(error).__name__}: {error!s:.3000}\n{_last_frames(error)}")
    return outcome


def _last_frames(error: BaseException) -> str:
    frames, trace = [], error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f"{code.co_filename.rpartition('/')[2]}:{trace.tb_lineno} {code.co_qualname}")
        trace = trace.tb_next
    return " < ".join(reversed(frames[-6:]))
