"""From the messages of AnswerService to frozen values."""

from __future__ import annotations

from ._decode import item_error, validation_report
from .enums import Coercion, StreamStatus
from .results import AnswerState, CoercedAnswer, CoercionCount, ReaskedAnswer, StreamFailure
from .v1 import answers_pb2


def answer_state(m: answers_pb2.ValidateStreamResponse) -> AnswerState:
    return AnswerState(
        document_id=m.document_id,
        status=StreamStatus(m.status),
        failure=_failure(m.failure) if m.HasField("failure") else None,
        reason=m.reason,
        received_bytes=m.received_bytes,
        schema_id=m.schema_id,
        subject=m.subject,
        version=m.version,
        error=item_error(m),
        index=m.index,
    )


def _failure(m: answers_pb2.StreamError) -> StreamFailure:
    return StreamFailure(
        m.byte_offset, m.pointer, m.keyword, m.message, m.expected, tuple(m.allowed_next), m.schema_path
    )


def reasked(m: answers_pb2.ReaskAnswerResponse) -> ReaskedAnswer:
    return ReaskedAnswer(m.valid, m.text, m.payload, m.tokens, m.told, m.left, m.truncated, m.schema_id)


def coerced(m: answers_pb2.CoerceAnswerResponse) -> CoercedAnswer:
    return CoercedAnswer(
        data=m.data,
        patch=m.patch,
        counts=tuple(CoercionCount(Coercion(c.kind), c.count) for c in m.counts),
        report=validation_report(m.report),
    )
