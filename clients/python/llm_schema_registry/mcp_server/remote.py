"""A registry somewhere else as the MCP server sees it: over the asyncio client, with that client's credentials."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import lru_cache
from typing import Any

import grpc
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.message import DecodeError, Message
from google.rpc import status_pb2

from .._asynchronous import AsyncTransport
from .._call import Batch, Rpc, Unary
from .._methods import IDEMPOTENT
from .._status import DETAILS
from ..errors import RegistryError
from ..v1 import schema_registry_pb2 as pb
from .calls import ANSWERS, REGISTRY, CallFailed

_REPORTS = (pb.CompatibilityReport, pb.SchemaValidationReport)


class RemoteRegistry:
    """The port over the transport of an `AsyncSchemaRegistry`."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def call(self, path: str, request: Message) -> Any:
        """The answer of an RPC. Raises CallFailed."""
        unary = Unary(_rpc(path), request, _as_is, None, path in IDEMPOTENT)
        try:
            return await self._transport.unary(unary)
        except RegistryError as error:
            raise _failed(error) from error

    async def judge(self, request: Message) -> Any:
        """The one answer to one request of ValidateStream. Raises CallFailed."""
        batch: Batch[Any, Any] = Batch(_rpc(ANSWERS + "ValidateStream"), _as_is, _placed, 1, None)
        try:
            async with aclosing(self._transport.batch(batch, [request])) as answers:
                async for answer in answers:
                    return answer
        except RegistryError as error:
            raise _failed(error) from error
        raise CallFailed("INTERNAL", "INTERNAL", "no answer came")

    async def changes(self, request: pb.StreamRequest) -> AsyncGenerator[Any, None]:
        """The events of StreamSchemaChanges. A silence in which even a heartbeat is missing ends them. Raises CallFailed."""
        patience = 2.0 * request.heartbeat_interval.seconds + self._transport.options.timeout
        events = self._transport.stream(_rpc(REGISTRY + "StreamSchemaChanges"), request, patience)
        try:
            async with aclosing(events):
                async for event in events:
                    yield event
        except RegistryError as error:
            raise _failed(error) from error

    async def admit(self) -> None:
        """Whoever started this process may ask it."""

    def caller(self) -> str:
        """There is one."""
        return "stdio"


@lru_cache(maxsize=256)
def _rpc(path: str) -> Rpc[Any]:
    """An RPC by its name on the wire."""
    _, service, method = path.split("/")
    found = descriptor_pool.Default().FindServiceByName(service).methods_by_name[method]
    return Rpc(path, message_factory.GetMessageClass(found.output_type))


def _as_is(message: Any) -> Any:
    return message


def _placed(answer: Any, place: int) -> Any:
    return answer


def _failed(error: RegistryError) -> CallFailed:
    return CallFailed(
        code=error.code.name,
        reason=error.reason,
        message=error.message,
        fields=tuple((v.field, v.description) for v in error.violations),
        facts=dict(error.metadata),
        request_id=error.request_id,
        report=_report(error.__cause__),
    )


def _report(cause: BaseException | None) -> Any:
    """The report in the details of a failure; None without one."""
    if not isinstance(cause, grpc.aio.AioRpcError):
        return None
    metadata = dict(cause.trailing_metadata() or ())
    status = status_pb2.Status()
    try:
        given: Any = metadata.get(DETAILS, b"")
        status.ParseFromString(given if isinstance(given, bytes) else b"")
        for detail in status.details:
            for kind in _REPORTS:
                if detail.Is(kind.DESCRIPTOR):
                    found = kind()
                    detail.Unpack(found)
                    return found
    except DecodeError:
        return None  # made by something else on the way; code and message still stand
    return None
