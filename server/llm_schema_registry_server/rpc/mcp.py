"""The registry as an MCP server sees it: each call that a tool makes goes through the pipeline as an operation of its own, with the
caller's credentials. What needs no call of the registry (initialize, tools/list, arguments that do not fit) is an operation too, which
needs no permission: who asks is authenticated, counted and limited all the same.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing
from typing import Any

from google.protobuf.message import Message

from llm_schema_registry.mcp_server import CallFailed, Confirmations, Listening, McpServer, Reply
from llm_schema_registry.mcp_server.wire import ProtocolError, write
from llm_schema_registry.v1 import schema_registry_pb2 as pb

from ..calls.call import Call
from ..calls.failure import Failure, failure
from ..calls.guards.queueing import caller_key
from ..calls.operation import NO_PERMISSION, Idempotency, Operation
from ..calls.pipeline import Handler
from .protobuf.rpcs import Rpcs
from .protobuf.shared_answer import message_of

PROTOCOL = Operation(
    id="/mcp/Protocol",
    name="McpProtocol",
    permission=NO_PERMISSION,
    idempotency=Idempotency.NO_SIDE_EFFECTS,
)
_VALIDATE_STREAM = "/schema_registry.v1.AnswerService/ValidateStream"
_CHANGES = "/schema_registry.v1.SchemaRegistry/StreamSchemaChanges"

MakeCall = Callable[[Operation], Call]


async def _nothing(request: object, call: Call) -> None:
    """The handler of PROTOCOL: the guards are all there is to it."""


OPERATIONS: tuple[tuple[Operation, Handler], ...] = ((PROTOCOL, _nothing),)
"""What the pipeline must know beside the RPCs."""


class McpService:
    """What the HTTP face asks. version: of the server. secret: what replicas share, None where they share nothing."""

    def __init__(self, rpcs: Rpcs, version: str, secret: bytes | None, wait_seconds: float) -> None:
        self._rpcs = rpcs
        self._server = McpServer(version, Confirmations(secret), wait_seconds=wait_seconds)

    async def answer(self, message: object, headers: Mapping[str, str], make: MakeCall) -> Reply | Listening:
        """The answer to a decoded message, or to the ProtocolError that stands for one that cannot be read."""
        return await self._server.handle(message, PipelineRegistry(self._rpcs, make), headers)

    def unreadable(self, code: int, text: str) -> ProtocolError:
        """What stands for a message that cannot be read."""
        return ProtocolError(code, text)

    def turned_away(self, make: MakeCall, error: BaseException) -> None:
        """Notes a request that was refused before it was a message."""
        self._rpcs.pipeline.turned_away(make(PROTOCOL), error)

    async def listen(self, listening: Listening, call: Call) -> AsyncGenerator[Any, None]:
        """The frames of a stream (server-sent events), as the pipeline hands its answers out; the call is one of `changes`."""
        async with aclosing(self._rpcs.pipeline.stream(call, listening.request)) as events:
            async for answer in events:
                event: Any = message_of(answer)
                frames = b"".join(map(frame, listening.messages(event)))
                if frames:
                    yield frames

    @property
    def changes(self) -> Operation:
        """The operation of which a stream is a call."""
        return self._rpcs.methods[_CHANGES].operation


def frame(message: Any) -> bytes:
    """A message as a server-sent event."""
    return b"event: message\ndata: " + write(message).encode("utf-8", "backslashreplace") + b"\n\n"


class PipelineRegistry:
    """The port of the MCP server over the pipeline, for one message of a client."""

    def __init__(self, rpcs: Rpcs, make: MakeCall) -> None:
        self._rpcs, self._make = rpcs, make
        self._last: Call | None = None

    async def call(self, path: str, request: Message) -> Any:
        """The answer of an RPC. Raises CallFailed."""
        call = self._begin(self._rpcs.methods[path].operation)
        try:
            return message_of(await self._rpcs.pipeline.unary(call, request))
        except Exception as error:
            raise self._told(error, call) from error

    async def judge(self, request: pb.ValidateDataRequest) -> Any:
        """The one answer to one request of ValidateStream. Raises CallFailed."""
        call = self._begin(self._rpcs.methods[_VALIDATE_STREAM].operation)
        try:
            async with aclosing(self._rpcs.pipeline.stream(call, _one(request))) as answers:
                async for answer in answers:
                    return message_of(answer)
        except Exception as error:
            raise self._told(error, call) from error
        raise CallFailed("INTERNAL", "INTERNAL", "no answer came")

    async def changes(self, request: pb.StreamRequest) -> AsyncGenerator[Any, None]:
        """The events of StreamSchemaChanges. Raises CallFailed."""
        call = self._begin(self._rpcs.methods[_CHANGES].operation)
        try:
            async with aclosing(self._rpcs.pipeline.stream(call, request)) as events:
                async for event in events:
                    yield message_of(event)
        except Exception as error:
            raise self._told(error, call) from error

    async def admit(self) -> None:
        """Has the guards look at who asks. Raises CallFailed."""
        call = self._begin(PROTOCOL)
        try:
            await self._rpcs.pipeline.unary(call, None)
        except Exception as error:
            raise self._told(error, call) from error

    def caller(self) -> str:
        """A principal, or an address of somebody who shows no credentials."""
        return "" if self._last is None else caller_key(self._last)

    def _begin(self, operation: Operation) -> Call:
        self._last = call = self._make(operation)
        return call

    def _told(self, error: Exception, call: Call) -> CallFailed:
        return _failed(failure(error, call.request_id), call.own_metadata)


def _failed(failed: Failure, headers: tuple[tuple[str, str], ...] = ()) -> CallFailed:
    reports = (pb.CompatibilityReport, pb.SchemaValidationReport)
    return CallFailed(
        code=failed.code.name,
        reason=failed.reason,
        message=failed.message,
        fields=tuple((v.field, v.description) for v in failed.violations),
        facts=dict(failed.facts),
        request_id=failed.request_id,
        retry_seconds=failed.retry_seconds,
        report=next((d for d in failed.details if isinstance(d, reports)), None),
        headers=headers,
    )


async def _one(request: Message) -> AsyncIterator[Message]:
    yield request
