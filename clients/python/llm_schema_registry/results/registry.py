"""The registry itself: its changes, its health, its settings. Frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from ..enums import (
    Coercion,
    CompatibilityLevel,
    ComponentStatus,
    EventType,
    FormatPolicy,
    HealthStatus,
    LintPolicy,
    Mode,
    ProfileFit,
    Strictness,
    UndecidedPolicy,
    WriterModel,
)
from .schemas import SchemaInfo


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
    lint: LintPolicy | None = None
    max_subjects: int | None = None
    """Of a context; 0 is no limit. So are the next two."""
    max_versions: int | None = None
    max_bytes: int | None = None
    profiles: tuple[str, ...] | None = None
    """Profiles of providers that a JSON Schema must fit, no worse than `worst_fit`."""
    worst_fit: ProfileFit | None = None
    coercions: tuple[Coercion, ...] | None = None
    """The corrections that `coerce_answer` makes when none are named."""


@dataclass(frozen=True, slots=True)
class ConfigView:
    """What is set in a scope, what is in force there, and which scope decided each field of `effective`."""

    config: Config
    effective: Config
    sources: Mapping[str, str]
    revision: str = ""
