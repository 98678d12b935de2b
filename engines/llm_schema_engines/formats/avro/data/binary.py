"""Validates Avro binary data with closures compiled once per schema; no values are built. Pure.

A check takes (data, position, depth) and returns the position after the value. Work is linear in the payload: values
of types that occupy no bytes are never visited, every other value consumes at least one byte, and depth is bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..limits import AvroLimits
from ..schema.nodes import Array, Enum, Fixed, Map, Node, Record, Union, children, reachable, tag
from .logical import bytes_check, number_check, text_check

Check = Callable[[bytes, int, int], int]


class BinaryDataError(Exception):
    """The payload is invalid: a stable error type, a sentence, and the path from the value out to the root.

    The path is collected while the exception passes the enclosing values, so the innermost step comes first.
    """

    def __init__(self, error_type: str, message: str, got: str = "") -> None:
        super().__init__(message)
        self.error_type, self.message, self.got = error_type, message, got
        self.path: list[str | int] = []


class TruncatedData(BinaryDataError):
    def __init__(self, message: str = "the data ends inside a value", path: Sequence[str | int] = ()) -> None:
        super().__init__("truncated", message)
        self.path.extend(path)


def varint(data: bytes, at: int) -> tuple[int, int]:
    """A zig-zag number and the position after it.

    Raises BinaryDataError for more than ten bytes or 64 bits, IndexError when the data ends inside the number.
    """
    byte = data[at]
    at += 1
    if byte < 128:
        return (byte >> 1) ^ -(byte & 1), at
    value, shift = byte & 127, 7
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            break
        shift += 7
        if shift > 63:
            raise BinaryDataError("varint", "a number is longer than ten bytes")
    if value >> 64:
        raise BinaryDataError("varint", "a number has more than 64 bits")
    return (value >> 1) ^ -(value & 1), at


def zero_byte_types(root: Node) -> set[int]:
    """The ids of the types whose values occupy no bytes: null, an empty fixed, records of nothing else."""
    nodes = list(reachable(root))
    zero_byte = {id(n) for n in nodes if n.kind == "null" or (isinstance(n, Fixed) and n.size == 0)}
    records = [n for n in nodes if isinstance(n, Record)]
    parents: dict[int, list[Record]] = {}
    missing: dict[int, int] = {}
    for record in records:
        below = {id(child) for child in children(record)}
        missing[id(record)] = len(below)
        for child in below:
            parents.setdefault(child, []).append(record)
    ready = [*zero_byte, *(id(r) for r in records if not missing[id(r)])]
    while ready:
        node = ready.pop()
        zero_byte.add(node)
        for parent in parents.get(node, ()):
            missing[id(parent)] -= 1
            if not missing[id(parent)]:
                ready.append(id(parent))
    return zero_byte


class BinaryCheckCompiler:
    """Compiles the checks of one schema. Each type is compiled once, so that recursive types end."""

    def __init__(self, root: Node, limits: AvroLimits) -> None:
        self._limits = limits
        self._zero_byte = zero_byte_types(root)
        self._checks: dict[int, Check] = {}
        self.size = 0
        """Estimated memory of the checks, in bytes."""

    def compile(self, node: Node) -> Check:
        """The check of `node`."""
        known = self._checks.get(id(node))
        if known is not None:
            return known
        self.size += 400
        if id(node) in self._zero_byte:
            check: Check = _no_bytes
        elif isinstance(node, Record):
            check = self._record(node)
        elif isinstance(node, Union):
            check = self._union(node)
        elif isinstance(node, Array):
            check = self._blocks(node, node.items, None)
        elif isinstance(node, Map):
            check = self._blocks(node, node.values, _string(None))
        elif isinstance(node, Enum):
            check = _enum(node)
        elif isinstance(node, Fixed):
            check = _fixed(node)
        else:
            check = _scalar(node)
        self._checks[id(node)] = check
        return check

    def _record(self, node: Record) -> Check:
        max_depth = self._limits.data_depth
        fields: list[tuple[str, Check]] = []

        def check(data: bytes, at: int, depth: int) -> int:
            if depth >= max_depth:
                raise _too_deep(max_depth)
            depth += 1
            try:
                for name, member in fields:  # noqa: B007 (the path of an error needs it)
                    at = member(data, at, depth)
            except BinaryDataError as error:
                error.path.append(name)
                raise
            except IndexError:
                raise TruncatedData(path=[name]) from None
            return at

        self._checks[id(node)] = check
        fields.extend(
            (f.name, self.compile(f.type)) for f in node.fields if id(f.type) not in self._zero_byte
        )
        return check

    def _union(self, node: Union) -> Check:
        branches: list[Check] = []
        count = len(node.branches)

        def check(data: bytes, at: int, depth: int) -> int:
            index, at = varint(data, at)
            if not 0 <= index < count:
                raise BinaryDataError(
                    "union-branch", f"there is no union branch {index}; there are {count}", str(index)
                )
            return branches[index](data, at, depth)

        self._checks[id(node)] = check
        branches.extend(self.compile(branch) for branch in node.branches)
        return check

    def _blocks(self, node: Node, item: Node, key: Check | None) -> Check:
        """An array, or with `key` a map: blocks of a count and as many items, ended by a count of zero."""
        max_depth, max_items = self._limits.data_depth, self._limits.empty_items
        zero_byte = id(item) in self._zero_byte and key is None
        item_check: list[Check] = []

        def check(data: bytes, at: int, depth: int) -> int:
            if depth >= max_depth:
                raise _too_deep(max_depth)
            depth += 1
            check_item, total = item_check[0], 0
            while True:
                count, at = varint(data, at)
                if count == 0:
                    return at
                end = -1
                if count < 0:  # then the size of the block in bytes follows
                    count = -count
                    size, at = varint(data, at)
                    end = at + size
                    if size < 0 or end > len(data):
                        raise BinaryDataError(
                            "block-size", f"a block of {size} bytes does not fit into the data", str(size)
                        )
                if zero_byte:
                    total += count
                    if total > max_items:
                        raise BinaryDataError(
                            "items",
                            f"{total} items without content; the limit is {max_items} (setting avro.empty_items)",
                            str(total),
                        )
                elif count > len(data) - at:  # each item has at least one byte
                    raise TruncatedData(
                        f"{count} items do not fit into the {len(data) - at} bytes that are left"
                    )
                else:
                    at = _items(data, at, depth, count, total, check_item, key)
                    total += count
                if end not in (-1, at):
                    raise BinaryDataError(
                        "block-size", "the items of a block do not fill the size that it states"
                    )

        self._checks[id(node)] = check
        item_check.append(self.compile(item))
        return check


def _items(
    data: bytes, at: int, depth: int, count: int, total: int, check_item: Check, key: Check | None
) -> int:
    try:
        if key is None:
            for i in range(count):  # noqa: B007 (the path of an error needs it)
                at = check_item(data, at, depth)
        else:
            for i in range(count):  # noqa: B007
                at = check_item(data, key(data, at, depth), depth)
    except BinaryDataError as error:
        error.path.append(total + i)
        raise
    except IndexError:
        raise TruncatedData(path=[total + i]) from None
    return at


def _too_deep(limit: int) -> BinaryDataError:
    return BinaryDataError("depth", f"the data is nested more than {limit} deep (setting avro.data_depth)")


def _no_bytes(data: bytes, at: int, depth: int) -> int:
    return at


def _boolean(data: bytes, at: int, depth: int) -> int:
    if data[at] > 1:
        raise BinaryDataError("boolean", "a boolean is a byte 0 or 1", str(data[at]))
    return at + 1


def _int(data: bytes, at: int, depth: int) -> int:
    if data[at] < 128:
        return at + 1
    value, at = varint(data, at)
    if not -(2**31) <= value < 2**31:
        raise BinaryDataError("int", "an int has at most 32 bits", str(value))
    return at


def _long(data: bytes, at: int, depth: int) -> int:
    if data[at] < 128:
        return at + 1
    return varint(data, at)[1]


def _ranged(allowed: range, name: str) -> Check:
    def check(data: bytes, at: int, depth: int) -> int:
        value, at = varint(data, at)
        if value not in allowed:
            raise BinaryDataError(name, f"a {name} is from 0 to {allowed.stop - 1}", str(value))
        return at

    return check


def _width(size: int) -> Check:
    def check(data: bytes, at: int, depth: int) -> int:
        end = at + size
        if end > len(data):
            raise TruncatedData
        return end

    return check


def _span(data: bytes, at: int) -> tuple[int, int]:
    """Start and end of the content of a string or bytes."""
    byte = data[at]
    if byte < 128:
        length = (byte >> 1) ^ -(byte & 1)
        at += 1
    else:
        length, at = varint(data, at)
    if length < 0:
        raise BinaryDataError("length", "a length is negative", str(length))
    end = at + length
    if end > len(data):
        raise TruncatedData(f"{length} bytes do not fit into the {len(data) - at} that are left")
    return at, end


def _string(fault: Callable[[str], str] | None) -> Check:
    def check(data: bytes, at: int, depth: int) -> int:
        start, end = _span(data, at)
        try:
            text = str(data[start:end], "utf-8")
        except UnicodeDecodeError as error:
            raise BinaryDataError("utf-8", f"a string is not valid UTF-8: {error.reason}") from None
        if fault is not None and (wrong := fault(text)):
            raise BinaryDataError("logical", wrong, text[:60])
        return end

    return check


def _bytes(fault: Callable[[bytes], str] | None) -> Check:
    def check(data: bytes, at: int, depth: int) -> int:
        start, end = _span(data, at)
        if fault is not None and (wrong := fault(data[start:end])):
            raise BinaryDataError("logical", wrong)
        return end

    return check


def _fixed(node: Fixed) -> Check:
    width, fault = _width(node.size), bytes_check(node.logical)
    if fault is None:
        return width

    def check(data: bytes, at: int, depth: int) -> int:
        end = width(data, at, depth)
        if wrong := fault(data[at:end]):
            raise BinaryDataError("logical", wrong)
        return end

    return check


def _enum(node: Enum) -> Check:
    count = len(node.symbols)

    def check(data: bytes, at: int, depth: int) -> int:
        index, at = varint(data, at)
        if not 0 <= index < count:
            raise BinaryDataError(
                "enum-symbol", f"{tag(node)} has {count} symbols; there is no symbol {index}", str(index)
            )
        return at

    return check


PRIMITIVE_CHECKS = {"boolean": _boolean, "int": _int, "long": _long, "float": _width(4), "double": _width(8)}


def _scalar(node: Node) -> Check:
    if node.kind == "string":
        return _string(text_check(node.logical))
    if node.kind == "bytes":
        return _bytes(bytes_check(node.logical))
    allowed = number_check(node.logical)
    if allowed is not None and node.logical is not None:
        return _ranged(allowed, node.logical.name)
    return PRIMITIVE_CHECKS[node.kind]
