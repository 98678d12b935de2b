"""The outcome of validating data against a schema."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Encoding(enum.IntEnum):
    """How a payload is written; numbers are those of the wire (DataEncoding).

    AUTO: JSON for JSON Schema; for Avro and Protobuf JSON when the first byte other than white space is `{`, `[`,
    `"`, or the whole payload parses as JSON, else binary.
    AVRO_JSON is the Avro specification's JSON encoding (tagged unions); JSON for Avro is plain JSON.
    """

    AUTO = 0
    JSON = 1
    BINARY = 2
    AVRO_JSON = 3


@dataclass(frozen=True, slots=True)
class DataIssue:
    """One error of a payload.

    `path` is a JSON pointer into the data ("" is the root); `schema_path` one into the schema;
    `error_type` a stable id (the JSON Schema keyword, or an id of the Avro and Protobuf engines).
    """

    path: str
    message: str
    error_type: str
    schema_path: str = ""
    expected: str = ""
    got: str = ""


@dataclass(frozen=True, slots=True)
class DataReport:
    """Whether the payload is valid, and if not, why: at most `max_errors` issues. `truncated`: there are more.

    True when the payload is valid.
    """

    valid: bool
    errors: tuple[DataIssue, ...] = ()
    warnings: tuple[DataIssue, ...] = ()
    truncated: bool = False

    def __bool__(self) -> bool:
        return self.valid


class FormatPolicy(enum.StrEnum):
    """Whether JSON Schema `format` decides validity: as the dialect says, always, or never."""

    DIALECT = "DIALECT"
    ASSERT = "ASSERT"
    IGNORE = "IGNORE"
