"""A registry that does as it is told: a real grpc.aio server whose every call follows a script.

On the wire a call is a stream of requests and a stream of answers whatever its shape, so one generic handler serves
all RPCs of all services of the package.
"""

from __future__ import annotations

import inspect
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf import message_factory
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from llm_schema_registry.errors import Code, FieldViolation
from llm_schema_registry.v1 import (
    admin_pb2,
    answers_pb2,
    audit_pb2,
    config_pb2,
    conformance_pb2,
    fixes_pb2,
    lifecycle_pb2,
    providers_pb2,
    schema_registry_pb2,
    tickets_pb2,
    tools_pb2,
)

METHODS = {
    f"/{service.full_name}/{method.name}": method
    for module in (
        schema_registry_pb2,
        config_pb2,
        lifecycle_pb2,
        tools_pb2,
        answers_pb2,
        providers_pb2,
        fixes_pb2,
        conformance_pb2,
        admin_pb2,
        audit_pb2,
        tickets_pb2,
    )
    for service in module.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}
"""Path on the wire -> descriptor, for every RPC of the API."""

Script = Callable[[AsyncIterator[Any], Any], AsyncIterator[Message]]


@dataclass
class Failure(Exception):
    """A status to end a call with, as the server sends it."""

    code: Code
    message: str = "no"
    reason: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    violations: tuple[FieldViolation, ...] = ()
    details: tuple[Message, ...] = ()
    trailers: tuple[tuple[str, str | bytes], ...] = (("x-request-id", "req-1"),)

    def status(self) -> status_pb2.Status:
        status = status_pb2.Status(code=int(self.code), message=self.message)
        if self.reason:
            status.details.add().Pack(
                error_details_pb2.ErrorInfo(
                    reason=self.reason, domain="schema-registry", metadata=self.metadata
                )
            )
        if self.violations:
            bad = error_details_pb2.BadRequest()
            for violation in self.violations:
                bad.field_violations.add(field=violation.field, description=violation.description)
            status.details.add().Pack(bad)
        for detail in self.details:
            status.details.add().Pack(detail)
        return status


@dataclass
class Call:
    """One call that arrived: its requests so far and its headers."""

    requests: list[Any] = field(default_factory=list)
    headers: dict[str, Any] = field(default_factory=dict)
    ended: bool = False

    @property
    def request(self) -> Any:
        return self.requests[0]


def answers(*messages: Message, then: Failure | None = None) -> Script:
    """Wait for the request, answer with these, and end with a failure or well."""

    async def script(requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Message]:
        await anext(requests)
        for message in messages:
            yield message
        if then is not None:
            raise then

    return script


def fails(code: Code, message: str = "no", **facts: Any) -> Script:
    """Fail at once."""
    return answers(then=Failure(code, message, **facts))


class FakeRegistry(grpc.GenericRpcHandler):
    """Serves scripts: each call of an RPC takes the next of its scripts; the last one stays."""

    def __init__(self) -> None:
        self.scripts: dict[str, deque[Script]] = defaultdict(deque)
        self.calls: dict[str, list[Call]] = defaultdict(list)
        self._server: grpc.aio.Server | None = None
        self.target = ""

    def script(self, rpc: str, *scripts: Script) -> None:
        """What the next calls of an RPC (`GetSchema`) do."""
        self.scripts[rpc].extend(scripts)

    async def start(self, port: int = 0, credentials: grpc.ServerCredentials | None = None) -> None:
        self._server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        self._server.add_generic_rpc_handlers((self,))
        address = f"localhost:{port}"
        bound = (
            self._server.add_secure_port(address, credentials)
            if credentials
            else self._server.add_insecure_port(address)
        )
        self.target = f"localhost:{bound}"
        await self._server.start()

    async def stop(self) -> None:
        assert self._server is not None
        await self._server.stop(0)

    def service(self, handler_call_details: Any) -> Any:
        path = handler_call_details.method
        method = METHODS.get(path)
        if method is None:
            return None
        request = message_factory.GetMessageClass(method.input_type)
        return grpc.stream_stream_rpc_method_handler(
            self._behaviour(method.name, handler_call_details.invocation_metadata),
            request_deserializer=request.FromString,
            response_serializer=lambda message: message.SerializeToString(),
        )

    def _behaviour(self, rpc: str, headers: Any) -> Any:
        async def behaviour(requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Message]:
            call = Call(headers=dict(headers or ()))
            self.calls[rpc].append(call)
            queue = self.scripts[rpc]
            script = queue.popleft() if len(queue) > 1 else queue[0] if queue else answers_nothing
            try:
                async for message in script(_recorded(requests, call), context):
                    yield message
            except Failure as failure:
                status = failure.status()
                trailers = [*failure.trailers]
                if status.details and not any(k == "grpc-status-details-bin" for k, _ in trailers):
                    trailers.append(("grpc-status-details-bin", status.SerializeToString()))
                code = next(c for c in grpc.StatusCode if c.value[0] == status.code)
                await context.abort(code, failure.message, tuple(trailers))
            finally:
                call.ended = True

        return behaviour


async def answers_nothing(requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Message]:
    """The script of an RPC that has none: the failure says so."""
    raise Failure(Code.UNIMPLEMENTED, "no script")
    yield  # makes it a generator


async def _recorded(requests: AsyncIterator[Any], call: Call) -> AsyncIterator[Any]:
    async for request in requests:
        call.requests.append(request)
        yield request


def filled(kind: type[Message], depth: int = 0) -> Any:
    """A message with every field set to something that is not its default."""
    message = kind()
    for number, f in enumerate(kind.DESCRIPTOR.fields, 1):
        if f.message_type is not None and f.message_type.GetOptions().map_entry:
            entry = f.message_type.fields_by_name["value"]
            table = getattr(message, f.name)
            if entry.message_type is None:
                table["key"] = f"{f.name}-value"
            else:
                table["key"].CopyFrom(filled(message_factory.GetMessageClass(entry.message_type), depth + 1))
        elif f.message_type is not None:
            if f.message_type.full_name == "google.rpc.Status" or depth > 3:
                continue
            part = filled(message_factory.GetMessageClass(f.message_type), depth + 1)
            if f.is_repeated:
                getattr(message, f.name).append(part)
            else:
                getattr(message, f.name).CopyFrom(part)
        else:
            value = _scalar(f, number)
            if f.is_repeated:
                getattr(message, f.name).append(value)
            else:
                setattr(message, f.name, value)
    return message


def _scalar(f: Any, number: int) -> Any:
    if f.enum_type is not None:
        return f.enum_type.values[1].number
    kinds: dict[Any, Any] = {
        f.CPPTYPE_STRING: f"{f.name}-{number}".encode() if f.type == f.TYPE_BYTES else f"{f.name}-{number}",
        f.CPPTYPE_BOOL: True,
        f.CPPTYPE_DOUBLE: number + 0.5,
    }
    return kinds.get(f.cpp_type, number)


def described(rpc: str) -> Any:
    """The answer class of an RPC by its name."""
    method = next(m for m in METHODS.values() if m.name == rpc)
    return message_factory.GetMessageClass(method.output_type)


assert inspect.isasyncgenfunction(answers_nothing)
