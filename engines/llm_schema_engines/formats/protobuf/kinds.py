"""How values of each scalar kind are encoded, and the range of integers that they hold. Pure.

A reader of another kind decodes every value to the same value exactly when both kinds share an encoding and the writer's
range lies within the reader's (protobuf.dev/programming-guides/encoding; confirmed by tests/formats/protobuf).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

VARINT, I64, LEN, GROUP, I32 = 0, 1, 2, 3, 5
"""Wire types."""


class ScalarKind(NamedTuple):
    """`encoding` tells apart layouts of one wire type; `low` and `high` bound the integers that can be written."""

    wire: int
    encoding: str
    low: int = 0
    high: int = 0


INT32 = (-(2**31), 2**31 - 1)
INT64 = (-(2**63), 2**63 - 1)
UINT32 = (0, 2**32 - 1)
UINT64 = (0, 2**64 - 1)

KINDS: Mapping[str, ScalarKind] = {
    "int32": ScalarKind(VARINT, "varint", *INT32),
    "int64": ScalarKind(VARINT, "varint", *INT64),
    "uint32": ScalarKind(VARINT, "varint", *UINT32),
    "uint64": ScalarKind(VARINT, "varint", *UINT64),
    "bool": ScalarKind(VARINT, "varint", 0, 1),
    "enum": ScalarKind(VARINT, "varint", *INT32),
    "sint32": ScalarKind(VARINT, "zigzag", *INT32),
    "sint64": ScalarKind(VARINT, "zigzag", *INT64),
    "fixed32": ScalarKind(I32, "fixed", *UINT32),
    "sfixed32": ScalarKind(I32, "fixed", *INT32),
    "float": ScalarKind(I32, "float"),
    "fixed64": ScalarKind(I64, "fixed", *UINT64),
    "sfixed64": ScalarKind(I64, "fixed", *INT64),
    "double": ScalarKind(I64, "double"),
    "string": ScalarKind(LEN, "string"),
    "bytes": ScalarKind(LEN, "bytes"),
    "message": ScalarKind(LEN, "message"),
    "group": ScalarKind(GROUP, "group"),
}

CARRIES_ANY_BYTES = frozenset({"string", "message"})
"""Kinds that a `bytes` field reads without loss."""
