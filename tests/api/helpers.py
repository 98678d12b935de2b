"""Short words for what the API tests do: small schemas, registrations, refusals."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from google.protobuf.message import Message
from google.rpc import code_pb2

from llm_schema_registry.v1 import schema_registry_pb2 as pb

from .wires import CallFailed, Wire

JSON, AVRO, PROTOBUF = pb.SCHEMA_TYPE_JSON, pb.SCHEMA_TYPE_AVRO, pb.SCHEMA_TYPE_PROTOBUF

# What HTTP says for a code, unless the reason has a status of its own (google/rpc/code.proto; wire contract).
HTTP = {
    "INVALID_ARGUMENT": 400,
    "NOT_FOUND": 404,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "UNIMPLEMENTED": 501,
    "RESOURCE_EXHAUSTED": 429,
    "ABORTED": 409,
}
HTTP_BY_REASON = {
    "INCOMPATIBLE_SCHEMA": 409,
    "INVALID_SCHEMA": 422,
    "LINT_REFUSED": 422,
    "PROVIDER_REFUSED": 422,
    "SCHEMA_TOO_LARGE": 413,
}


def closed(*, required: tuple[str, ...] = (), **properties: Any) -> bytes:
    """A JSON Schema of an object with these properties and no others."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }
    return json.dumps(schema).encode()


STRING, INTEGER = {"type": "string"}, {"type": "integer"}
V1 = closed(a=STRING)
V1_DESCRIBED = closed(a={"type": "string", "description": "A."})
V2_COMPATIBLE = closed(a=STRING, b=INTEGER)
V2_BREAKING = closed(a=INTEGER)


def avro(*fields: dict[str, Any], name: str = "R") -> bytes:
    return json.dumps({"type": "record", "name": name, "fields": list(fields)}).encode()


AVRO_V1 = avro({"name": "a", "type": "string"})
AVRO_V2 = avro({"name": "a", "type": "string"}, {"name": "b", "type": "int", "default": 0})
PROTO_V1 = b'syntax = "proto3";\npackage t;\nmessage M { string a = 1; }\n'
PROTO_V2 = b'syntax = "proto3";\npackage t;\nmessage M { string a = 1; int32 b = 2; }\n'
FIRST = {JSON: V1, AVRO: AVRO_V1, PROTOBUF: PROTO_V1}
SECOND = {JSON: V2_COMPATIBLE, AVRO: AVRO_V2, PROTOBUF: PROTO_V2}


def register(
    wire: Wire, subject: str, content: bytes = V1, schema_type: Any = JSON, **fields: Any
) -> pb.RegisterSchemaResponse:
    request = pb.RegisterSchemaRequest(
        subject=subject, schema_content=content, schema_type=schema_type, **fields
    )
    answer: pb.RegisterSchemaResponse = wire.call("RegisterSchema", request)
    return answer


def get(wire: Wire, schema_id: str) -> pb.SchemaInfo:
    answer: pb.GetSchemaResponse = wire.call("GetSchema", pb.GetSchemaRequest(schema_id=schema_id))
    return answer.schema


def versions(wire: Wire, subject: str, **fields: Any) -> list[str]:
    return list(wire.call("ListVersions", pb.ListVersionsRequest(subject=subject, **fields)).versions)


def update(wire: Wire, schema_id: str, **fields: Any) -> pb.SchemaInfo:
    request = pb.UpdateSchemaMetadataRequest(schema_id=schema_id, **fields)
    answer: pb.UpdateSchemaMetadataResponse = wire.call("UpdateSchemaMetadata", request)
    return answer.schema


def delete(wire: Wire, schema_id: str, *, permanent: bool = False) -> None:
    wire.call("DeleteSchema", pb.DeleteSchemaRequest(schema_id=schema_id, permanent=permanent))


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def refused(
    wire: Wire, rpc: str, request: Message, code: str, reason: str, field: str | None = None
) -> CallFailed:
    """Make the call, which must fail in just this way on this wire; `field` must be among the offending ones."""
    with pytest.raises(CallFailed) as caught:
        wire.call(rpc, request)
    return is_refusal(wire, caught.value, code, reason, field)


def is_refusal(wire: Wire, error: CallFailed, code: str, reason: str, field: str | None = None) -> CallFailed:
    assert error.reason == reason, error
    if wire.name == "http":
        assert error.http == HTTP_BY_REASON.get(reason, HTTP[code]), error
    else:
        assert code_pb2.Code.Name(error.code) == code, error
    assert error.request_id
    assert error.metadata.get("request_id") == error.request_id
    assert error.message
    if field is not None:
        assert any(f == field or f.startswith(f"{field}#") for f in error.fields), error.fields
    return error
