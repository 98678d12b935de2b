"""What a lint rule is, and what it finds. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from ..model.compatibility import Severity
from ..model.schema import SchemaType

T = TypeVar("T", contravariant=True)


class Fault(NamedTuple):
    """One place where a rule is broken, and what is wrong there in a sentence."""

    pointer: str
    message: str


@dataclass(frozen=True, slots=True)
class LintRule(Generic[T]):
    """`id` and `sentence` name what a good schema does; `hint` is the way to do it; `check` finds where it is not done.

    by_default: whether the rule runs unless it is disabled, or only when it is enabled.
    """

    id: str
    schema_type: SchemaType
    severity: Severity
    sentence: str
    hint: str
    check: Callable[[T], Iterator[Fault]]
    by_default: bool = True


@dataclass(frozen=True, slots=True)
class LintFinding:
    """One place where a schema breaks a rule.

    pointer: a JSON pointer (JSON Schema, Avro) or a dotted name (Protobuf); "" is the whole. line and column are 1-based,
    0 when unknown. hint: how to mend it; "" for what the parser warns of.
    """

    rule: str
    severity: Severity
    message: str
    pointer: str = ""
    line: int = 0
    column: int = 0
    hint: str = ""

    def __str__(self) -> str:
        place = f"line {self.line}, column {self.column}: " if self.line else ""
        pointer = f"{self.pointer}: " if self.pointer else ""
        return f"{place}{pointer}{self.message} ({self.rule})"


@dataclass(frozen=True, slots=True)
class LintReport:
    """All findings, by their places. True when none of them is an ERROR or a WARNING. `truncated`: there are more."""

    findings: tuple[LintFinding, ...] = ()
    truncated: bool = False

    def __bool__(self) -> bool:
        return all(finding.severity is Severity.INFO for finding in self.findings)
