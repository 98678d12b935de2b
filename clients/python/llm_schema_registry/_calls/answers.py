"""Calls about the answers of language models. Nothing is stored.

Common to all: `timeout` is in seconds and overrides the client's; enumerations may be given by name; failures raise
the exceptions of `llm_schema_registry.errors`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from google.protobuf.message import Message

from .. import _decode_answers
from .._arguments import described, identifier, integer, selector, text
from .._call import ANSWERS, Batch, Rpc, Unary, unary
from .._checked import checked
from .._encode import Data, SchemaId, data_bytes, number, numbers
from ..enums import Coercion, ReaskStyle
from ..results import AnswerState, CoercedAnswer, ReaskedAnswer
from ..v1 import answers_pb2 as pb
from .checks import MISSING, schema_fields


@dataclass(frozen=True, slots=True)
class AnswerChunk:
    """The next bytes of one document of `validate_stream`. The first chunk of a document names its schema, by id or by subject and
    version, and says how it is judged; the others only name the document. `end`: nothing comes after it."""

    document_id: str
    chunk: bytes
    schema_id: SchemaId = ""
    subject: str = ""
    version: str | int = ""
    strict: bool = False
    fence: bool = False
    prose: bool = False
    end: bool = False


@checked
def validate_stream(*, window: int = 64, timeout: float | None = None) -> Batch[AnswerChunk, AnswerState]:
    """Judge documents while they arrive, any number of them mixed. One state for each chunk, in order.

    A state whose `error` is set stands for a chunk that failed by itself; its document is forgotten. At most `window`
    chunks are under way. `timeout` is the longest wait for the next state. When the connection breaks, the documents that
    are open are lost: their next states have an `error`. `answer_stream` judges in this process, without a call for each chunk.
    """
    return Batch(
        Rpc(ANSWERS + "ValidateStream", pb.ValidateStreamResponse),
        _chunk_request,
        lambda answer, index: replace(_decode_answers.answer_state(answer), index=index),
        integer(window, "window", least=1),
        timeout,
    )


def _chunk_request(item: AnswerChunk) -> Message:
    if not isinstance(item, AnswerChunk):
        raise TypeError(f"items: an AnswerChunk is expected, not {described(item)}")
    return pb.ValidateStreamRequest(
        document_id=text(item.document_id, "document_id"),
        schema_id=identifier(item.schema_id, "schema_id"),
        subject=text(item.subject, "subject"),
        version=selector(item.version, "version"),
        chunk=item.chunk,
        end=item.end,
        strict=item.strict,
        fence=item.fence,
        prose=item.prose,
    )


@checked
def reask_answer(
    schema_id: SchemaId | None = None,
    data: Data = MISSING,
    *,
    subject: str = "",
    version: str | int = "latest",
    strict: bool = False,
    style: ReaskStyle | str = ReaskStyle.LINES,
    max_tokens: int = 0,
    redact: bool = False,
    subschemas: bool = False,
    call_id: str = "",
    timeout: float | None = None,
) -> Unary[ReaskedAnswer]:
    """The errors of an answer as a request to the model to correct it, in the form that its interface takes.

    The schema is named as in `validate_data`. `max_tokens` bounds the text (0: 400). `redact`: quote no value of the answer.
    `subschemas`: add the schemas that the errors are about. `call_id`: of the tool call. Raises SchemaNotFound,
    SubjectNotFound, VersionNotFound.
    """
    request = pb.ReaskAnswerRequest(
        **schema_fields(schema_id, data, subject, version),
        data=data_bytes(data),
        strict=strict,
        style=number(ReaskStyle, style, "style"),
        max_tokens=max_tokens,
        redact=redact,
        subschemas=subschemas,
        call_id=call_id,
    )
    return unary(ANSWERS + "ReaskAnswer", pb.ReaskAnswerResponse, _decode_answers.reasked, request, timeout)


@checked
def coerce_answer(
    schema_id: SchemaId | None = None,
    data: Data = MISSING,
    *,
    kinds: Iterable[Coercion | str] = (),
    subject: str = "",
    version: str | int = "latest",
    timeout: float | None = None,
) -> Unary[CoercedAnswer]:
    """Correct an answer that is not valid, in the ways `kinds` and no further than is certain; a valid one is not changed. Without
    `kinds` in those that the settings of its subject name (`set_config(coercions=...)`).

    The schema is named as in `validate_data`. Raises SchemaNotFound, SubjectNotFound, VersionNotFound, and InvalidRequest under
    another schema than a JSON Schema.
    """
    request = pb.CoerceAnswerRequest(
        **schema_fields(schema_id, data, subject, version),
        data=data_bytes(data),
        kinds=numbers(Coercion, kinds, "kinds"),
    )
    return unary(ANSWERS + "CoerceAnswer", pb.CoerceAnswerResponse, _decode_answers.coerced, request, timeout)
