"""A failure as protobuf tells it: google.rpc.Status with ErrorInfo, RetryInfo, BadRequest and what the handler attached."""

from __future__ import annotations

from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from ...calls.failure import Failure

DOMAIN = "schema-registry"


def details(failed: Failure) -> tuple[Message, ...]:
    """ErrorInfo always, RetryInfo when it is known when to try again, BadRequest when fields are wrong, then the messages that
    the handler attached."""
    info = error_details_pb2.ErrorInfo(
        reason=failed.reason, domain=DOMAIN, metadata={**failed.facts, "request_id": failed.request_id}
    )
    attached = tuple(d for d in failed.details if isinstance(d, Message))
    if failed.retry_seconds is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromNanoseconds(round(failed.retry_seconds * 1e9))
        attached = (retry, *attached)
    if not failed.violations:
        return (info, *attached)
    violations = [
        error_details_pb2.BadRequest.FieldViolation(field=v.field, description=v.description)
        for v in failed.violations
    ]
    return (info, error_details_pb2.BadRequest(field_violations=violations), *attached)


def status(failed: Failure) -> status_pb2.Status:
    """The whole failure."""
    return status_pb2.Status(
        code=failed.code, message=failed.message, details=[pack(d) for d in details(failed)]
    )


def pack(message: Message) -> any_pb2.Any:
    """A message as google.rpc.Status carries it."""
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed
