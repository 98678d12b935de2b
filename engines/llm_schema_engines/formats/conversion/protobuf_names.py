"""Names that protoc takes beside each other. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ..protobuf.names import json_name
from . import names


def distinct_fields(wanted: Sequence[str], reserved: Collection[str]) -> list[str]:
    """Field names that resemble the wanted ones. No two have the same JSON name, which protoc refuses: `a_b` and `aB` do.

    reserved: names that only the field that wanted one may have.
    """
    out: list[str] = []
    taken: set[str] = set()
    for name in wanted:
        base = own = _identifier(name)
        number = 2
        while json_name(own) in taken or (own != name and own in reserved):
            own, number = f"{base}_n{number}", number + 1
        taken.add(json_name(own))
        out.append(own)
    return out


def _identifier(name: str) -> str:
    """A field name. protoc derives message names from it, so that no digit may follow leading underscores."""
    out = names.identifier(name)
    return f"f{out}" if out.lstrip("_")[:1].isdigit() else out


class EnumValues:
    """Gives out the names of the values of one enum. protoc refuses two that differ only in case and underscores once the
    name of the enum is taken off: `FOO_1` and `FOO1`. `free` has the names of the package, which they share."""

    def __init__(self, enum: str, free: names.UniqueNames) -> None:
        self._enum = enum.replace("_", "").lower()
        self._free = free
        self._taken: set[str] = set()

    def take(self, wanted: str) -> str:
        out, number = wanted, 2
        while not self._free.has_room(out) or self._bare(out) in self._taken:
            out, number = f"{wanted}_N{number}", number + 1
        self._taken.add(self._bare(out))
        return self._free.take(out)

    def _bare(self, value: str) -> str:
        plain = value.replace("_", "").lower()
        return plain.removeprefix(self._enum) or plain
