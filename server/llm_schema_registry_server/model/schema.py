"""A schema as the registry keeps it: references, content, the stored version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from llm_schema_engines.model.compatibility import ChangeClass, CompatibilityLevel
from llm_schema_engines.model.fast_init import fast_init
from llm_schema_engines.model.schema import Fingerprints, SchemaType
from llm_schema_engines.model.version import SemanticVersion

from .lifecycle import SchemaState
from .subject import Subject


@dataclass(frozen=True, slots=True)
class Reference:
    """A use of another subject's version under `name` (a $ref URI, an Avro full name, a Protobuf import path)."""

    name: str
    subject: Subject
    version: str


@dataclass(frozen=True, slots=True)
class ResolvedReference:
    """A reference pinned at registration to one version for ever."""

    name: str
    subject: Subject
    ordinal: int
    version: SemanticVersion
    schema_id: str


@fast_init
@dataclass(frozen=True, slots=True)
class StoredContent:
    """What is stored of one identity (type + content + references): the bytes as sent, their SHA-256 (hexadecimal), the
    canonical form, and what the engine compiled (may be empty; it depends on the references too)."""

    content: bytes
    digest: str
    canonical: bytes
    artifact: bytes = b""


@fast_init
@dataclass(frozen=True, slots=True)
class SchemaVersion:
    """One version of a subject, without its bytes (those are found by `identity`).

    `identity` names distinct type + content + references (hex SHA-256) and `global_id` is its int32 number in the context.
    `revision` is the place in the change log of the last change to this version.
    `options` are the validation options fixed at registration (dialect, format policy ...).
    `deleted_at` is None while the version is live.
    """

    schema_id: str
    global_id: int
    identity: str
    subject: Subject
    ordinal: int
    version: SemanticVersion
    schema_type: SchemaType
    fingerprints: Fingerprints
    references: tuple[ResolvedReference, ...]
    size: int
    level: CompatibilityLevel
    state: SchemaState
    change_class: ChangeClass
    description: str | None
    tags: tuple[str, ...]
    metadata: Mapping[str, str]
    options: Mapping[str, str]
    created_at: datetime
    updated_at: datetime
    created_by: str
    revision: int
    deleted_at: datetime | None = None

    @property
    def live(self) -> bool:
        return self.deleted_at is None
