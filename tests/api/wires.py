"""The API over each wire, as messages of the contract: written from the proto alone, not from the server's code.

`call` for one answer, `listing` for a stream of answers, `batch` for a stream of both. Failures of all wires are one CallFailed.
"""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote

import grpc
import httpx
from google.api import annotations_pb2, http_pb2
from google.protobuf import any_pb2, json_format, message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

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

METHODS: Mapping[str, MethodDescriptor] = {
    method.name: method
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
SECONDS = 30.0


@dataclass(eq=False)
class CallFailed(Exception):
    """What a wire says about a failure. `code` is the google.rpc.Code; `http` the HTTP status (0 over gRPC)."""

    code: int
    message: str
    reason: str = ""
    metadata: Mapping[str, str] = None  # type: ignore[assignment]  # always set by `failed`
    fields: tuple[str, ...] = ()
    details: tuple[any_pb2.Any, ...] = ()
    request_id: str = ""
    http: int = 0

    def __str__(self) -> str:
        return f"{self.code or self.http} {self.reason}: {self.message} {self.fields}"

    def detail(self, kind: type[Message]) -> Any:
        """The first detail of this type."""
        for packed in self.details:
            message = kind()
            if packed.Unpack(message):
                return message
        raise LookupError(f"no {kind.DESCRIPTOR.full_name} among the details")


class Wire(Protocol):
    name: str

    def call(self, rpc: str, request: Message) -> Any: ...

    def listing(self, rpc: str, request: Message) -> Iterator[Any]: ...

    def batch(self, rpc: str, requests: Iterable[Message]) -> Iterator[Any]: ...


class GrpcWire:
    """grpcio's client against whatever engine listens at `target`."""

    def __init__(self, name: str, target: str, credentials: grpc.ChannelCredentials | None = None) -> None:
        self.name = name
        options = [("grpc.max_receive_message_length", 64 << 20), ("grpc.max_send_message_length", 64 << 20)]
        if credentials is None:
            self.channel = grpc.insecure_channel(target, options)
        else:
            self.channel = grpc.secure_channel(target, credentials, options)

    def call(self, rpc: str, request: Message) -> Any:
        return self.calling(self._stub(rpc, "unary_unary"), request)

    def calling(self, method: Any, request: Any) -> Any:
        """The answer of any unary method of the channel."""
        with _grpc_failures():
            return method(request, timeout=SECONDS)

    def listing(self, rpc: str, request: Message) -> Iterator[Any]:
        yield from self._stream(self._stub(rpc, "unary_stream")(request, timeout=SECONDS))

    def batch(self, rpc: str, requests: Iterable[Message]) -> Iterator[Any]:
        yield from self._stream(self._stub(rpc, "stream_stream")(iter(requests), timeout=SECONDS))

    def close(self) -> None:
        self.channel.close()

    def _stream(self, call: Any) -> Iterator[Any]:
        try:
            with _grpc_failures():
                yield from call
        finally:
            call.cancel()

    def _stub(self, rpc: str, shape: str) -> Any:
        method = METHODS[rpc]
        return getattr(self.channel, shape)(
            f"/{method.containing_service.full_name}/{rpc}",
            request_serializer=lambda m: m.SerializeToString(),
            response_deserializer=message_factory.GetMessageClass(method.output_type).FromString,
        )


@contextmanager
def _grpc_failures() -> Iterator[None]:
    try:
        yield
    except grpc.RpcError as error:
        trailers = dict(error.trailing_metadata() or ())
        status = status_pb2.Status.FromString(trailers.get("grpc-status-details-bin", b""))
        code = error.code().value[0]
        if status.details and (status.code, status.message) != (code, error.details()):
            raise AssertionError(f"{status} does not agree with {code} {error.details()}") from None
        raise failed(
            code, error.details() or "", list(status.details), str(trailers.get("x-request-id", ""))
        ) from None


class HttpWire:
    """The HTTP twin, as google.api.http and the JSON mapping of protobuf say."""

    name = "http"

    def __init__(self, base: str, verify: ssl.SSLContext | bool = True) -> None:
        headers = {"content-type": "application/json"}
        self.client = httpx.Client(
            base_url=base, timeout=SECONDS, trust_env=False, verify=verify, headers=headers
        )

    def call(self, rpc: str, request: Message) -> Any:
        verb, path, query, body = rendered(rpc, request, _binding(rpc, request))
        answer = self.client.request(verb, path, params=query, json=body)
        _raise_for(answer)
        message = _output(rpc)
        if answer.status_code == 204:
            assert not answer.content
            return message
        return json_format.Parse(answer.content, message)

    def listing(self, rpc: str, request: Message) -> Iterator[Any]:
        events = rpc == "StreamSchemaChanges"
        verb, path, query, _ = rendered(rpc, request)
        accept = {"accept": "text/event-stream" if events else "application/x-ndjson"}
        with self.client.stream(verb, path, params=query, headers=accept) as answer:
            yield from (_events if events else _lines)(rpc, answer)

    def batch(self, rpc: str, requests: Iterable[Message]) -> Iterator[Any]:
        verb, path, _, _ = rendered(rpc, message_factory.GetMessageClass(METHODS[rpc].input_type)())
        lines = ((json.dumps(_json(request)) + "\n").encode() for request in requests)
        ndjson = {"content-type": "application/x-ndjson", "accept": "application/x-ndjson"}
        with self.client.stream(verb, path, content=lines, headers=ndjson) as answer:
            yield from _lines(rpc, answer)

    def close(self) -> None:
        self.client.close()


def rendered(
    rpc: str, request: Message, binding: int = 0
) -> tuple[str, str, list[tuple[str, str]], dict[str, Any] | None]:
    """(verb, path, query, JSON body) of a request. `binding` 0 is the main one, 1.. the additional ones."""
    rule = METHODS[rpc].GetOptions().Extensions[annotations_pb2.http]
    rule = rule.additional_bindings[binding - 1] if binding else rule
    verb, template = _pattern(rule)
    fields = _json(request)
    for name in re.findall(r"\{([\w.]+)\}", template):
        template = template.replace(f"{{{name}}}", quote(str(_take(fields, name)), safe=""))
    if rule.body == "*":
        if rpc == "ValidateData":
            fields.setdefault(
                "data", ""
            )  # its absence is a mistake, though the mapping leaves out what is empty
        return verb, template, [], fields
    if rule.body:
        return verb, template, _query(fields, skip=rule.body), fields.get(rule.body, {})
    return verb, template, _query(fields), None


def _take(fields: dict[str, Any], dotted: str) -> Any:
    """The value of a field, which is taken out; "" when it is not there. Dots lead into messages."""
    *parents, leaf = dotted.split(".")
    for parent in parents:
        fields = fields.get(parent, {})
    return fields.pop(leaf, "")


def failed(code: int, message: str, details: list[any_pb2.Any], request_id: str, http: int = 0) -> CallFailed:
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    for packed in details:
        packed.Unpack(info)
        packed.Unpack(bad)
    assert not details or info.domain == "schema-registry"
    return CallFailed(
        code=code,
        message=message,
        reason=info.reason,
        metadata=dict(info.metadata),
        fields=tuple(v.field for v in bad.field_violations),
        details=tuple(details),
        request_id=request_id or info.metadata.get("request_id", ""),
        http=http,
    )


def _raise_for(answer: httpx.Response) -> None:
    if answer.status_code < 400:
        return
    answer.read()
    raise _told(answer.json(), answer.status_code)


def _told(body: Mapping[str, Any], status: int = 0) -> CallFailed:
    """The failure in an HTTP body. HTTP tells the reason, not the code; tests compare status and reason."""
    if set(body) != {"error_code", "message", "details", "request_id"}:
        raise AssertionError(f"not the body of an error: {body}")
    details = [json_format.ParseDict(detail, any_pb2.Any()) for detail in body["details"]]
    error = failed(0, body["message"], details, body["request_id"], status)
    if error.reason and error.reason != body["error_code"]:
        raise AssertionError(f"{error.reason} is not {body['error_code']}")
    error.reason = body["error_code"]
    return error


def _split(answer: httpx.Response) -> Iterator[str]:
    """Lines as JSON and events have them, ended by LF: `iter_lines` also breaks at U+0085 and U+2028."""
    rest = b""
    for piece in answer.iter_raw():
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield line.decode()


def _lines(rpc: str, answer: httpx.Response) -> Iterator[Any]:
    """Newline-delimited JSON; a failure in the middle is the last line."""
    _raise_for(answer)
    for line in _split(answer):
        content = json.loads(line)
        if set(content) == {"error"} and "error_code" in content["error"]:
            raise _told(content["error"])
        yield json_format.ParseDict(content, _output(rpc))


def _events(rpc: str, answer: httpx.Response) -> Iterator[Any]:
    """Server-sent events (HTML standard 9.2.6). An id without data is a heartbeat."""
    _raise_for(answer)
    block: dict[str, str] = {}
    for line in _split(answer):
        if line:
            name, _, value = line.partition(":")
            block[name] = value.removeprefix(" ")
        elif block.get("event") == "error":
            raise _told(json.loads(block["data"]))
        else:
            if "data" in block:
                event = json_format.Parse(block["data"], _output(rpc))
                assert event.revision == block["id"]  # type: ignore[attr-defined]  # the message is made at run time
                yield event
            elif "id" in block:
                yield schema_registry_pb2.SchemaChangeEvent(heartbeat=True, revision=block["id"])
            block = {}


def _binding(rpc: str, request: Message) -> int:
    """The first binding whose captures the request fills; the main one when there is none."""
    rule = METHODS[rpc].GetOptions().Extensions[annotations_pb2.http]
    for number, candidate in enumerate((rule, *rule.additional_bindings)):
        captures = re.findall(r"\{(\w+)\}", _pattern(candidate)[1])
        if all(getattr(request, name) for name in captures):
            return number
    return 0


def _output(rpc: str) -> Message:
    message: Message = message_factory.GetMessageClass(METHODS[rpc].output_type)()
    return message


def _pattern(rule: http_pb2.HttpRule) -> tuple[str, str]:
    verb = rule.WhichOneof("pattern")
    assert verb is not None
    return verb.upper(), getattr(rule, verb)


def _json(message: Message) -> dict[str, Any]:
    fields: dict[str, Any] = json_format.MessageToDict(message, preserving_proto_field_name=True)
    return fields


def _query(fields: Mapping[str, Any], skip: str = "") -> list[tuple[str, str]]:
    out: list[tuple[str, str]] = []
    for name, value in fields.items():
        if name != skip and isinstance(value, dict):
            out += [(f"{name}.{inner}", text) for inner, text in _query(value)]
        elif name != skip:
            values = value if isinstance(value, list) else [value]
            out += [(name, json.dumps(v) if isinstance(v, bool) else str(v)) for v in values]
    return out
