"""RegistryError -> google.rpc.Status, the one form that every wire sends. Codes of wires are the transports' matter."""

from __future__ import annotations

from google.protobuf.any_pb2 import Any
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from ..errors import Code, RegistryError

DOMAIN = "schema-registry"


def to_status(error: BaseException, request_id: str) -> status_pb2.Status:
    """ErrorInfo (reason, domain, metadata with the request id), BadRequest where fields are wrong, further details.

    What is not a RegistryError becomes INTERNAL and tells nothing but the request id.
    """
    if not isinstance(error, RegistryError):
        return status_pb2.Status(
            code=Code.INTERNAL,
            message=f"internal error; the server's log has it under request id {request_id}",
            details=[_pack(_info("INTERNAL", {"request_id": request_id}))],
        )
    details = [_pack(_info(error.reason, {**error.metadata, "request_id": request_id}))]
    if error.violations:
        details.append(
            _pack(
                error_details_pb2.BadRequest(
                    field_violations=[
                        error_details_pb2.BadRequest.FieldViolation(
                            field=v.field, description=v.description, reason=error.reason
                        )
                        for v in error.violations
                    ]
                )
            )
        )
    details.extend(_pack(d) for d in error.details if isinstance(d, Message))
    return status_pb2.Status(code=error.code, message=error.message, details=details)


def _info(reason: str, metadata: dict[str, str]) -> error_details_pb2.ErrorInfo:
    return error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN, metadata=metadata)


def _pack(message: Message) -> Any:
    packed = Any()
    packed.Pack(message)
    return packed
