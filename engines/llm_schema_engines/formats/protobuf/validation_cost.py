"""What validating data against a Protobuf schema takes at most (formats.validation_cost). Pure.

Messages have no alternatives, so each value is checked once. What grows with the schema: the runtime looks at every field of
a message for required ones, and at every value of a closed enum.
"""

from __future__ import annotations

from ...model.validation import Encoding
from ..validation_cost import count
from .ir import Schema

_COMPILE_BYTE = 700
"""Nanoseconds of making pool and classes, for each byte of the artifact."""
_BINARY_BYTE, _BINARY_FIELD, _BINARY_ENUM = 400, 12, 1
"""Decoding a byte; a field of a message; a value of a closed enum. A message takes two bytes at least."""
_UNKNOWN = 3_000
"""Listing an unknown field, which takes two bytes at least."""
_TEXT = 3_000
"""Looking at a decoded field for strings that are not UTF-8; it takes a byte at least, if packed."""
_VALUE, _BYTE, _REQUIRED = 8_000, 60, 400
"""Reading and checking a JSON value; a byte of JSON; a required field of a message."""


class ProtobufCost:
    """See formats.validation_cost.CostBound."""

    def __init__(self, schema: Schema, artifact_bytes: int) -> None:
        self.compile_seconds = artifact_bytes * _COMPILE_BYTE / 1e9
        messages, enums = schema.messages.values(), schema.enums.values()
        self._text = _TEXT if schema.unchecked_text else 0
        self._fields = max((len(m.fields) for m in messages), default=0)
        self._required = max((len(m.required) for m in messages), default=0)
        self._closed = max((len(e.values) for e in enums if e.closed), default=0)

    def within(self, seconds: float, payload: bytes, *, encoding: Encoding, strict: bool) -> bool:
        """See CostBound.within."""
        counts = count(payload)
        binary = counts.bytes * (
            self._text
            + _BINARY_BYTE
            + self._fields * _BINARY_FIELD
            + self._closed * _BINARY_ENUM
            + self._required * _REQUIRED
        ) + (counts.bytes * _UNKNOWN if strict else 0)
        read = counts.values * _VALUE + counts.bytes * _BYTE + counts.objects * self._required * _REQUIRED
        if encoding is Encoding.BINARY:
            return binary <= seconds * 1e9
        return read + (0 if encoding is Encoding.JSON else binary) <= seconds * 1e9
