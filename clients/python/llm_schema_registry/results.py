"""What the registry answers, as frozen values. Times are aware, in UTC; an absent time is None."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

from .enums import (
    ChangeClass,
    CompatibilityLevel,
    ComponentStatus,
    DifferenceKind,
    EventType,
    FormatPolicy,
    HealthStatus,
    LossKind,
    Mode,
    SchemaState,
    SchemaType,
    Severity,
    Strictness,
    UndecidedPolicy,
    Verdict,
    WriterModel,
)
from .errors import RegistryError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SchemaReference:
    """The use of another subject's version.

    `name` is what the referring schema calls it: a `$ref` URI, an Avro full name, a Protobuf import path. `version`
    is a selector in requests and the pinned semantic version in answers; the last two fields are set in answers only.
    """

    name: str
    subject: str
    version: str = "latest"
    schema_id: str = ""
    ordinal: int = 0


@dataclass(frozen=True, slots=True)
class Fingerprints:
    """SHA-256 digests, hexadecimal: of the exact bytes, of what a model reads, of what decides validity."""

    content: str = ""
    generation: str = ""
    validation: str = ""


@dataclass(frozen=True, slots=True)
class SchemaContent:
    """The part of a version that never changes; what the cache of a client holds.

    `options`: how the content is read where it does not say so itself (`dialect`, `format_policy`).
    """

    id: str
    subject: str
    version: str
    ordinal: int
    global_id: int
    schema_type: SchemaType
    content: bytes
    references: tuple[SchemaReference, ...]
    fingerprints: Fingerprints
    options: Mapping[str, str]

    @property
    def text(self) -> str:
        """The content as text."""
        return self.content.decode("utf-8")

    def json(self) -> Any:
        """The content parsed as JSON (JSON Schema and Avro). Raises ValueError when it is not JSON."""
        return json.loads(self.content)


@dataclass(frozen=True, slots=True)
class SchemaInfo(SchemaContent):
    """One version of a subject: its content and what may change about it."""

    state: SchemaState
    compatibility_level: CompatibilityLevel
    checksum: str
    description: str | None
    tags: tuple[str, ...]
    metadata: Mapping[str, str]
    created_at: datetime | None
    updated_at: datetime | None
    deleted_at: datetime | None
    created_by: str
    change_class: ChangeClass
    revision: str
    page_token: str

    def immutable(self) -> SchemaContent:
        """Only what never changes."""
        return SchemaContent(
            id=self.id,
            subject=self.subject,
            version=self.version,
            ordinal=self.ordinal,
            global_id=self.global_id,
            schema_type=self.schema_type,
            content=self.content,
            references=self.references,
            fingerprints=self.fingerprints,
            options=self.options,
        )


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
class SchemaDifference:
    """One difference of two schemas. `path` is a JSON pointer (JSON Schema, Avro) or a dotted name (Protobuf)."""

    kind: DifferenceKind
    path: str
    old_value: str
    new_value: str
    message: str


@dataclass(frozen=True, slots=True)
class SchemaDiff:
    """What changed between two schemas and what it means: `backward` asks whether a reader with the new schema may
    read the old one's data, `forward` the reverse. `text` is the whole, a line each. `truncated`: there is more.
    """

    differences: tuple[SchemaDifference, ...]
    change_class: ChangeClass
    backward: CompatibilityReport
    forward: CompatibilityReport
    text: str
    old_version: str
    new_version: str
    truncated: bool

    def __bool__(self) -> bool:
        """Whether anything differs."""
        return bool(self.differences)


@dataclass(frozen=True, slots=True)
class ConversionLoss:
    """Something that the target language cannot say; `path` is a place in the source."""

    kind: LossKind
    path: str
    message: str


@dataclass(frozen=True, slots=True)
class Conversion:
    """A schema in another language, what got lost on the way, and the document that came along, as JSON.

    `dropped` are JSON pointers of members of the document that the source does not declare.
    """

    content: bytes
    schema_type: SchemaType
    losses: tuple[ConversionLoss, ...]
    data: bytes
    dropped: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Registration:
    """What registering did. `created` is False when the content was registered already."""

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
    """One fault of a schema. `line` and `column` count from 1; 0 is unknown."""

    rule: str
    message: str
    pointer: str
    line: int
    column: int
    severity: Severity


@dataclass(frozen=True, slots=True)
class SchemaValidationReport:
    """Whether a schema follows the rules of its type. `fingerprints` is None when it does not."""

    valid: bool
    errors: tuple[str, ...]
    warnings: tuple[str, ...]
    issues: tuple[SchemaIssue, ...]
    fingerprints: Fingerprints | None

    def __bool__(self) -> bool:
        """Whether the schema follows the rules."""
        return self.valid


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list: its items, how many there are in all, and the token of the next page ("" on the last).
    `did_you_mean`: a query that finds something, when a search found nothing because of a typo.
    """

    items: tuple[T, ...]
    total: int
    next_page_token: str
    did_you_mean: str = ""

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True, slots=True)
class Dependency:
    """A version that another one uses or is used by; `depth` is 1 for a direct one."""

    schema_id: str
    subject: str
    version: str
    name: str
    dependency_type: str
    depth: int


@dataclass(frozen=True, slots=True)
class VersionInfo:
    """A version in the list of its subject."""

    version: str
    ordinal: int
    schema_id: str
    global_id: int
    state: SchemaState
    change_class: ChangeClass
    created_at: datetime | None
    deleted_at: datetime | None


@dataclass(frozen=True, slots=True)
class ChangeEvent:
    """One change. `revision` is where a later watch resumes after it; a heartbeat is no change but proof of life."""

    event_type: EventType
    subject: str
    version: str
    ordinal: int
    schema_id: str
    timestamp: datetime | None
    changed_by: str | None
    metadata: Mapping[str, str]
    revision: str
    correlation_id: str
    schema: SchemaInfo | None
    heartbeat: bool = False


@dataclass(frozen=True, slots=True)
class ComponentHealth:
    """How one part of the server is."""

    status: ComponentStatus
    message: str | None
    details: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Health:
    """How the server and its parts are; `version` is the server's."""

    status: HealthStatus
    components: Mapping[str, ComponentHealth]
    version: str
    timestamp: datetime | None

    def __bool__(self) -> bool:
        """Whether the server does its work: HEALTHY or DEGRADED."""
        return self.status in (HealthStatus.HEALTHY, HealthStatus.DEGRADED)


@dataclass(frozen=True, slots=True)
class Config:
    """The settings of one scope; None is not set there."""

    compatibility_level: CompatibilityLevel | None = None
    mode: Mode | None = None
    strictness: Strictness | None = None
    writer_model: WriterModel | None = None
    apply_defaults: bool | None = None
    format_policy: FormatPolicy | None = None
    undecided: UndecidedPolicy | None = None
    default_dialect: str | None = None


@dataclass(frozen=True, slots=True)
class ConfigView:
    """What is set in a scope, what is in force there, and which scope decided each field of `effective`."""

    config: Config
    effective: Config
    sources: Mapping[str, str]
    revision: str = ""


@dataclass(frozen=True, slots=True)
class StateTransition:
    """One recorded step of a version's life; `from_state` is UNSPECIFIED for its creation."""

    from_state: SchemaState
    to_state: SchemaState
    trigger: str
    actor: str
    at: datetime | None
    reason: str
