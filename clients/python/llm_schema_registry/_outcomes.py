"""Outcomes of single answers on their way to the registry: added up in bounded memory, and sent together now and then.

Whoever notes an outcome waits for nothing and gets no error: what cannot be sent is kept for later, as far as there is room, and what
cannot be counted at all is logged and dropped.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections import deque
from dataclasses import dataclass, replace

from ._arguments import boolean, identifier, integer, selector, text
from ._call import Unary
from ._calls.conformance import report_outcomes
from ._encode import SchemaId
from .errors import (
    Aborted,
    Cancelled,
    DeadlineExceeded,
    InternalError,
    LimitExceeded,
    RegistryError,
    Unauthenticated,
    Unavailable,
)
from .results import ModelOutcomes, OutcomesReported

_LOG = logging.getLogger("llm_schema_registry")
INTERVAL = 10.0
"""Seconds between two reports."""
LAST_SECONDS = 2.0
"""How long a client that is closed waits for its last report."""
MOST_KEYS = 10_000
"""Versions and models that wait; outcomes of more are dropped."""
MOST_ITEMS = 1000
"""Of one report."""
_LATER = (Unavailable, DeadlineExceeded, LimitExceeded, Aborted, Cancelled, InternalError, Unauthenticated)
"""Failures after which the same report is sent again."""

Key = tuple[str, str, str, str]
"""Schema id, subject, version, model."""


@dataclass(frozen=True, slots=True)
class _Report:
    id: str
    items: tuple[ModelOutcomes, ...]


class OutcomeBuffer:
    """What waits. Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sums: dict[Key, ModelOutcomes] = {}
        self._reports: deque[_Report] = deque()
        self._complained = False
        self.dropped = 0

    def note(
        self,
        model: str,
        schema_id: SchemaId | None,
        subject: str,
        version: str | int,
        *,
        valid: bool,
        retried: bool,
        coerced: bool,
        truncated: bool,
        count: int,
    ) -> None:
        """Add the outcome of `count` answers. Never raises."""
        try:
            for name, flag in (
                ("valid", valid),
                ("retried", retried),
                ("coerced", coerced),
                ("truncated", truncated),
            ):
                boolean(flag, name)
            made = ModelOutcomes(
                text(model, "model"),
                integer(count, "count", least=1, most=10**9),
                first_pass=count if valid and not (retried or coerced or truncated) else 0,
                retried=count if retried else 0,
                coerced=count if coerced else 0,
                truncated=count if truncated else 0,
                schema_id="" if schema_id is None else identifier(schema_id),
                subject=text(subject, "subject"),
                version=selector(version) if version != "" else "",
            )
        except (TypeError, ValueError) as error:
            self._drop(1, str(error))
        else:
            with self._lock:
                self._add(made)

    def _add(self, made: ModelOutcomes) -> None:
        key = made.schema_id, made.subject, made.version, made.model
        known = self._sums.get(key)
        if known is not None:
            self._sums[key] = _sum(known, made)
        elif len(self._sums) < MOST_KEYS:
            self._sums[key] = made
        else:
            self.dropped += made.answers

    @property
    def waiting(self) -> bool:
        """Whether something is to be sent."""
        return bool(self._sums or self._reports)

    def next(self, timeout: float | None) -> Unary[OutcomesReported] | None:
        """The call that sends the next report; None when nothing waits."""
        with self._lock:
            if not self._reports and self._sums:
                items = tuple(self._sums.values())
                self._sums.clear()
                for first in range(0, len(items), MOST_ITEMS):
                    self._reports.append(_Report(uuid.uuid4().hex, items[first : first + MOST_ITEMS]))
            if not self._reports:
                return None
            report = self._reports[0]
        return report_outcomes(report.items, report_id=report.id, timeout=timeout)

    def sent(self) -> None:
        """The call of `next` has been answered."""
        with self._lock:
            self._reports.popleft()

    def failed(self, error: RegistryError) -> bool:
        """The call of `next` has failed: whether to wait before the next one. What is refused is sent by version, so that one that is refused takes
        no other along."""
        if isinstance(error, _LATER):
            return True
        with self._lock:
            report = self._reports.popleft()
            parts: dict[tuple[str, str], list[ModelOutcomes]] = {}
            for item in report.items:
                parts.setdefault((item.schema_id or item.subject, item.version), []).append(item)
            if len(parts) > 1:
                halves = list(parts.values())
                middle = len(halves) // 2
                for half in (halves[middle:], halves[:middle]):
                    items = tuple(item for part in half for item in part)
                    self._reports.appendleft(_Report(uuid.uuid4().hex, items))
                return False
        self._drop(sum(item.answers for item in report.items), str(error))
        return False

    def _drop(self, answers: int, why: str) -> None:
        with self._lock:
            self.dropped += answers
        level = logging.DEBUG if self._complained else logging.WARNING
        self._complained = True
        _LOG.log(level, "outcomes of answers are not reported: %s", why)


def _sum(one: ModelOutcomes, other: ModelOutcomes) -> ModelOutcomes:
    return replace(
        one,
        answers=one.answers + other.answers,
        first_pass=one.first_pass + other.first_pass,
        retried=one.retried + other.retried,
        coerced=one.coerced + other.coerced,
        truncated=one.truncated + other.truncated,
    )
