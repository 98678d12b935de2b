"""What the audit log records about a decision or a write, and its canonical form. Pure.

The canonical form of an entry is the JSON object of all its fields as RFC 8785 (JCS) writes it: members sorted by name, no white
space, only texts, lists, objects of texts and whole numbers. Its hash is what the log commits to, so that no field can be altered
unseen. Texts have no characters that a terminal obeys: such are escaped before.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from itertools import islice
from operator import attrgetter
from typing import Any, NamedTuple

import orjson

from llm_schema_engines.model.fast_init import fast_init

FORMAT = 1
"""The member `v` of an entry."""
MOST_RESOURCES = 16
MOST_FACTS = 48
TEXT = 255
"""Characters of one text; longer ones are cut."""
EFFECT, LESS = "effect", "less"
"""The fact that a credential may do less than before, and no more."""
LEVEL = "compatibility_level"
"""The fact that the level of a scope was set, and to what."""


class AuditEvent(enum.IntEnum):
    """What was done or tried; the numbers are those of the wire. The first 31 are those of the registry that this one follows;
    some of them happen in no server yet."""

    AUTHENTICATION_SUCCESS = 1
    AUTHENTICATION_FAILURE = 2
    TOKEN_GENERATED = 3
    TOKEN_REVOKED = 4
    TOKEN_EXPIRED = 5
    PASSWORD_CHANGED = 6
    MFA_ENABLED = 7
    MFA_DISABLED = 8
    AUTHORIZATION_GRANTED = 9
    AUTHORIZATION_DENIED = 10
    ROLE_ASSIGNED = 11
    ROLE_REVOKED = 12
    PERMISSION_GRANTED = 13
    PERMISSION_REVOKED = 14
    SCHEMA_REGISTERED = 15
    SCHEMA_UPDATED = 16
    SCHEMA_DELETED = 17
    SCHEMA_VALIDATED = 18
    SCHEMA_PUBLISHED = 19
    SCHEMA_DEPRECATED = 20
    CONFIGURATION_CHANGED = 21
    COMPATIBILITY_MODE_CHANGED = 22
    RETENTION_POLICY_CHANGED = 23
    SECURITY_VIOLATION = 24
    RATE_LIMIT_EXCEEDED = 25
    SUSPICIOUS_ACTIVITY = 26
    ACCESS_DENIED = 27
    SYSTEM_STARTED = 28
    SYSTEM_STOPPED = 29
    BACKUP_CREATED = 30
    BACKUP_RESTORED = 31
    POLICIES_CHANGED = 32
    RECORDS_LOST = 33
    """So many records of denied or failed calls did not fit into the buffer: `count`."""
    RECORDS_REMOVED = 34
    """Retention has removed the entries before a position."""


class AuditSeverity(enum.IntEnum):
    INFO = 1
    WARNING = 2
    IMPORTANT = 3
    CRITICAL = 4


class AuditOutcome(enum.IntEnum):
    """What became of it."""

    ALLOWED = 1
    DENIED = 2
    """Refused: who, with which permission, or how often."""
    FAILED = 3
    """Let through, and not done: `code` and `reason` say why."""


_E, _S = AuditEvent, AuditSeverity
SEVERITIES: Mapping[AuditEvent, AuditSeverity] = {
    _E.AUTHENTICATION_FAILURE: _S.WARNING,
    _E.AUTHORIZATION_DENIED: _S.WARNING,
    _E.ACCESS_DENIED: _S.WARNING,
    _E.SUSPICIOUS_ACTIVITY: _S.WARNING,
    _E.RATE_LIMIT_EXCEEDED: _S.WARNING,
    _E.TOKEN_REVOKED: _S.IMPORTANT,
    _E.ROLE_ASSIGNED: _S.IMPORTANT,
    _E.ROLE_REVOKED: _S.IMPORTANT,
    _E.PERMISSION_GRANTED: _S.IMPORTANT,
    _E.PERMISSION_REVOKED: _S.IMPORTANT,
    _E.POLICIES_CHANGED: _S.IMPORTANT,
    _E.SCHEMA_DELETED: _S.IMPORTANT,
    _E.RECORDS_REMOVED: _S.IMPORTANT,
    _E.SECURITY_VIOLATION: _S.CRITICAL,
    _E.RECORDS_LOST: _S.CRITICAL,
}
"""Of events that are more than INFO."""


class AuditResource(NamedTuple):
    """Something that a call was about: `subject` and its qualified name, `schema` and its id, `api_key` and its id ..."""

    kind: str
    name: str


@fast_init
@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One record.

    id: distinct for each record. at: when (UTC), by the clock of the server. principal, kind, credential: who, as
    model.principal.Principal says; `system` is the server itself. address: the caller's, "" when it is not known. via: the
    proxy's connection that told the address. wire: the face. permission: what the operation demands. resources: the first ones;
    more_resources: how many more there were. code, reason: how the call ended. count: so many calls alike, which this one record
    stands for; the others are those that followed it at once. revision: the place in the change log of what was written, 0 when
    nothing was. facts: about what was written, never its content.
    """

    id: str
    at: datetime
    event: AuditEvent
    outcome: AuditOutcome
    principal: str
    kind: str = "user"
    credential: str = ""
    address: str = ""
    via: str = ""
    user_agent: str = ""
    wire: str = ""
    operation: str = ""
    permission: str = ""
    resources: tuple[AuditResource, ...] = ()
    more_resources: int = 0
    code: str = "OK"
    reason: str = ""
    request_id: str = ""
    count: int = 1
    revision: int = 0
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def severity(self) -> AuditSeverity:
        """Follows from the event, and from what became of it."""
        named = SEVERITIES.get(self.event, AuditSeverity.INFO)
        return max(named, AuditSeverity.WARNING) if self.outcome is AuditOutcome.DENIED else named


FIELDS = tuple(f.name for f in fields(AuditEntry))
"""All fields of an entry."""


def clean(text: str, most: int = TEXT) -> str:
    """A text as an entry may hold it: cut, and without characters that are not printable."""
    text = text[:most]
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)[:most]


def encode(entry: AuditEntry) -> str:
    """The canonical form. Texts are cleaned, lists cut."""
    kept = entry.resources[:MOST_RESOURCES]
    texts: Sequence[str] = _texts_of(entry)
    facts = dict(islice(entry.facts.items(), MOST_FACTS))
    if not _all_clean((*texts, *facts, *facts.values())):
        texts = [clean(text) for text in texts]
        facts = {clean(k): clean(v) for k, v in facts.items()}
    members = {
        **dict(zip(_TEXTS, texts, strict=True)),
        "v": FORMAT,
        "at": _time_text(entry.at),
        "event": entry.event.name,
        "severity": entry.severity.name,
        "outcome": entry.outcome.name,
        "resources": [[clean(kind), clean(name, 2 * TEXT)] for kind, name in kept],
        "more_resources": entry.more_resources + len(entry.resources) - len(kept),
        "count": entry.count,
        "revision": entry.revision,
        "facts": facts,
    }
    return canonical(members)


def _all_clean(texts: Sequence[str]) -> bool:
    """Whether `clean` leaves all of them as they are."""
    return max(map(len, texts)) <= TEXT and "".join(texts).isprintable()


def canonical(value: Any) -> str:
    """JSON as RFC 8785 writes what an entry is made of."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


class Summary(NamedTuple):
    """What lists are filtered by, of an entry with this canonical form."""

    text: str
    at: datetime
    principal: str
    operation: str
    event: AuditEvent
    outcome: AuditOutcome
    severity: AuditSeverity
    resources: tuple[AuditResource, ...]


def completed(text: str, revision: int) -> Summary:
    """The same entry with its revision. Much quicker than `decode`, and looks less closely: at the names and types of the members, and
    that the text is canonical. Raises ValueError."""
    try:
        m = orjson.loads(text)
        if (
            canonical(m) != text
            or [type(m[name]) for name in _TYPES] != list(_TYPES.values())
            or len(m) != len(_TYPES)
        ):
            raise ValueError("this is no entry")
        if revision:
            m["revision"] = revision
            text = canonical(m)
        return Summary(
            text,
            _time(m["at"]),
            m["principal"],
            m["operation"],
            AuditEvent[m["event"]],
            AuditOutcome[m["outcome"]],
            AuditSeverity[m["severity"]],
            tuple(AuditResource(str(kind), str(name)) for kind, name in m["resources"]),
        )
    except (KeyError, TypeError, AttributeError, OverflowError, orjson.JSONEncodeError) as error:
        raise ValueError(f"this is no entry: {error!r}") from error


def _time_text(at: datetime) -> str:
    utc = at if at.tzinfo is UTC else at.astimezone(UTC)
    return f"{utc.isoformat(timespec='microseconds')[:-6]}Z"  # "+00:00" is six characters


def _time(text: str) -> datetime:
    if len(text) != len("2026-11-29T08:23:15.982034Z") or text[-1] != "Z":
        raise ValueError(f"{text!r} is no time of an entry")
    return datetime.fromisoformat(text)


def decode(text: str) -> AuditEntry:
    """The entry with this canonical form. Raises ValueError for any other text."""
    try:
        m = orjson.loads(text)
        if m["v"] != FORMAT:
            raise ValueError(f"version {m['v']!r} of entries is not known")
        entry = AuditEntry(
            id=m["id"],
            at=_time(m["at"]),
            event=AuditEvent[m["event"]],
            outcome=AuditOutcome[m["outcome"]],
            resources=tuple(AuditResource(kind, name) for kind, name in m["resources"]),
            **{name: m[name] for name in _PLAIN},
        )
        same = encode(entry) == text
    except (KeyError, TypeError, AttributeError, OverflowError, orjson.JSONEncodeError) as error:
        raise ValueError(f"this is no entry: {error!r}") from error
    if not same:
        raise ValueError("this is not the canonical form of an entry")
    return entry


_TEXTS = (
    "id", "principal", "kind", "credential", "address", "via", "user_agent", "wire", "operation", "permission",
    "code", "reason", "request_id",
)  # fmt: skip
_texts_of = attrgetter(*_TEXTS)
_PLAIN = tuple(name for name in FIELDS if name not in {"id", "at", "event", "outcome", "resources"})
_TYPES: Mapping[str, type] = {
    **dict.fromkeys(("at", "event", "outcome", "severity", *FIELDS), str),
    **dict.fromkeys(("v", "more_resources", "count", "revision"), int),
    "resources": list,
    "facts": dict,
}
"""The members of an entry, and the type of each."""
