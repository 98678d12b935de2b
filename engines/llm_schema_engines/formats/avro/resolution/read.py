"""Reads binary data of a writer's schema through a reader's schema, to see whether a datum resolves. Pure.

Witnesses of a comparison are verified with it; the tests compare it with other implementations.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import TypeVar

from ..data.binary import BinaryDataError, varint
from ..limits import AvroLimits
from ..schema.nodes import PRIMITIVES, Array, Enum, Fixed, Map, Node, Record, Union, title
from ..schema.text import Json
from .logical import default_fault, misread, value_fault
from .pairs import candidate_branches
from .rules import matches, writer_fields

Scalar = TypeVar("Scalar", int, str, bytes)
STRING = PRIMITIVES["string"]
MAX_STEPS = 200_000


class Unreadable(Exception):
    """The datum does not resolve; the message says why."""


class StepLimitReached(Exception):
    """The datum needs more steps than allowed; whether it resolves is unknown."""


def resolve(reader: Node, writer: Node, data: bytes, limits: AvroLimits) -> Json:
    """The datum as the reader sees it, in plain JSON (bytes as code points up to U+00FF; defaults as the schema
    writes them).

    `data` must be valid under `writer`. Raises Unreadable, StepLimitReached.
    """
    reading = _ResolvingReader(data, limits)
    value, at = reading.read(reader, writer, 0, 0)
    if at != len(data):
        raise Unreadable(f"{len(data) - at} bytes are left over")
    return value


class _ResolvingReader:
    def __init__(self, data: bytes, limits: AvroLimits) -> None:
        self._data = data
        self._max_depth = 4 * limits.data_depth
        self._steps = MAX_STEPS

    def read(self, reader: Node | None, writer: Node, at: int, depth: int) -> tuple[Json, int]:
        """The value at `at` and the position after it; without a reader the value is dropped."""
        self._steps -= 1
        if self._steps < 0 or depth > self._max_depth:
            raise StepLimitReached
        try:
            if isinstance(writer, Union):
                index, at = varint(self._data, at)
                return self.read(reader, writer.branches[index], at, depth + 1)
            if isinstance(reader, Union):
                return self._into_union(reader, writer, at, depth + 1)
            if reader is not None and not matches(reader, writer):
                raise Unreadable(f"{title(writer)} cannot be read as {title(reader)}")
            return self._same(reader, writer, at, depth + 1)
        except (IndexError, BinaryDataError, struct.error, UnicodeDecodeError) as error:
            raise Unreadable(f"{title(writer)}: {error}") from None

    def _into_union(self, reader: Union, writer: Node, at: int, depth: int) -> tuple[Json, int]:
        reasons: list[str] = []
        for branch in candidate_branches(reader, writer):
            try:
                return self.read(branch, writer, at, depth)
            except Unreadable as error:
                reasons.append(str(error))
        raise Unreadable(reasons[0] if reasons else f"no branch of {title(reader)} reads {title(writer)}")

    def _same(self, reader: Node | None, writer: Node, at: int, depth: int) -> tuple[Json, int]:
        if reader is not None and (wrong := misread(reader, writer)):
            raise Unreadable(wrong)
        if isinstance(writer, Record):
            return self._record(reader if isinstance(reader, Record) else None, writer, at, depth)
        if isinstance(writer, Array):
            items = reader.items if isinstance(reader, Array) else None
            pairs, at = self._blocks(items, writer.items, None, at, depth)
            return [item for _, item in pairs], at
        if isinstance(writer, Map):
            values = reader.values if isinstance(reader, Map) else None
            pairs, at = self._blocks(values, writer.values, STRING, at, depth)
            return dict(pairs), at
        if isinstance(writer, Enum):
            index, at = varint(self._data, at)
            return _symbol(reader, writer.symbols[index]), at
        if isinstance(writer, Fixed):
            if isinstance(reader, Fixed) and reader.size != writer.size:
                raise Unreadable(f"{writer.name}: {writer.size} bytes are written, {reader.size} read")
            content = self._data[at : at + writer.size]
            return _of_logical(reader, content).decode("latin-1"), at + writer.size
        return self._scalar(reader, writer.kind, at)

    def _record(self, reader: Record | None, writer: Record, at: int, depth: int) -> tuple[Json, int]:
        if reader is None:
            for theirs in writer.fields:
                _, at = self.read(None, theirs.type, at, depth)
            return None, at
        readers: dict[str, list[str]] = {}
        out: dict[str, Json] = {}
        for mine in reader.fields:
            found = writer_fields(mine, writer)
            if len(found) > 1:
                raise Unreadable(f"the field {mine.name!r} stands for {len(found)} written fields")
            if found:
                readers.setdefault(found[0].name, []).append(mine.name)
            elif mine.has_default:
                if wrong := default_fault(mine.type, mine.default):
                    raise Unreadable(f"the default of {mine.name!r}: {wrong}")
                out[mine.name] = mine.default
            else:
                raise Unreadable(f"the field {mine.name!r} is not written and has no default")
        for theirs in writer.fields:
            start = at
            _, at = self.read(None, theirs.type, start, depth)
            for name in readers.get(theirs.name, ()):
                out[name], _ = self.read(reader.by_name[name].type, theirs.type, start, depth)
        return out, at

    def _blocks(
        self, reader: Node | None, writer: Node, key: Node | None, at: int, depth: int
    ) -> tuple[list[tuple[Json, Json]], int]:
        out: list[tuple[Json, Json]] = []
        while True:
            count, at = varint(self._data, at)
            if count == 0:
                return out, at
            if count < 0:
                count = -count
                _, at = varint(self._data, at)
            for _ in range(count):
                name = None
                if key is not None:
                    name, at = self.read(key, key, at, depth)
                value, at = self.read(reader, writer, at, depth)
                out.append((name, value))

    def _scalar(self, reader: Node | None, kind: str, at: int) -> tuple[Json, int]:
        if kind == "null":
            return None, at
        if kind == "boolean":
            return bool(self._data[at]), at + 1
        if kind in ("int", "long"):
            number, at = varint(self._data, at)
            if reader is not None and reader.kind in ("float", "double"):
                return float(number), at
            return _of_logical(reader, number), at
        if kind in WIDTHS:
            form, width = WIDTHS[kind]
            return struct.unpack_from(form, self._data, at)[0], at + width
        length, at = varint(self._data, at)
        content = self._data[at : at + length]
        read_as = kind if reader is None else reader.kind
        if read_as == "string":
            return _of_logical(reader, content.decode("utf-8")), at + length
        return _of_logical(reader, content).decode("latin-1"), at + length


WIDTHS: Mapping[str, tuple[str, int]] = {"float": ("<f", 4), "double": ("<d", 8)}


def _of_logical(reader: Node | None, value: Scalar) -> Scalar:
    """The value, which must be one of the reader's logical type. Raises Unreadable."""
    if reader is not None and (wrong := value_fault(reader, value)):
        raise Unreadable(wrong)
    return value


def _symbol(reader: Node | None, symbol: str) -> str:
    if not isinstance(reader, Enum) or symbol in reader.symbols:
        return symbol
    if reader.default is None:
        raise Unreadable(f"{reader.name} has no symbol {symbol!r} and no default")
    return reader.default
