"""The handlers of AnswerService."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator

from llm_schema_engines.answers.coercion import Coercion
from llm_schema_engines.answers.reask import DEFAULT_TOKENS, LEAST_TOKENS, MOST_TOKENS, ReaskStyle
from llm_schema_registry.v1 import answers_pb2 as pb

from ..calls.call import Call
from ..calls.failure import failure
from ..errors import InvalidRequest, RegistryError
from ..model.schema import SchemaVersion
from ..registry.answering import Documents, State, StreamOptions
from ..registry.use_cases import UseCases
from ..registry.validating import Payload
from ..workers.tasks import ReaskOptions
from . import convert
from .actors import named_or_learnt
from .protobuf.status import status

MOST_CALL_ID = 200


class AnswerService:
    """One method per RPC, named as the RPC is."""

    def __init__(self, use: UseCases) -> None:
        self._answering = use.answering

    async def validate_stream(
        self, requests: AsyncIterator[pb.ValidateStreamRequest | RegistryError], call: Call
    ) -> AsyncGenerator[pb.ValidateStreamResponse, None]:
        documents = self._answering.documents()
        index = 0
        try:
            async for request in requests:
                answer = await self._next(documents, request, call)
                answer.index = index
                yield answer
                index += 1
        finally:
            documents.close()

    async def _next(
        self, documents: Documents, request: pb.ValidateStreamRequest | RegistryError, call: Call
    ) -> pb.ValidateStreamResponse:
        if isinstance(request, RegistryError):
            return pb.ValidateStreamResponse(error=status(failure(request, call.request_id)))
        name = request.document_id
        try:
            await call.each_request()
            if name not in documents:
                call.touches(request)
                await documents.begin(
                    name,
                    _named(request),
                    StreamOptions(request.strict, request.fence, request.prose),
                    lambda version: named_or_learnt(version, request.schema_id, call),
                )
            else:
                documents.check_schema(name, _named(request))
            state = await documents.feed(name, request.chunk, end=request.end)
        except Exception as error:  # told in the answer; the other documents go on
            documents.forget(name)
            return pb.ValidateStreamResponse(document_id=name, error=status(failure(error, call.request_id)))
        return _state(name, state)

    async def reask_answer(self, request: pb.ReaskAnswerRequest, call: Call) -> pb.ReaskAnswerResponse:
        tokens = request.max_tokens or DEFAULT_TOKENS
        if not LEAST_TOKENS <= tokens <= MOST_TOKENS:
            raise InvalidRequest(
                "max_tokens", f"is {tokens}; it must be 0, or a number from {LEAST_TOKENS} to {MOST_TOKENS}"
            )
        if len(request.call_id) > MOST_CALL_ID:
            raise InvalidRequest(
                "call_id", f"has {len(request.call_id)} characters; the limit is {MOST_CALL_ID}"
            )
        style = convert.optional_enum(ReaskStyle, request.style, "style") or ReaskStyle.LINES
        wanted = ReaskOptions(style, tokens, request.redact, request.subschemas, request.call_id)
        asked, version = await self._answering.reask(
            _named(request, request.data, strict=request.strict),
            wanted,
            lambda version: named_or_learnt(version, request.schema_id, call),
        )
        return pb.ReaskAnswerResponse(
            valid=asked.valid,
            text=asked.text,
            payload=asked.payload,
            tokens=asked.tokens,
            told=asked.told,
            left=asked.left,
            truncated=asked.truncated,
            schema_id=version.schema_id,
        )

    async def coerce_answer(self, request: pb.CoerceAnswerRequest, call: Call) -> pb.CoerceAnswerResponse:
        kinds = {convert.enum(Coercion, kind, f"kinds[{i}]") for i, kind in enumerate(request.kinds)}
        done, verdict = await self._answering.coerce(
            _named(request, request.data),
            tuple(sorted(kinds)),
            lambda version: named_or_learnt(version, request.schema_id, call),
        )
        return pb.CoerceAnswerResponse(
            data=done.document,
            patch=done.patch,
            counts=[
                pb.CoercionCount(kind=pb.Coercion.ValueType(kind), count=count)
                for kind, count in zip(done.kinds, done.counts, strict=True)
            ],
            report=convert.data_report(verdict, 0.0),
        )


def _named(
    request: pb.ValidateStreamRequest | pb.ReaskAnswerRequest | pb.CoerceAnswerRequest,
    data: bytes = b"",
    *,
    strict: bool = False,
) -> Payload:
    return Payload(
        schema_id=request.schema_id,
        data=data,
        subject=request.subject,
        version=request.version,
        strict=strict,
    )


def _state(name: str, state: State) -> pb.ValidateStreamResponse:
    version: SchemaVersion = state.version
    answer = pb.ValidateStreamResponse(
        document_id=name,
        status=pb.StreamStatus.ValueType(state.status),
        reason=state.reason,
        received_bytes=state.received,
        schema_id=version.schema_id,
        subject=str(version.subject),
        version=str(version.version),
    )
    error = state.error
    if error is not None:
        answer.failure.CopyFrom(
            pb.StreamError(
                byte_offset=error.byte_offset,
                pointer=error.pointer,
                keyword=error.keyword,
                message=error.message,
                expected=error.expected,
                allowed_next=error.allowed_next,
                schema_path=error.schema_path,
            )
        )
    return answer
