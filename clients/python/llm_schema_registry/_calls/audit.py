"""Calls about the audit log, and signed verdicts."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from .. import _decode_audit as decode
from .._call import AUDIT, Listing, Rpc, Unary, unary
from .._checked import checked
from .._encode import Content, Reference, number, timestamp
from ..audit import AuditCheckpoint, AuditEvent, AuditProof, Certificate
from ..enums import AuditEventType, AuditOutcome, AuditSeverity, CompatibilityLevel, SchemaType
from ..results import Items
from ..v1 import audit_pb2 as pb
from .checks import check_compatibility


@checked
def list_audit_events(
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    principal: str = "",
    operation: str = "",
    type: AuditEventType | str = AuditEventType.UNSPECIFIED,
    outcome: AuditOutcome | str = AuditOutcome.UNSPECIFIED,
    severity: AuditSeverity | str = AuditSeverity.UNSPECIFIED,
    resource: str = "",
    newest_first: bool = False,
    limit: int | None = None,
    page_token: str = "",
    timeout: float | None = None,
) -> Unary[Items[AuditEvent]]:
    """One page of the entries of the audit log that pass a filter; `page_token` goes on from the `next_page_token` of the page before.

    `until` is the first moment that is too late, `severity` the least one; `resource` is a name, or kind and name: "subject:orders". A
    page may be short or empty before the last one: `iter_audit_events` gives all. An entry is there within about a second.
    """
    request = pb.ListAuditEventsRequest(
        since=timestamp(since, "since"),
        until=timestamp(until, "until"),
        principal=principal,
        operation=operation,
        type=number(AuditEventType, type, "type"),
        outcome=number(AuditOutcome, outcome, "outcome"),
        severity=number(AuditSeverity, severity, "severity"),
        resource=resource,
        newest_first=newest_first,
        limit=limit,
        page_token=page_token,
    )
    return unary(AUDIT + "ListAuditEvents", pb.ListAuditEventsResponse, decode.events, request, timeout)


@checked
def get_audit_checkpoint(*, timeout: float | None = None) -> Unary[AuditCheckpoint]:
    """What the audit log is now, signed. Keep its `note` where nobody can alter it: later alterations then show."""
    request = pb.GetAuditCheckpointRequest()
    return unary(
        AUDIT + "GetAuditCheckpoint", pb.GetAuditCheckpointResponse, decode.checkpoint, request, timeout
    )


@checked
def get_inclusion_proof(
    position: int, *, tree_size: int | None = None, timeout: float | None = None
) -> Unary[AuditProof]:
    """The proof that an entry is in the tree of the newest checkpoint, or in that of another size."""
    request = pb.GetInclusionProofRequest(position=position, tree_size=tree_size)
    return unary(
        AUDIT + "GetInclusionProof", pb.GetInclusionProofResponse, decode.inclusion, request, timeout
    )


@checked
def get_consistency_proof(
    old_size: int, *, new_size: int | None = None, timeout: float | None = None
) -> Unary[AuditProof]:
    """The proof that the log of one size has only grown into that of the newest checkpoint, or of another size."""
    request = pb.GetConsistencyProofRequest(old_size=old_size, new_size=new_size)
    return unary(
        AUDIT + "GetConsistencyProof", pb.GetConsistencyProofResponse, decode.consistency, request, timeout
    )


@checked
def export_audit(*, first: int | None = None, timeout: float | None = None) -> Listing[str]:
    """The audit log from a position (from its oldest entry without one) to the newest checkpoint, as lines of JSON without line
    breaks: what `audit_verify` verifies. `timeout` is the longest wait for the next line. When the connection breaks, it goes on.
    """
    request = pb.ExportAuditRequest(first=first)
    return Listing(Rpc(AUDIT + "ExportAudit", pb.ExportAuditResponse), request, decode.line, timeout)


@checked
def certify_compatibility(
    subject: str,
    content: Content,
    *,
    level: CompatibilityLevel | str = CompatibilityLevel.UNSPECIFIED,
    compare_version: str | int | None = None,
    references: Iterable[Reference] = (),
    schema_type: SchemaType | str = SchemaType.UNSPECIFIED,
    timeout: float | None = None,
) -> Unary[Certificate]:
    """As `check_compatibility`, with the verdict signed by the registry: `verify_verdict` verifies it without any server."""
    asked = check_compatibility(
        subject,
        content,
        level=level,
        compare_version=compare_version,
        references=references,
        schema_type=schema_type,
    )
    return unary(
        AUDIT + "CertifyCompatibility",
        pb.CertifyCompatibilityResponse,
        decode.certificate,
        asked.request,
        timeout,
    )
