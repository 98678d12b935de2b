"""The handlers of FixService."""

from __future__ import annotations

from llm_schema_engines.fixes.model import Fix
from llm_schema_engines.fixes.search import MOST_FIXES
from llm_schema_registry.v1 import fixes_pb2 as pb
from llm_schema_registry.v1 import schema_registry_pb2

from ..calls.call import Call
from ..errors import InvalidRequest
from ..model.principal import READ
from ..registry.use_cases import UseCases
from .schema_registry import question

_DEFAULT = 3


class FixService:
    """One method per RPC, named as the RPC is."""

    def __init__(self, use: UseCases) -> None:
        self._fixing = use.fixing

    async def find_fixes(self, request: pb.FindFixesRequest, call: Call) -> pb.FindFixesResponse:
        if not 0 <= request.limit <= MOST_FIXES:
            raise InvalidRequest(
                "limit", f"is {request.limit}; it must be 0, or a number from 1 to {MOST_FIXES}"
            )
        asked = schema_registry_pb2.CompatibilityCheckRequest(
            subject=request.subject,
            new_schema=request.new_schema,
            level=request.level,
            compare_version=request.compare_version if request.HasField("compare_version") else None,
            references=request.references,
            schema_type=request.schema_type,
        )
        found = await self._fixing(question(asked, call.rights.where(READ)), request.limit or _DEFAULT)
        return pb.FindFixesResponse(
            fixes=[_fix(fix) for fix in found.fixes.fixes],
            compatible=found.fixes.compatible,
            level=schema_registry_pb2.CompatibilityLevel.ValueType(found.level),
            compared_versions=found.compared,
            tried=found.fixes.tried,
            complete=found.fixes.complete,
            reason=found.fixes.reason,
        )


def _fix(fix: Fix) -> pb.Fix:
    return pb.Fix(
        edits=[
            pb.FixEdit(kind=pb.FixKind.ValueType(edit.kind), place=edit.place, cost=edit.cost)
            for edit in fix.edits
        ],
        schema_content=fix.content,
        patch=fix.patch,
        takes_back=fix.takes_back,
        message=fix.message,
        proofs=[pb.FixProof(version=proof.version, direction=proof.direction.value) for proof in fix.proofs],
    )
