"""How a call failed, as every face can tell it: one form, from which each face makes its own.

What is no RegistryError is a bug: the caller learns only the request id, the log the stack.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import Code, FieldViolation, LimitExceeded, RegistryError
from ..telemetry import logs

INTERNAL_REASON = "INTERNAL"

# Facts are names and numbers; a caller that sends a huge name does not need it back.
_FACT_CHARACTERS = 300

_LOG = logs.get("calls")


@dataclass(frozen=True, slots=True)
class Failure:
    """How a call failed.

    `facts` are names and numbers about the reason. `violations` are the fields of the request that are wrong. `details` are
    what the handler attached, in the form of its own messages; a face passes on those that it understands. `retry_seconds`:
    after how long it is worth while to try again, None when that cannot be told.
    """

    code: Code
    reason: str
    message: str
    facts: Mapping[str, str]
    violations: tuple[FieldViolation, ...]
    details: tuple[object, ...]
    request_id: str
    retry_seconds: float | None = None


def failure(error: Exception, request_id: str) -> Failure:
    """`error` in the form that faces show to callers. Logs the stack of one that nobody foresaw."""
    if not isinstance(error, RegistryError):
        _LOG.error("call_crashed", request_id=request_id, exc_info=error)
        message = f"internal error; the server's log has it under request id {request_id}"
        return Failure(Code.INTERNAL, INTERNAL_REASON, message, {}, (), (), request_id)
    return Failure(
        error.code,
        error.reason,
        _text(error.message),
        {name: _text(value)[:_FACT_CHARACTERS] for name, value in error.metadata.items()},
        tuple(
            FieldViolation(_text(v.field)[:_FACT_CHARACTERS], _text(v.description)[:_FACT_CHARACTERS])
            for v in error.violations
        ),
        tuple(error.details),
        request_id,
        error.retry_seconds if isinstance(error, LimitExceeded) else None,
    )


def _text(text: str) -> str:
    """`text` as every wire can carry it: errors quote what callers sent, also halves of surrogate pairs."""
    return text.encode("utf-8", "backslashreplace").decode()
