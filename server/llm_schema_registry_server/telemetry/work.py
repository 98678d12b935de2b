"""What the use cases and the parts under them note: verdicts, registrations, operations on the storage, on Redis and on S3; tasks of
worker processes."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from types import TracebackType

from prometheus_client.core import Metric

from . import families as f
from . import names, tracing
from .cells import BYTES, Counts, Histograms
from .tracing import Kind


class Work:
    """What happens to schemas. Types, levels, states, rules and reasons are names of the model and the engines."""

    def __init__(self) -> None:
        self.registrations, self.registered = Counts(f.REGISTRATIONS), Counts(f.REGISTERED)
        self.sizes = Histograms(f.SCHEMA_BYTES, BYTES)
        self.validations, self.validation_errors = Counts(f.VALIDATIONS), Counts(f.VALIDATION_ERRORS)
        self.validation_seconds = Histograms(f.VALIDATION_SECONDS)
        self.coerced_answers, self.coercions = Counts(f.ANSWERS_COERCED), Counts(f.COERCIONS)
        self.answers, self.reports = Counts(f.ANSWERS_REPORTED), Counts(f.REPORTS)
        self.judged_versions, self.changed_verdicts = Counts(f.DIALECT_JUDGED), Counts(f.DIALECT_CHANGED)
        self.checks, self.violations = Counts(f.COMPATIBILITY_CHECKS), Counts(f.COMPATIBILITY_VIOLATIONS)
        self.check_seconds = Histograms(f.COMPATIBILITY_SECONDS)

    def registration(self, schema_type: str, outcome: str) -> None:
        """A registration that has ended: `created`, `existing`, `dry_run`, or the reason of its refusal."""
        self.registrations.add(schema_type, outcome)

    def stored(self, schema_type: str, state: str, size: int) -> None:
        """A new version."""
        self.registered.add(schema_type, state)
        self.sizes.of(schema_type).observe(size)

    def validated(self, what: str, schema_type: str, valid: bool, began: float) -> None:
        """A validation of `data` or of a `schema` that began at a point of time.perf_counter()."""
        self.validations.add(what, schema_type, "valid" if valid else "invalid")
        self.validation_seconds.of(what, schema_type).observe(
            time.perf_counter() - began, tracing.traceparent()
        )

    def coerced(self, counts: Mapping[str, int], valid: bool) -> None:
        """An answer that was to be corrected: how often each kind of correction was made, and whether it is valid now."""
        corrected = "corrected" if counts else "valid"
        self.coerced_answers.add(corrected if valid else "invalid")
        for kind, count in counts.items():
            self.coercions.add(kind, by=count)

    def reported(self, counts: Mapping[str, int] | None) -> None:
        """A report of what became of answers, by kind; None for one that was counted before."""
        self.reports.add("repeated" if counts is None else "counted")
        for kind, count in (counts or {}).items():
            self.answers.add(kind, by=count)

    def judged(self, versions: int) -> None:
        """Versions that the dialect watch has judged."""
        self.judged_versions.add(by=versions)

    def verdict_changed(self, fit: str) -> None:
        """A verdict about a live version that has become this one."""
        self.changed_verdicts.add(fit)

    def checked(self, level: str, verdict: str, rules: Iterable[str], began: float) -> None:
        """A check of a schema as the next version, and the rules of the violations in its report."""
        self.checks.add(level, verdict)
        self.check_seconds.of(level).observe(time.perf_counter() - began, tracing.traceparent())
        for rule in rules:
            self.violations.add(level, rule)

    def collect(self) -> Iterable[Metric]:
        """The families for a scrape."""
        for part in vars(self).values():
            yield from part.collect()


class Operation(AbstractContextManager[None]):
    """One operation on another service: `begin`, then `end`; or as a context."""

    __slots__ = ("_began", "_cells", "_errors", "_name", "_scope", "_system", "_traceparent")

    def __init__(
        self, cells: Histograms, system: str, name: str, errors: tuple[type[BaseException], ...]
    ) -> None:
        self._cells, self._system, self._name, self._errors = cells, system, name, errors

    def begin(self) -> None:
        """It begins now, and with it a span, when its call is traced."""
        self._began = time.perf_counter()
        self._scope = tracing.database(self._system, self._name)
        self._scope.__enter__()
        self._traceparent = tracing.traceparent()

    def end(self, error: BaseException | None) -> None:
        """It has ended; error: what it raised."""
        failure = "" if error is None else self._failure(error)
        if error is not None and failure:
            self._scope.__exit__(type(error), error, None)
        else:
            self._scope.__exit__(None, None, None)
        seconds = time.perf_counter() - self._began
        self._cells.of(self._system, self._name, failure).observe(seconds, self._traceparent)

    def _failure(self, error: BaseException) -> str:
        """A name for an error as a label; "" for one that is no failure of the service."""
        if isinstance(error, self._errors):
            return str(getattr(error, "reason", "") or type(error).__name__)
        return "" if isinstance(error, Exception) else "cancelled"

    def __enter__(self) -> None:
        self.begin()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end(error)


class Operations:
    """What the server asks of its storage and of Redis, and of the object store: durations by operation, errors, spans."""

    def __init__(self) -> None:
        self.seconds, self.s3 = Histograms(f.DB_DURATION), Histograms(f.S3_SECONDS)
        self.s3_bytes = Counts(f.S3_BYTES)

    def of(self, system: str, name: str, errors: tuple[type[BaseException], ...]) -> Operation:
        """One operation. errors: those that are failures of the service, by their `reason` or their type."""
        return Operation(self.seconds, system, name, errors)

    @contextmanager
    def on_s3(self, name: str, errors: tuple[type[BaseException], ...]) -> Iterator[None]:
        """Around one request to the object store."""
        began, result = time.perf_counter(), "ok"
        try:
            with tracing.span(
                f"S3/{name}", {names.RPC_SYSTEM_NAME: "aws-api", names.RPC_METHOD: f"S3/{name}"}, Kind.CLIENT
            ):
                yield
        except BaseException as error:
            result = type(error).__name__ if isinstance(error, errors) else "cancelled"
            raise
        finally:
            self.s3.of(name, result).observe(time.perf_counter() - began, tracing.traceparent())

    def collect(self) -> Iterable[Metric]:
        """The families for a scrape."""
        yield from self.seconds.collect()
        if any(True for _ in self.s3.items()):
            yield from self.s3.collect()
            yield from self.s3_bytes.collect()


@dataclass(frozen=True, slots=True)
class Pool:
    """Connections of a pool now, and how many there may be."""

    idle: int
    used: int
    most: int


class Tasks:
    """What worker processes did."""

    def __init__(self) -> None:
        self.seconds = Histograms(f.WORKER_SECONDS)

    def ended(self, task: str, result: str, seconds: float) -> None:
        """A task that has ended: `ok`, `refused` (its input is wrong) or `failed` (so is its process)."""
        self.seconds.of(task, result).observe(seconds, tracing.traceparent())

    def collect(self) -> Iterable[Metric]:
        """The family for a scrape."""
        return self.seconds.collect()
