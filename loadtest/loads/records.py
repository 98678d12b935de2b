"""What was seen in one run: every call's time, errors, wrong answers, and what processes used meanwhile."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

MOST_WRONG = 20
"""Wrong answers that are kept with their text; all are counted."""


@dataclass
class Record:
    """One run of one process that makes load.

    seconds: how long it was measured. calls: by operation, when each call began (seconds since measuring began; of the open loop when
    it was due) and how long it took in seconds. errors: by operation and code. wrong: texts of answers that were not right.
    processor: seconds of processor time while it was measured, by process; `generator` is this one. memory: seconds since the
    beginning and MiB of the server's own process. hits, misses: of the server's cached answers while it was measured.
    """

    seconds: float = 0.0
    calls: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    wrong_count: int = 0
    not_sent: int = 0
    processor: dict[str, float] = field(default_factory=dict)
    memory: list[tuple[float, float]] = field(default_factory=list)
    hits: float = 0.0
    misses: float = 0.0

    @property
    def done(self) -> int:
        """Calls that were answered; deliveries of events are not calls."""
        return sum(len(times) for name, times in self.calls.items() if name != DELIVERY)

    @property
    def rate(self) -> float:
        """Answers per second."""
        return self.done / self.seconds if self.seconds else 0.0

    def latencies(self, *, deliveries: bool = False) -> list[float]:
        """Of all calls, in seconds; or of all deliveries."""
        return [
            took
            for name, times in self.calls.items()
            for _, took in times
            if (name == DELIVERY) == deliveries
        ]

    def write(self, file: Path) -> None:
        file.write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, file: Path) -> Record:
        return cls(**json.loads(file.read_text()))


DELIVERY = "delivery of a change"


class Recorder:
    """Notes what happens between `begin` and `end`; wrong answers at any time, since none may be given in the warm-up either.

    late: whether calls count that began before the end and were answered after it. Without them the slowest calls of an open loop
    would be forgotten; a closed loop counts what was answered in time.
    """

    def __init__(self, *, late: bool) -> None:
        self.record = Record()
        self._late = late
        self._began: float | None = None
        self._errors: Counter[str] = Counter()

    def begin(self) -> None:
        self._began = time.perf_counter()

    def end(self) -> None:
        if self._began is not None and not self.record.seconds:
            self.record.seconds = time.perf_counter() - self._began

    def finished(self) -> Record:
        """The record, when nothing more will happen."""
        self.record.errors = dict(self._errors)
        return self.record

    def took(self, operation: str, began: float, ended: float) -> None:
        """A right answer; times as time.perf_counter() has them."""
        if self._began is not None and self._counts(began):
            self.record.calls.setdefault(operation, []).append((began - self._began, ended - began))

    def failed(self, operation: str, began: float, code: str) -> None:
        """No answer, but a code."""
        if self._counts(began):
            self._errors[f"{operation}: {code}"] += 1

    def wrong(self, operation: str, text: str) -> None:
        """An answer that is not the right one."""
        self.record.wrong_count += 1
        if len(self.record.wrong) < MOST_WRONG:
            self.record.wrong.append(f"{operation}: {text}"[:500])

    def not_sent(self, due: float) -> None:
        """The open loop had too many calls waiting."""
        if self._counts(due):
            self.record.not_sent += 1

    def used(self, before: Mapping[str, float], after: Mapping[str, float]) -> None:
        """Processor seconds of processes at the beginning and at the end of measuring."""
        self.record.processor = {name: after[name] - before[name] for name in before if name in after}

    def _counts(self, began: float) -> bool:
        if self._began is None or began < self._began:
            return False
        over = self.record.seconds
        return not over or (self._late and began - self._began < over)
