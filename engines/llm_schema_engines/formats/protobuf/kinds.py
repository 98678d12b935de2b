"""What the bytes of each scalar kind can hold and how they are laid out, as measured on real data. Pure.

A reader of another kind gets every value back exactly when both kinds share an encoding and the writer's values lie
within the reader's (protobuf.dev/programming-guides/encoding).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

VARINT, I64, LEN, GROUP, I32 = 0, 1, 2, 3, 5
"""Wire types."""


class Kind(NamedTuple):
    """`encoding` tells apart layouts of one wire type; `low` and `high` bound the integers that can be written."""

    wire: int
    encoding: str
    low: int = 0
    high: int = 0


INT32 = (-(2**31), 2**31 - 1)
INT64 = (-(2**63), 2**63 - 1)
UINT32 = (0, 2**32 - 1)
UINT64 = (0, 2**64 - 1)

KINDS: Mapping[str, Kind] = {
    "int32": Kind(VARINT, "varint", *INT32),
    "int64": Kind(VARINT, "varint", *INT64),
    "uint32": Kind(VARINT, "varint", *UINT32),
    "uint64": Kind(VARINT, "varint", *UINT64),
    "bool": Kind(VARINT, "varint", 0, 1),
    "enum": Kind(VARINT, "varint", *INT32),
    "sint32": Kind(VARINT, "zigzag", *INT32),
    "sint64": Kind(VARINT, "zigzag", *INT64),
    "fixed32": Kind(I32, "fixed", *UINT32),
    "sfixed32": Kind(I32, "fixed", *INT32),
    "float": Kind(I32, "float"),
    "fixed64": Kind(I64, "fixed", *UINT64),
    "sfixed64": Kind(I64, "fixed", *INT64),
    "double": Kind(I64, "double"),
    "string": Kind(LEN, "string"),
    "bytes": Kind(LEN, "bytes"),
    "message": Kind(LEN, "message"),
    "group": Kind(GROUP, "group"),
}

CARRIES_ANY_BYTES = frozenset({"string", "message"})
"""What `bytes` reads without loss."""
