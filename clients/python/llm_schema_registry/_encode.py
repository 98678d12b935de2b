"""From what callers write to what the wire takes: content, data, enumerations, references."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from .enums import WireEnum
from .results import SchemaReference
from .v1 import schema_registry_pb2 as pb

Json: TypeAlias = Mapping[str, Any] | Sequence[Any] | bool | int | float | None
"""A JSON value; a bare string is not one here, because `str` is taken as text that is encoded already."""

Content: TypeAlias = str | bytes | Mapping[str, Any] | Sequence[Any] | bool
"""A schema: its text or bytes, sent as they are, or a JSON value, written compactly with its keys in order."""

Data: TypeAlias = str | bytes | Json
"""A payload: text or bytes, sent as they are, or a JSON value."""


def octets(value: Content | Data) -> bytes:
    """The bytes to send for a schema or a payload. Raises TypeError for a value that JSON cannot express."""
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    if isinstance(value, str):
        return value.encode("utf-8")
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode("utf-8")


def number(kind: type[WireEnum], value: WireEnum | str | int | None) -> Any:
    """What an enum field takes for a member, its name in any case, or its number; None leaves the field unset.

    Any, because the stubs give each enum a type of its own that no value from outside has. Raises ValueError naming
    the choices.
    """
    if value is None:
        return None
    try:
        return kind(value)  # type: ignore[arg-type]  # names are accepted by WireEnum._missing_
    except ValueError:
        names = ", ".join(m.name for m in kind if m)
        raise ValueError(f"{value!r} is no {kind.__name__}; use one of {names}") from None


def reference_messages(values: Iterable[SchemaReference]) -> list[pb.SchemaReference]:
    """The references of a schema; the fields of answers are left out."""
    return [pb.SchemaReference(name=r.name, subject=r.subject, version=r.version) for r in values]
