"""What callers may write for schemas, data and enumerations, turned into what the engines take. Pure."""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

from ..model.compatibility import CompareOptions, Strictness, WriterModel

Json: TypeAlias = Mapping[str, Any] | Sequence[Any] | bool | int | float | None
"""A JSON value; a bare string is not one here, because `str` is taken as text that is encoded already."""

Data: TypeAlias = bytes | str | Json
"""A payload: bytes or text, taken as they are, or a JSON value."""

E = TypeVar("E", bound=enum.Enum)
T = TypeVar("T")

_SHOWN = 60
"""Characters of a wrong value in a message."""


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
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return text.encode("utf-8")
    except TypeError as error:
        raise TypeError(f"data: {error}") from error
    except UnicodeEncodeError as error:
        raise ValueError("data: a text holds half of a surrogate pair, which is no character") from error
    except ValueError as error:  # NaN, or a value that holds itself
        raise ValueError(f"data: {error}") from error
    except RecursionError as error:
        raise ValueError("data: is nested too deeply") from error


def expect(kind: type[T], value: object, name: str) -> T:
    """The value; raises TypeError, naming the argument, when it is of another type."""
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise TypeError(f"{name}: {_kind(kind)} is expected, not {_shown(value)}")
    return value


def plain_text(value: object, name: str) -> str:
    """The text; raises TypeError for another value, and ValueError for half of a surrogate pair."""
    text = expect(str, value, name)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{name}: holds half of a surrogate pair, which is no character") from None
    return text


def compare_options(value: object) -> CompareOptions:
    """The options of a comparison; raises TypeError, naming the field that is of another type."""
    options = expect(CompareOptions, value, "options")
    expect(Strictness, options.strictness, "options.strictness")
    expect(WriterModel, options.writer_model, "options.writer_model")
    expect(bool, options.apply_defaults, "options.apply_defaults")
    return options


def _kind(kind: type) -> str:
    return {str: "a str", bool: "True or False", int: "an int"}.get(kind, kind.__name__)


def _shown(value: object) -> str:
    text = repr(value) if isinstance(value, str | int | float | None) else type(value).__name__
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


def member(kind: type[E], value: object, name: str) -> E:
    """The member of `kind` that is given itself, by its name in any case, or by its value.

    Raises ValueError naming the argument and the choices. Members of the SDK's enumerations count by their numbers.
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
    choices = ", ".join(kind.__members__)
    raise ValueError(f"{name}: {_shown(value)} is no {kind.__name__}; use one of {choices}")
