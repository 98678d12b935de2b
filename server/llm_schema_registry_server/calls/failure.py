"""How a call failed, as every wire can tell it: one form, from which each wire makes its own status.

What is no RegistryError is a bug: the caller learns only the request id, the log the stack.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from ..errors import Code, RegistryError
from ..telemetry import logs

DOMAIN = "schema-registry"
INTERNAL_REASON = "INTERNAL"

# Facts are names and numbers; a caller that sends a huge name does not need it back.
_FACT_CHARACTERS = 300

_LOG = logs.get("calls")


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
            code=self.code, message=self.message, details=[pack(d) for d in self.details]
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
                field=_text(v.field)[:_FACT_CHARACTERS], description=_text(v.description)[:_FACT_CHARACTERS]
            )
            for v in error.violations
        ]
        details.append(error_details_pb2.BadRequest(field_violations=violations))
    details.extend(d for d in error.details if isinstance(d, Message))
    return Failure(error.code, error.reason, _text(error.message), tuple(details), request_id)


def _info(reason: str, metadata: Mapping[str, str], request_id: str) -> error_details_pb2.ErrorInfo:
    facts = {name: _text(value)[:_FACT_CHARACTERS] for name, value in metadata.items()}
    return error_details_pb2.ErrorInfo(
        reason=reason, domain=DOMAIN, metadata={**facts, "request_id": request_id}
    )


def _text(text: str) -> str:
    """`text` as every wire can carry it: errors quote what callers sent, also halves of surrogate pairs."""
    return text.encode("utf-8", "backslashreplace").decode()


def pack(message: Message) -> any_pb2.Any:
    """A message as google.rpc.Status carries it."""
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed
