"""The only place that knows both our errors and the status codes of a wire.

A failed call becomes one Failure; both wires speak it: gRPC as a status with google.rpc.Status in its trailers, HTTP as a
status code with a JSON body.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import grpc
from google.protobuf import json_format
from google.protobuf.message import Message
from google.rpc import status_pb2

from ..calls.failure import Failure
from ..errors import Code
from ..rpc.protobuf.status import details, pack

DETAILS_TRAILER = "grpc-status-details-bin"
REQUEST_ID_TRAILER = "x-request-id"

# Clients refuse metadata over 8 KiB unless told otherwise (grpc.max_metadata_size); base64 makes 3 bytes 4.
# grpc-message percent-encodes: 1 byte may become 3.
_TRAILER_BYTES = 4096
_MESSAGE_BYTES = 700

# What a detail that is too large loses from its end.
_CUT = frozenset({"field_violations", "violations", "issues"})

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
    "LINT_REFUSED": 422,
    "PROVIDER_REFUSED": 422,
    "QUOTA_EXCEEDED": 403,
    "REQUEST_TOO_LARGE": 413,
    "SCHEMA_TOO_LARGE": 413,
    "ROUTE_NOT_FOUND": 404,
    "VERB_NOT_ALLOWED": 405,
    "UNSUPPORTED_BODY": 415,
    "REVISION_COMPACTED": 410,
}


def grpc_status(failed: Failure) -> tuple[grpc.StatusCode, str, tuple[tuple[str, str | bytes], ...]]:
    """Code, message and trailers. Details that do not fit into trailers are left out, ErrorInfo never."""
    message = failed.message.encode()[:_MESSAGE_BYTES].decode(errors="ignore")
    status = status_pb2.Status(code=failed.code, message=message)
    all_details = details(failed)
    for left, detail in zip(range(len(all_details), 0, -1), all_details, strict=True):
        room = (_TRAILER_BYTES - status.ByteSize()) // left  # what is left is shared by those that are left
        packed = pack(_shortened(detail, room))
        if not status.details or packed.ByteSize() <= room:
            status.details.append(packed)
    trailers = ((DETAILS_TRAILER, status.SerializeToString()), (REQUEST_ID_TRAILER, failed.request_id))
    return GRPC[failed.code], message, trailers


def http_status(failed: Failure) -> int:
    """The HTTP status code: by reason where there is a better one than the code's."""
    return HTTP_BY_REASON.get(failed.reason, HTTP[failed.code])


def http_body(failed: Failure) -> dict[str, Any]:
    """The JSON body: error_code, message, details (each with its @type), request_id."""
    return {
        "error_code": failed.reason,
        "message": failed.message,
        "details": [
            json_format.MessageToDict(pack(detail), preserving_proto_field_name=True)
            for detail in details(failed)
        ],
        "request_id": failed.request_id,
    }


def _shortened(detail: Message, room: int) -> Message:
    """A detail with only as many of its violations as there is room for (BadRequest, CompatibilityReport, SchemaValidationReport)."""
    field = next((f for f in detail.DESCRIPTOR.fields if f.name in _CUT and f.is_repeated), None)
    if field is None or pack(detail).ByteSize() <= room:
        return detail
    violations = list(getattr(detail, field.name))
    shortened = type(detail)()
    shortened.CopyFrom(detail)
    shortened.ClearField(field.name)
    for violation in violations:
        if pack(shortened).ByteSize() + violation.ByteSize() + 8 > room:
            break
        getattr(shortened, field.name).append(violation)
    return shortened
