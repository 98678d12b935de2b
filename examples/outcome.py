"""What the registry decided about a case and about a document."""

from __future__ import annotations

from dataclasses import dataclass

from catalogue import Case, Document

from llm_schema_registry import (
    ChangeClass,
    CompatibilityReport,
    IncompatibleSchema,
    Registration,
    RegistryError,
    ValidationReport,
    Violation,
)


@dataclass(frozen=True)
class DocumentOutcome:
    """The report of one document."""

    case: Case
    document: Document
    report: ValidationReport


@dataclass
class Outcome:
    """What became of the two revisions of a case: each was registered, or refused with an error."""

    case: Case
    first: Registration | RegistryError | None = None
    second: Registration | RegistryError | None = None

    @property
    def written(self) -> list[Registration]:
        """The registrations that made a new version."""
        return [r for r in (self.first, self.second) if isinstance(r, Registration) and r.created]

    @property
    def report(self) -> CompatibilityReport | None:
        """The comparison of the second revision with the first, if one was made."""
        return self.second.report if isinstance(self.second, Registration | IncompatibleSchema) else None

    @property
    def change_class(self) -> ChangeClass | None:
        """What the second revision changes, if it was compared."""
        if isinstance(self.second, Registration):
            return self.second.change_class
        return self.report.change_class if self.report is not None else None

    @property
    def undecided(self) -> bool:
        """Whether the comparison could not be decided, which counts as breaking."""
        violations = self.report.violations if self.report is not None and not self.report.compatible else ()
        return any(v.undecided for v in violations)

    @property
    def reason(self) -> str:
        """Why a revision was refused; "" when both were registered."""
        return next((r.reason for r in (self.first, self.second) if isinstance(r, RegistryError)), "")

    @property
    def violation(self) -> Violation | None:
        """The first violation of the comparison, one with a witness if there is any."""
        violations = self.report.violations if self.report is not None else ()
        return next((v for v in violations if v.witness_text), violations[0] if violations else None)
