"""The audit log and signed verdicts, as frozen values. Times are aware, in UTC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from .enums import AuditEventType, AuditOutcome, AuditSeverity
from .results import CompatibilityReport


@dataclass(frozen=True, slots=True)
class AuditResource:
    """Something that a call was about: its kind ("subject", "schema", "api_key" ...) and its name."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One entry of the audit log, at its `position`.

    `kind` is what the principal is: "user", "key", "cert", "anonymous" or "system". `credential` is what was shown, without any
    secret. `via` is the connection of the proxy that told the address. `count` calls alike stand in this one entry. `change` is the
    place in the change log of what was written, 0 when nothing was. `canonical` is what is hashed (RFC 8785).
    """

    position: int
    id: str
    at: datetime | None
    type: AuditEventType
    severity: AuditSeverity
    outcome: AuditOutcome
    principal: str
    kind: str
    credential: str
    address: str
    via: str
    user_agent: str
    wire: str
    operation: str
    permission: str
    resources: tuple[AuditResource, ...]
    more_resources: int
    code: str
    reason: str
    request_id: str
    count: int
    change: int
    facts: Mapping[str, str]
    canonical: str


@dataclass(frozen=True, slots=True)
class AuditCheckpoint:
    """What the audit log was at one moment. Keep `note`, a signed note: with it later alterations show.

    `public_key` verifies it; compare it with what `schema-registry-server audit key` prints. `oldest` is the position of the oldest
    entry that retention has left.
    """

    note: str
    size: int
    root_hash: bytes
    at: datetime | None
    public_key: str
    oldest: int


@dataclass(frozen=True, slots=True)
class AuditProof:
    """Hashes that prove something about the tree of a checkpoint (RFC 6962). `leaf_hash` is of the entry, for an inclusion proof."""

    hashes: tuple[bytes, ...]
    checkpoint: str
    leaf_hash: bytes = b""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A compatibility report, its verdict as a signed note, and the key that verifies it: see `verify_verdict`."""

    report: CompatibilityReport
    note: str
    public_key: str

    def __bool__(self) -> bool:
        """Whether the schema is compatible."""
        return bool(self.report)
