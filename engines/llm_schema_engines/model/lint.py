"""What a lint rule finds in a schema. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

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
    """The findings, by their places. True when none of them is an ERROR or a WARNING.

    truncated: there are more; those of a graver severity are kept. incomplete: a rule has not looked at everything, because
    that would have taken too long.
    """

    findings: tuple[LintFinding, ...] = ()
    truncated: bool = False
    incomplete: bool = False

    def __bool__(self) -> bool:
        return all(finding.severity is Severity.INFO for finding in self.findings)

    def from_severity(self, severity: Severity) -> LintReport:
        """The findings of this severity and of graver ones."""
        return replace(self, findings=tuple(f for f in self.findings if f.severity <= severity))


NOTHING_FOUND = LintReport()
