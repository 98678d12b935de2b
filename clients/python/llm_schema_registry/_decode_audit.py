"""From the messages about the audit log to frozen values."""

from __future__ import annotations

import json
from typing import Any

from ._decode import compatibility_report, time
from .audit import AuditCheckpoint, AuditEvent, AuditProof, AuditResource, Certificate
from .enums import AuditEventType, AuditOutcome, AuditSeverity
from .results import Items
from .v1 import audit_pb2 as pb

EXPORT_FORMAT = "llm-schema-registry/audit-export/1"


def event(m: pb.AuditEvent) -> AuditEvent:
    return AuditEvent(
        position=m.position,
        id=m.id,
        at=time(m, "at"),
        type=AuditEventType(m.type),
        severity=AuditSeverity(m.severity),
        outcome=AuditOutcome(m.outcome),
        principal=m.principal,
        kind=m.kind,
        credential=m.credential,
        address=m.address,
        via=m.via,
        user_agent=m.user_agent,
        wire=m.wire,
        operation=m.operation,
        permission=m.permission,
        resources=tuple(AuditResource(r.kind, r.name) for r in m.resources),
        more_resources=m.more_resources,
        code=m.code,
        reason=m.reason,
        request_id=m.request_id,
        count=m.count,
        change=m.change,
        facts=dict(m.facts),
        canonical=m.canonical,
    )


def events(m: pb.ListAuditEventsResponse) -> Items[AuditEvent]:
    return Items.of(map(event, m.events), m.next_page_token)


def checkpoint(m: pb.GetAuditCheckpointResponse) -> AuditCheckpoint:
    return AuditCheckpoint(m.note, m.size, m.root_hash, time(m, "at"), m.public_key, m.oldest)


def inclusion(m: pb.GetInclusionProofResponse) -> AuditProof:
    return AuditProof(tuple(m.hashes), m.checkpoint, m.leaf_hash)


def consistency(m: pb.GetConsistencyProofResponse) -> AuditProof:
    return AuditProof(tuple(m.hashes), m.checkpoint)


def certificate(m: pb.CertifyCompatibilityResponse) -> Certificate:
    return Certificate(compatibility_report(m.report), m.note, m.public_key)


def line(m: pb.ExportAuditResponse) -> str:
    """An item of an export as a line of JSON in its canonical form."""
    if m.HasField("head"):
        return _canonical(
            {
                "format": EXPORT_FORMAT,
                "origin": m.head.origin,
                "first": m.head.first,
                "frontier": [hashed.hex() for hashed in m.head.frontier],
                "public_key": m.head.public_key,
            }
        )
    if m.HasField("event"):
        entry = {
            "position": m.event.position,
            "entry": _entry(m.event.canonical),
            "leaf": m.event.leaf_hash.hex(),
        }
        return _canonical(entry)
    return _canonical({"checkpoint": m.checkpoint})


def _entry(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:  # somebody has altered it in the database
        return text


def _canonical(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
