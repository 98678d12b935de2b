"""Names as Protobuf derives and qualifies them. Pure."""

from __future__ import annotations


def json_name(field: str) -> str:
    """The JSON name that protoc derives: `_x` becomes `X` (docs: protobuf.dev/programming-guides/json)."""
    head, *parts = field.split("_")
    return head + "".join(part[:1].upper() + part[1:] for part in parts)


def join(scope: str, name: str) -> str:
    """`scope.name`, or `name` in the unnamed scope."""
    return f"{scope}.{name}" if scope else name


def short(full_name: str) -> str:
    """The last part of a qualified name."""
    return full_name.rpartition(".")[2]
