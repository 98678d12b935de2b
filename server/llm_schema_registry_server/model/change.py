"""The change log: what happened, in order."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from llm_schema_engines.model.fast_init import fast_init

from ..errors import RevisionUnknown
from .subject import Subject


class EventType(enum.IntEnum):
    """The kinds of change; numbers are those of the wire. The first fourteen are the registry's events,
    the rest are changes that followers of the log must see to stay coherent."""

    SCHEMA_REGISTERED = 1
    SCHEMA_UPDATED = 2
    SCHEMA_DELETED = 3
    SCHEMA_DEPRECATED = 4
    SCHEMA_CREATED = 5
    SCHEMA_VALIDATED = 6
    SCHEMA_ACTIVATED = 7
    SCHEMA_ARCHIVED = 8
    SCHEMA_ROLLED_BACK = 9
    COMPATIBILITY_CHECK_FAILED = 10
    VALIDATION_FAILED = 11
    CONSUMER_REGISTERED = 12
    CONSUMER_UNREGISTERED = 13
    USAGE_THRESHOLD_EXCEEDED = 14
    SCHEMA_UNDELETED = 15
    CONFIG_UPDATED = 16
    PROFILE_VERDICT_CHANGED = 17


class ServerEvent(enum.IntEnum):
    """Kinds of change that the servers of a registry tell each other; no subscriber sees them."""

    ACCESS_UPDATED = 1001
    """Who may do what has changed: an API key, a token that was revoked; `metadata` says which (model/access.py)."""


Kind = EventType | ServerEvent


def kind_of(number: int) -> Kind:
    """The kind with this number. Raises ValueError for an unknown one."""
    return ServerEvent(number) if number >= ServerEvent.ACCESS_UPDATED else EventType(number)


@fast_init
@dataclass(frozen=True, slots=True)
class Change:
    """One entry of the change log. `sequence` is 0 until the store has allotted it.

    `schema_id`, `version` and `ordinal` are empty for changes that concern no version (CONFIG_UPDATED, ACCESS_UPDATED).
    `subject` is None for changes of the whole registry's or a context's configuration.
    """

    event_type: Kind
    subject: Subject | None
    schema_id: str
    version: str
    ordinal: int
    at: datetime
    actor: str
    correlation_id: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    sequence: int = 0
    noted: Mapping[str, str] = field(default_factory=dict, compare=False)
    """What the audit log says of it beside; it stands in no change log."""

    @property
    def hidden(self) -> bool:
        """Whether it is for servers alone."""
        return isinstance(self.event_type, ServerEvent)


def format_revision(registry_id: str, sequence: int) -> str:
    """The opaque token of a place in the change log. Tokens of one registry sort as their sequences do."""
    return f"{registry_id}.{sequence:016x}"


def parse_revision(registry_id: str, token: str, field: str = "from_revision") -> int:
    """The sequence behind a token; raises RevisionUnknown for one that this registry did not issue."""
    prefix, dot, digits = token.partition(".")
    if not dot or len(digits) != 16 or any(c not in "0123456789abcdef" for c in digits):
        raise RevisionUnknown(field, f"{token[:80]!r} is not a revision")
    if prefix != registry_id:
        raise RevisionUnknown(field, f"{token[:80]!r} is a revision of another registry")
    return int(digits, 16)
