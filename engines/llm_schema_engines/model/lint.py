"""What a lint rule finds in a schema. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from .compatibility import Severity


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

    def worst(self) -> Severity | None:
        """The gravest severity of the findings; None when there are none."""
        return min((finding.severity for finding in self.findings), default=None)


NOTHING_FOUND = LintReport()
