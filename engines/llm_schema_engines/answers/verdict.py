"""What is known of a document that arrives in pieces. Pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class StreamStatus(enum.IntEnum):
    """What is known of the bytes so far.

    VIABLE: some continuation may be valid. COMPLETE: the bytes are a valid document; only white space may follow. DEAD: no
    continuation is valid. INDETERMINATE: this schema or document can only be judged when it is complete.
    """

    VIABLE = 1
    COMPLETE = 2
    DEAD = 3
    INDETERMINATE = 4


@dataclass(frozen=True, slots=True)
class StreamError:
    """Why a document is DEAD.

    byte_offset: the byte, from 0, with which no valid continuation was left; the length of the document when it ends too
    early. It does not depend on how the document was cut. pointer: the value, as a JSON pointer. keyword: of the schema, or
    `json/...` and `undeclared` as in validation reports. expected: what the schema asks for, in words. allowed_next: what may
    stand there instead: JSON texts of values or names, names of types, or punctuation; empty when that is no short list.
    """

    byte_offset: int
    pointer: str
    keyword: str
    message: str
    expected: str = ""
    allowed_next: tuple[str, ...] = ()
    schema_path: str = ""

    def __str__(self) -> str:
        return f"byte {self.byte_offset}: {self.pointer or '(root)'}: {self.keyword}: {self.message}"
