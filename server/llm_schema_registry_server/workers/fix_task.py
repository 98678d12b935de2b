"""The task that looks for fixes of a refused change. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from llm_schema_engines.fixes.languages import LANGUAGES
from llm_schema_engines.fixes.model import Fixes
from llm_schema_engines.fixes.search import FixBudget, RefusedChange, find_fixes
from llm_schema_engines.formats.engine import Engines, SchemaSource
from llm_schema_engines.model.compatibility import CompareOptions, CompatibilityLevel
from llm_schema_engines.model.schema import SchemaType

from .task import FailureKind, Task, TaskFailure, TimeLimits
from .tasks import WAY_OUT


@dataclass(frozen=True, slots=True)
class FindFixes(Task[Fixes]):
    """The fixes of a schema after the earlier ones that its level names, the newest first. Without any, and with the reason, when
    the search takes too long or too much memory; InternalError for one that ends its process. Never inline.

    most: fixes. search_seconds: processor time after which no further candidate is tried.
    """

    schema_type: SchemaType
    source: SchemaSource
    earlier: tuple[tuple[str, SchemaSource], ...]
    level: CompatibilityLevel
    options: CompareOptions
    most: int
    search_seconds: float

    def run(self, engines: Engines) -> Fixes:
        change = RefusedChange(self.source, self.earlier, self.level, self.options)
        budget = FixBudget(seconds=self.search_seconds)
        engine, language = engines[self.schema_type], LANGUAGES[self.schema_type]
        return find_fixes(engine, language, change, most=self.most, budget=budget)

    def seconds(self, limits: TimeLimits) -> float:
        return limits.compare_seconds

    def failed(self, failure: TaskFailure) -> Fixes:
        if failure.kind is FailureKind.CRASHED:
            raise failure.error("looking for fixes", "workers.compare_seconds", WAY_OUT)
        return Fixes(complete=False, reason=f"looking for fixes {failure.cause}")
