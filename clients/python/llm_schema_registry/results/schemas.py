"""Versions: their contents, what registering made of them, and how they hang together. Frozen values."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from ..enums import ChangeClass, CompatibilityLevel, SchemaState, SchemaType

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
class Dependency:
    """A version that another one uses or is used by; `depth` is 1 for a direct one."""

    schema_id: str
    subject: str
    version: str
    name: str
    dependency_type: str
    depth: int


@dataclass(frozen=True, slots=True)
class StateTransition:
    """One recorded step of a version's life; `from_state` is UNSPECIFIED for its creation."""

    from_state: SchemaState
    to_state: SchemaState
    trigger: str
    actor: str
    at: datetime | None
    reason: str


class Items(tuple[T, ...]):
    """Items of a list that is given whole unless a limit is asked for, or as much of it as was asked for; `next_page_token` asks for
    the rest ("" at the end)."""

    next_page_token: str = ""

    @classmethod
    def of(cls, items: Iterable[T], next_page_token: str) -> Items[T]:
        made = cls(items)
        made.next_page_token = next_page_token
        return made


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
