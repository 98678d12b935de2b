"""The handlers of LifecycleService."""

from __future__ import annotations

from llm_schema_registry.v1 import lifecycle_pb2 as pb
from llm_schema_registry.v1 import schema_registry_pb2 as registry_pb

from ..calls.call import Call
from ..model.subject import Subject
from ..registry.use_cases import UseCases
from . import convert
from .actors import actor, touch_owner, wrote


class LifecycleService:
    """One method per RPC, named as the RPC is."""

    def __init__(self, use: UseCases, wire: convert.MessageConverter) -> None:
        self._use, self._wire = use, wire

    async def undelete_schema(
        self, request: pb.UndeleteSchemaRequest, call: Call
    ) -> pb.UndeleteSchemaResponse:
        await touch_owner(self._use.reading, request.schema_id, call)
        with convert.Refusals():
            found = await self._use.deletion.undelete(request.schema_id, actor(call))
        answer = pb.UndeleteSchemaResponse(schema=self._wire.schema(found))
        wrote(call, answer.schema.revision)
        return answer

    async def delete_subject(self, request: pb.DeleteSubjectRequest, call: Call) -> pb.DeleteSubjectResponse:
        versions, revision = await self._use.deletion.delete_subject(
            Subject.parse(request.subject), permanent=request.permanent, by=actor(call)
        )
        wrote(call, revision)
        return pb.DeleteSubjectResponse(versions=[str(v.version) for v in versions])

    async def get_schema_history(
        self, request: pb.GetSchemaHistoryRequest, call: Call
    ) -> pb.GetSchemaHistoryResponse:
        await touch_owner(self._use.reading, request.schema_id, call)
        page = await self._use.reading.history(
            request.schema_id, limit=request.limit, page_token=request.page_token
        )
        return pb.GetSchemaHistoryResponse(
            next_page_token=page.next_token,
            transitions=[
                pb.StateTransition(
                    from_state=registry_pb.SchemaState.ValueType(t.from_state or 0),
                    to_state=registry_pb.SchemaState.ValueType(t.to_state),
                    trigger=t.trigger,
                    actor=t.actor,
                    at=convert.timestamp(t.at),
                    reason=t.reason,
                )
                for t in page.steps
            ],
        )
