"""What all failures have in common."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


class Code(enum.IntEnum):
    """google.rpc.Code, by number (google/rpc/code.proto)."""

    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One request field that is wrong: its path in the request message and what is wrong with it."""

    field: str
    description: str


@dataclass(frozen=True, slots=True)
class SchemaIssue:
    """One fault of a schema: the rule it breaks, where, and a sentence.

    `pointer` is a JSON pointer (JSON Schema, Avro) or a dotted name (Protobuf); "" is the root.
    `line` and `column` are 1-based; 0 means unknown.
    """

    rule: str
    message: str
    pointer: str = ""
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        place = f"line {self.line}, column {self.column}: " if self.line else ""
        pointer = f"{self.pointer}: " if self.pointer else ""
        return f"{place}{pointer}{self.message}"


class RegistryError(Exception):
    """A failure with a google.rpc code, a machine-readable reason and the facts behind it.

    `metadata` becomes ErrorInfo.metadata; `violations` become BadRequest.field_violations; `details` are further
    protobuf messages for google.rpc.Status.details (put there by `rpc`, which knows the messages of the API).
    """

    code: Code = Code.UNKNOWN
    reason: str = "UNSPECIFIED"
    details: Sequence[object] = ()

    def __init__(
        self, message: str, *, violations: Sequence[FieldViolation] = (), **metadata: str | int | None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.violations = tuple(violations)
        self.metadata: Mapping[str, str] = {k: str(v) for k, v in metadata.items() if v is not None}
