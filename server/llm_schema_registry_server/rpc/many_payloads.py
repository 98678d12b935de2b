"""Many payloads under one version."""

from __future__ import annotations

import time

from llm_schema_registry.v1 import tools_pb2 as pb
from llm_schema_registry.v1.schema_registry_pb2 import ValidationReport

from ..calls.call import Call
from ..calls.failure import failure
from ..errors import InvalidRequest
from ..registry.fairness import Turns
from ..registry.paging import PageRoom
from ..registry.validating import CompiledVersion, Payload, Validating
from . import convert
from .actors import named_or_learnt
from .payloads import payload_of
from .protobuf.status import status

_ITEMS_A_LOOK = 16
"""Items that are judged before anybody looks whether it is others' turn."""


class ManyPayloads:
    """Answers ValidateItems. page_bytes: so many of reports an answer holds, one at least."""

    def __init__(self, validating: Validating, page_bytes: int) -> None:
        self._validating, self._page_bytes = validating, page_bytes

    async def __call__(self, request: pb.ValidateItemsRequest, call: Call) -> pb.ValidateItemsResponse:
        """The verdicts of the first items whose reports fit into an answer. Raises InvalidRequest, SchemaNotFound, SubjectNotFound,
        VersionNotFound, LimitExceeded."""
        if not request.items:
            raise InvalidRequest("items", "is empty; give one payload at least")
        compiled = await self._validating.compile(
            payload_of(request, b""), lambda version: named_or_learnt(version, request.schema_id, call)
        )
        version = compiled.version
        answer = pb.ValidateItemsResponse(
            schema_id=version.schema_id, subject=str(version.subject), version=str(version.version)
        )
        room, turns = PageRoom(self._page_bytes), Turns()
        for place, item in enumerate(request.items):
            report = await self._report(compiled, payload_of(request, item), call)
            if report is not None:
                report.index = place
                if not room.take(report.ByteSize()):
                    break
                answer.reports.append(report)
            answer.valid += report is None or report.valid
            answer.judged += 1
            if place % _ITEMS_A_LOOK == 0:
                await turns.pause_if_due()
        return answer

    async def _report(
        self, compiled: CompiledVersion, payload: Payload, call: Call
    ) -> ValidationReport | None:
        """What there is to say of an item; None when it is just valid."""
        began = time.perf_counter()
        try:
            self._validating.check(payload)
            verdict = self._validating.judge_at_once(compiled, payload)
            if verdict is None:
                verdict = await self._validating.judge_elsewhere(compiled, payload)
        except Exception as error:
            failed = failure(error, call.request_id)
            return ValidationReport(valid=False, error=status(failed))
        if verdict.report.valid and not verdict.report.warnings:
            return None
        return convert.data_report(verdict, (time.perf_counter() - began) * 1000)
