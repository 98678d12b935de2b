"""Verdicts: on schemas against each other, on data, on a schema by itself. Frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from ..enums import ChangeClass, CompatibilityLevel, SchemaState, Severity, Verdict
from ..errors import RegistryError
from .schemas import Fingerprints


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken rule of a comparison.

    `witness` is data that the writer's schema accepts and the reader's rejects. `path` points into the reader's schema.
    """

    rule: str
    path: str
    message: str
    severity: Severity
    old_value: str
    new_value: str
    witness: bytes
    witness_text: str
    undecided: bool
    direction: str
    compared_version: str


@dataclass(frozen=True, slots=True)
class Remedy:
    """A way out of an incompatible verdict, tried by the server. `settings`: what to give to `set_config`."""

    kind: str
    message: str
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CompatibilityReport:
    """The outcome of a check. `error` is set on an item of a batch whose request itself failed; `index` is its place.

    `assumptions`: what the verdict assumes, by the names of the configuration (`writer_model`, `apply_defaults`,
    `strictness`).
    """

    compatible: bool
    verdict: Verdict
    level: CompatibilityLevel
    violations: tuple[Violation, ...]
    compared_versions: tuple[str, ...]
    message: str
    change_class: ChangeClass
    suggested_version: str
    assumptions: Mapping[str, str] = field(default_factory=dict)
    index: int = 0
    error: RegistryError | None = None
    remedies: tuple[Remedy, ...] = ()

    def __bool__(self) -> bool:
        """Whether the schema is compatible: `compatible`, which is also what the policy for UNDECIDED makes of it."""
        return self.compatible


@dataclass(frozen=True, slots=True)
class ValidationError:
    """One fault of a payload. `path` and `schema_path` are JSON pointers; `error_type` is a stable id."""

    path: str
    message: str
    error_type: str
    schema_path: str
    expected: str
    got: str


@dataclass(frozen=True, slots=True)
class ValidationWarning:
    """Something about a payload that does not make it invalid."""

    path: str
    message: str
    warning_type: str


@dataclass(frozen=True, slots=True)
class ValidationReport:
    """Whether data is valid, and if not, why. `error` and `index` as in CompatibilityReport; time in milliseconds.

    `text`: the errors for a model that is to correct its answer, a line each. `schema_id`, `subject` and `version` name
    the version that the data was validated under.
    """

    valid: bool
    schema_id: str
    errors: tuple[ValidationError, ...]
    warnings: tuple[ValidationWarning, ...]
    truncated: bool
    validation_time_ms: float
    text: str = ""
    index: int = 0
    error: RegistryError | None = None
    subject: str = ""
    version: str = ""

    def __bool__(self) -> bool:
        """Whether the data is valid."""
        return self.valid


@dataclass(frozen=True, slots=True)
class SchemaIssue:
    """One fault of a schema. `line` and `column` count from 1; 0 is unknown. `hint`: how to mend it, "" when the message says
    so."""

    rule: str
    message: str
    pointer: str
    line: int
    column: int
    severity: Severity
    hint: str = ""


@dataclass(frozen=True, slots=True)
class SchemaValidationReport:
    """Whether a schema follows the rules of its type. `fingerprints` is None when it does not.

    `issues` are its errors, or for a valid schema what the lint rules find, of any severity; `warnings` are those of them that
    are worse than INFO, as sentences. `truncated`: there are more.
    """

    valid: bool
    errors: tuple[str, ...]
    warnings: tuple[str, ...]
    issues: tuple[SchemaIssue, ...]
    fingerprints: Fingerprints | None
    truncated: bool = False

    def __bool__(self) -> bool:
        """Whether the schema follows the rules."""
        return self.valid


@dataclass(frozen=True, slots=True)
class Registration:
    """What registering did. `created` is False when the content was registered already; where it was promoted then, as a
    draft is, `previous_state` is the state that it had, and UNSPECIFIED otherwise.
    `softly_deleted_schema_id`: of a softly deleted version of the subject with the same content, "" when there is none;
    `undelete` brings that one back, once this one is deleted. `warnings`: what the quick lint rules find in content that was not
    there already; `warnings_truncated`: there are more, which `validate_schema` tells.
    """

    schema_id: str
    subject: str
    version: str
    ordinal: int
    global_id: int
    created: bool
    state: SchemaState
    change_class: ChangeClass
    checksum: str
    fingerprints: Fingerprints
    created_at: datetime | None
    revision: str
    report: CompatibilityReport | None
    previous_state: SchemaState = SchemaState.UNSPECIFIED
    softly_deleted_schema_id: str = ""
    warnings: tuple[SchemaIssue, ...] = ()
    warnings_truncated: bool = False
