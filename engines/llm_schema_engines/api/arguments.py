"""What callers may write for schemas, data and enumerations, turned into what the engines take. Pure."""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

Json: TypeAlias = Mapping[str, Any] | Sequence[Any] | bool | int | float | None
"""A JSON value; a bare string is not one here, because `str` is taken as text that is encoded already."""

Data: TypeAlias = bytes | str | Json
"""A payload: bytes or text, taken as they are, or a JSON value."""

E = TypeVar("E", bound=enum.Enum)


def schema_bytes(value: object, name: str = "schema") -> bytes:
    """The bytes of a schema; raises TypeError for what is neither bytes nor text."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    raise TypeError(
        f"{name}: bytes, str or a Schema is expected, not {type(value).__name__}; "
        "write a JSON value as text with json.dumps, and read a file with Path(...).read_bytes()"
    )


def data_bytes(value: object) -> bytes:
    """The bytes of a payload; raises TypeError or ValueError for a value that JSON cannot express."""
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode("utf-8")


def member(kind: type[E], value: object) -> E:
    """The member of `kind` that is given itself, by its name in any case, or by its value.

    Raises ValueError naming the choices. Members of the SDK's enumerations count by their numbers.
    """
    if isinstance(value, kind):
        return value
    if isinstance(value, str):
        found = kind.__members__.get(value.strip().upper().replace("-", "_"))
        if found is not None:
            return found
    elif isinstance(value, int) and not isinstance(value, bool):
        for item in kind:
            if item.value == value:
                return item
    raise ValueError(f"{value!r} is no {kind.__name__}; use one of {', '.join(kind.__members__)}")
