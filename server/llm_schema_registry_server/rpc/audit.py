"""The handlers of AuditService."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from llm_schema_registry.v1 import audit_pb2 as pb
from llm_schema_registry.v1 import schema_registry_pb2 as registry_pb

from ..calls.call import Call
from ..errors import InvalidRequest
from ..model.audit import AuditEvent, AuditOutcome, AuditSeverity
from ..model.principal import READ
from ..model.scope import SubjectScope
from ..registry.auditing import AuditRecord, ExportHead, ExportItem
from ..registry.checking import CompatibilityQuestion
from ..registry.use_cases import UseCases
from ..storage.audit_rows import AuditFilter
from . import convert
from .credentials import optional, time_in

_LONGEST = 1024
Question = Callable[[registry_pb.CompatibilityCheckRequest, SubjectScope], CompatibilityQuestion]


class AuditService:
    """One method per RPC, named as the RPC is. question: what a request for a check asks."""

    def __init__(self, use: UseCases, question: Question) -> None:
        self._log, self._certifying, self._question = use.audit, use.certifying, question

    async def list_audit_events(
        self, request: pb.ListAuditEventsRequest, call: Call
    ) -> pb.ListAuditEventsResponse:
        for field in ("principal", "operation", "resource"):
            if len(getattr(request, field)) > _LONGEST:
                raise InvalidRequest(field, f"is longer than {_LONGEST} characters")
            if "\x00" in getattr(request, field):  # which no database can look for
                raise InvalidRequest(field, "must not contain NUL characters")
        wanted = AuditFilter(
            since=time_in(request, "since"),
            until=time_in(request, "until"),
            principal=request.principal,
            operation=request.operation,
            event=convert.optional_enum(AuditEvent, request.type, "type"),
            outcome=convert.optional_enum(AuditOutcome, request.outcome, "outcome"),
            severity=convert.optional_enum(AuditSeverity, request.severity, "severity"),
            resource=request.resource,
        )
        page = await self._log.list(
            wanted, optional(request, "limit"), request.page_token, newest_first=request.newest_first
        )
        return pb.ListAuditEventsResponse(events=map(_event, page.records), next_page_token=page.next_token)

    async def get_audit_checkpoint(
        self, request: pb.GetAuditCheckpointRequest, call: Call
    ) -> pb.GetAuditCheckpointResponse:
        signed = await self._log.checkpoint()
        return pb.GetAuditCheckpointResponse(
            note=signed.note,
            size=signed.checkpoint.size,
            root_hash=signed.checkpoint.root,
            at=convert.timestamp(signed.checkpoint.at),
            public_key=str(signed.key),
            oldest=signed.oldest,
        )

    async def get_inclusion_proof(
        self, request: pb.GetInclusionProofRequest, call: Call
    ) -> pb.GetInclusionProofResponse:
        proof = await self._log.prove_inclusion(request.position, optional(request, "tree_size"))
        return pb.GetInclusionProofResponse(
            leaf_hash=proof.leaf, hashes=proof.hashes, checkpoint=proof.signed.note
        )

    async def get_consistency_proof(
        self, request: pb.GetConsistencyProofRequest, call: Call
    ) -> pb.GetConsistencyProofResponse:
        proof = await self._log.prove_consistency(request.old_size, optional(request, "new_size"))
        return pb.GetConsistencyProofResponse(hashes=proof.hashes, checkpoint=proof.signed.note)

    async def export_audit(
        self, request: pb.ExportAuditRequest, call: Call
    ) -> AsyncGenerator[pb.ExportAuditResponse, None]:
        async with aclosing(self._log.export(optional(request, "first"), request.page_token)) as items:
            async for item, token in items:
                answer = _exported(item)
                answer.page_token = token
                yield answer

    async def certify_compatibility(
        self, request: registry_pb.CompatibilityCheckRequest, call: Call
    ) -> pb.CertifyCompatibilityResponse:
        made = await self._certifying(self._question(request, call.rights.where(READ)))
        return pb.CertifyCompatibilityResponse(
            report=convert.report(made.report), note=made.note, public_key=str(made.key)
        )


def _exported(item: ExportItem) -> pb.ExportAuditResponse:
    if isinstance(item, ExportHead):
        head = pb.AuditExportHead(
            origin=item.origin, first=item.first, frontier=item.frontier, public_key=str(item.key)
        )
        return pb.ExportAuditResponse(head=head)
    if isinstance(item, AuditRecord):
        return pb.ExportAuditResponse(event=_event(item))
    return pb.ExportAuditResponse(checkpoint=item)


def _event(record: AuditRecord) -> pb.AuditEvent:
    entry = record.entry
    if entry is None:
        return pb.AuditEvent(position=record.position, canonical=record.text, leaf_hash=record.leaf)
    return pb.AuditEvent(
        position=record.position,
        id=entry.id,
        at=convert.timestamp(entry.at),
        type=pb.AuditEventType.ValueType(entry.event),
        severity=pb.AuditSeverity.ValueType(entry.severity),
        outcome=pb.AuditOutcome.ValueType(entry.outcome),
        principal=entry.principal,
        kind=entry.kind,
        credential=entry.credential,
        address=entry.address,
        via=entry.via,
        user_agent=entry.user_agent,
        wire=entry.wire,
        operation=entry.operation,
        permission=entry.permission,
        resources=[pb.AuditResource(kind=kind, name=name) for kind, name in entry.resources],
        more_resources=entry.more_resources,
        code=entry.code,
        reason=entry.reason,
        request_id=entry.request_id,
        count=entry.count,
        change=entry.revision,
        facts=entry.facts,
        canonical=record.text,
        leaf_hash=record.leaf,
    )
