"""The only place that knows both our errors and the status codes of a wire.

A failed call becomes one Failure; both wires speak it: gRPC as a status with google.rpc.Status in its trailers, HTTP as a
status code with a JSON body. What is no RegistryError is a bug: the caller learns only the request id, the log the stack.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf import any_pb2, json_format
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from ..errors import Code, RegistryError
from ..telemetry import logs

DOMAIN = "schema-registry"
INTERNAL_REASON = "INTERNAL"
DETAILS_TRAILER = "grpc-status-details-bin"
REQUEST_ID_TRAILER = "x-request-id"

# Clients refuse metadata over 8 KiB unless told otherwise (grpc.max_metadata_size); base64 makes 3 bytes 4.
# grpc-message percent-encodes: 1 byte may become 3.
_TRAILER_BYTES = 4096
_MESSAGE_BYTES = 700
# Facts are names and numbers; a caller that sends a huge name does not need it back.
_FACT_CHARACTERS = 300

_LOG = logs.get("transports")

GRPC: Mapping[Code, grpc.StatusCode] = {
    Code(s.value[0]): s for s in grpc.StatusCode if s is not grpc.StatusCode.OK
}

# google/rpc/code.proto says which HTTP status each code maps to.
HTTP: Mapping[Code, int] = {
    Code.CANCELLED: 499,
    Code.UNKNOWN: 500,
    Code.INVALID_ARGUMENT: 400,
    Code.DEADLINE_EXCEEDED: 504,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.PERMISSION_DENIED: 403,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.FAILED_PRECONDITION: 400,
    Code.ABORTED: 409,
    Code.OUT_OF_RANGE: 400,
    Code.UNIMPLEMENTED: 501,
    Code.INTERNAL: 500,
    Code.UNAVAILABLE: 503,
    Code.DATA_LOSS: 500,
    Code.UNAUTHENTICATED: 401,
}

# Where schema registries have answered otherwise for years, or HTTP has a better word.
HTTP_BY_REASON: Mapping[str, int] = {
    "INCOMPATIBLE_SCHEMA": 409,
    "INVALID_SCHEMA": 422,
    "REQUEST_TOO_LARGE": 413,
    "SCHEMA_TOO_LARGE": 413,
    "ROUTE_NOT_FOUND": 404,
    "VERB_NOT_ALLOWED": 405,
    "REVISION_COMPACTED": 410,
}


@dataclass(frozen=True, slots=True)
class Failure:
    """How a call failed, as every wire can tell it."""

    code: Code
    reason: str
    message: str
    details: tuple[Message, ...]
    request_id: str

    def status(self) -> status_pb2.Status:
        """The whole failure as google.rpc.Status."""
        return status_pb2.Status(
            code=self.code, message=self.message, details=[_pack(d) for d in self.details]
        )


def failure(error: Exception, request_id: str) -> Failure:
    """What the caller is told of `error`. Logs the stack of one that nobody foresaw."""
    if not isinstance(error, RegistryError):
        _LOG.error("call_crashed", request_id=request_id, exc_info=error)
        info = _info(INTERNAL_REASON, {}, request_id)
        message = f"internal error; the server's log has it under request id {request_id}"
        return Failure(Code.INTERNAL, INTERNAL_REASON, message, (info,), request_id)
    details: list[Message] = [_info(error.reason, error.metadata, request_id)]
    if error.violations:
        violations = [
            error_details_pb2.BadRequest.FieldViolation(
                field=v.field[:_FACT_CHARACTERS], description=v.description[:_FACT_CHARACTERS]
            )
            for v in error.violations
        ]
        details.append(error_details_pb2.BadRequest(field_violations=violations))
    details.extend(d for d in error.details if isinstance(d, Message))
    return Failure(error.code, error.reason, error.message, tuple(details), request_id)


def grpc_status(told: Failure) -> tuple[grpc.StatusCode, str, tuple[tuple[str, str | bytes], ...]]:
    """Code, message and trailers. Details that do not fit into trailers are left out, ErrorInfo never."""
    message = told.message.encode()[:_MESSAGE_BYTES].decode(errors="ignore")
    status = status_pb2.Status(code=told.code, message=message)
    for detail in told.details:
        room = _TRAILER_BYTES - status.ByteSize()
        packed = _pack(_shortened(detail, room))
        if not status.details or packed.ByteSize() <= room:
            status.details.append(packed)
    trailers = ((DETAILS_TRAILER, status.SerializeToString()), (REQUEST_ID_TRAILER, told.request_id))
    return GRPC[told.code], message, trailers


def http_status(told: Failure) -> int:
    """The HTTP status code: by reason where there is a better one than the code's."""
    return HTTP_BY_REASON.get(told.reason, HTTP[told.code])


def http_body(told: Failure) -> dict[str, Any]:
    """The JSON body: error_code, message, details (each with its @type), request_id."""
    details = [
        json_format.MessageToDict(_pack(detail), preserving_proto_field_name=True) for detail in told.details
    ]
    return {
        "error_code": told.reason,
        "message": told.message,
        "details": details,
        "request_id": told.request_id,
    }


def _shortened(detail: Message, room: int) -> Message:
    """A BadRequest with the first violations only, as many as there is room for; anything else as it is."""
    if not isinstance(detail, error_details_pb2.BadRequest):
        return detail
    kept: Message = error_details_pb2.BadRequest()
    for violation in detail.field_violations:
        if _pack(kept).ByteSize() + violation.ByteSize() + 8 > room:
            break
        kept.MergeFrom(error_details_pb2.BadRequest(field_violations=[violation]))
    return kept


def _info(reason: str, metadata: Mapping[str, str], request_id: str) -> error_details_pb2.ErrorInfo:
    facts = {name: value[:_FACT_CHARACTERS] for name, value in metadata.items()}
    return error_details_pb2.ErrorInfo(
        reason=reason, domain=DOMAIN, metadata={**facts, "request_id": request_id}
    )


def _pack(message: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed
