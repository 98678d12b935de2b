"""What a reader's logical type requires of the writer's: the values, and how they are counted.

The specification resolves the underlying types and lets an implementation ignore logical types, except that decimals
match only with equal scales. The validator does not ignore them, so neither does the comparison
(docs/decisions/0024-logical-types-in-avro-resolution.md). Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..data.logical import bytes_check, number_check, text_check
from ..schema.defaults import DefaultChecker
from ..schema.nodes import Array, Fixed, Logical, Map, Node, Record, Union, title
from ..schema.text import Json
from ..schema.values import SMALLEST_LOGICAL
from .finding import Finding

UNITS: Mapping[str, str] = {
    "date": "days", "time-millis": "milliseconds", "time-micros": "microseconds",
    "timestamp-millis": "milliseconds", "timestamp-micros": "microseconds", "timestamp-nanos": "nanoseconds",
    "local-timestamp-millis": "milliseconds", "local-timestamp-micros": "microseconds",
    "local-timestamp-nanos": "nanoseconds",
}  # fmt: skip


def misread(reader: Node, writer: Node) -> str:
    """Why every datum of the writer would mean something else to the reader; "" when none does for sure."""
    mine, theirs = reader.logical, writer.logical
    if mine is None or mine == theirs:
        return ""
    if theirs is not None:
        names = {mine.name, theirs.name}
        if names == {"decimal"}:
            moved = mine.scale != theirs.scale
            return f"{theirs} read as {mine} would move the decimal point" if moved else ""
        if names == {"decimal", "big-decimal"}:
            return f"{theirs} and {mine} write numbers in different ways"
        units = UNITS.get(theirs.name), UNITS.get(mine.name)
        if all(units) and units[0] != units[1]:
            return f"{theirs} counts {units[0]}, {mine} counts {units[1]}"
    if mine.name == "decimal" and writer.kind == "string":
        return f"{title(writer)} is text, which {mine} reads as the digits of a number"
    return ""


def value_fault(node: Node, value: object) -> str:
    """Why a value of a type (int, str, or bytes) is none of its logical type; "" when it is one, or none is needed."""
    if node.logical is None:
        return ""
    if isinstance(value, str):
        check = text_check(node.logical)
        return check(value) if check is not None else ""
    if isinstance(value, bytes):
        decimal = bytes_check(node.logical)
        return decimal(value) if decimal is not None else ""
    allowed = number_check(node.logical)
    return "" if allowed is None or value in allowed else f"{value} is not from 0 to {allowed.stop - 1}"


def default_fault(node: Node, value: Json) -> str:
    """Why a default, or a value inside it, is none of its logical type; "" when all are. It is a value of the type else."""
    if isinstance(node, Union):
        fits = [branch for branch in node.branches if not DefaultChecker().fault(branch, value)]
        faults = [default_fault(branch, value) for branch in fits]
        return faults[0] if faults and all(faults) else ""
    if isinstance(node, Array) and isinstance(value, list):
        return next(filter(None, (default_fault(node.items, item) for item in value)), "")
    if isinstance(node, Map) and isinstance(value, dict):
        return next(filter(None, (default_fault(node.values, item) for item in value.values())), "")
    if isinstance(node, Record) and isinstance(value, dict):
        given = ((f.type, value[f.name]) for f in node.fields if f.name in value)
        return next(filter(None, (default_fault(kind, item) for kind, item in given)), "")
    if isinstance(value, str) and node.kind in ("bytes", "fixed"):
        return value_fault(node, value.encode("latin-1"))
    return value_fault(node, value)


def decimal_mismatch(reader: Node, writer: Node) -> Iterator[Finding]:
    mine, theirs = reader.logical, writer.logical
    if mine is None or theirs is None or not mine.name == theirs.name == "decimal":
        return
    if wrong := misread(reader, writer):
        yield Finding("/scale", str(mine), str(theirs), wrong)
    elif mine.precision < theirs.precision:
        yield Finding(
            "/precision", str(mine), str(theirs), f"{theirs} has more digits than {mine} holds",
            decimal_bytes(10**theirs.precision - 1, writer),
        )  # fmt: skip


def logical_mismatch(reader: Node, writer: Node) -> Iterator[Finding]:
    """A logical type of the reader that some or all data of the writer does not fit."""
    mine, theirs = reader.logical, writer.logical
    if mine is None or mine == theirs or (theirs is not None and mine.name == theirs.name == "decimal"):
        return
    if wrong := misread(reader, writer):
        yield Finding("/logicalType", str(mine), str(theirs or ""), wrong)
        return
    probe = _not_of(mine, writer)
    if probe is not None:
        yield Finding(
            "/logicalType", str(mine), str(theirs or ""),
            f"not every {title(writer)} is a {mine}", probe,
        )  # fmt: skip


def _not_of(mine: Logical, writer: Node) -> int | str | bytes | None:
    """A value of the writer's type that the reader's logical type does not have; None when it has all of them."""
    allowed = number_check(mine)
    if allowed is not None:
        theirs = number_check(writer.logical)
        return -1 if theirs is None else theirs[-1] if theirs[-1] not in allowed else None
    if mine.name == "uuid" and writer.kind in ("string", "bytes"):
        smallest = SMALLEST_LOGICAL.get(writer.logical.name) if writer.logical is not None else None
        return smallest if smallest is not None else "" if writer.kind == "string" else b""
    if mine.name == "decimal":
        return b"\x7f" + b"\xff" * (writer.size - 1) if isinstance(writer, Fixed) else b""
    return None


def logical_changed(reader: Node, writer: Node) -> Iterator[Finding]:
    """Another logical type that has all values of the writer, in the same unit."""
    mine, theirs = reader.logical, writer.logical
    if mine == theirs or (mine and theirs and mine.name == theirs.name == "decimal"):
        return
    if not any(logical_mismatch(reader, writer)):
        yield Finding(
            "/logicalType", str(mine or ""), str(theirs or ""),
            f"the logical type is {mine or 'none'} for the reader and {theirs or 'none'} for the writer",
        )  # fmt: skip


def decimal_bytes(number: int, node: Node) -> bytes:
    """A number in two's complement, big-endian: as long as the fixed is, else as short as possible."""
    size = node.size if isinstance(node, Fixed) else number.bit_length() // 8 + 1
    return number.to_bytes(size, "big", signed=True)
