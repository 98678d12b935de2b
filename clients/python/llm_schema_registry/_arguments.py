"""Checks of what callers pass: each refusal is a TypeError that names the argument, what was expected and the way out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar
from uuid import UUID

T = TypeVar("T")


def text(value: object, name: str) -> str:
    """A string."""
    if not isinstance(value, str):
        raise TypeError(f"{name}: a str is expected, not {described(value)}")
    return value


def identifier(value: object, name: str = "schema_id") -> str:
    """The id of a version: a string or a UUID."""
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, str):
        return value
    hint = "; give its .id" if hasattr(value, "id") else ""
    raise TypeError(f"{name}: a str or a uuid.UUID is expected, not {described(value)}{hint}")


def selector(value: object, name: str = "version") -> str:
    """What selects a version: `latest`, a semantic version or a range as a string, an ordinal as a number."""
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        return str(value)
    raise TypeError(
        f"{name}: a str such as 'latest', '1.2.0' or '^1.2', or an ordinal, is expected, not {described(value)}"
    )


def many(values: Iterable[T], name: str, of: str) -> Iterable[T]:
    """Something to iterate over that is no string, no bytes and no mapping: those would be taken apart."""
    if isinstance(values, str | bytes | bytearray | memoryview):
        raise TypeError(f"{name}: a list of {of} is expected, not {described(values)}; write [{values!r}]")
    if isinstance(values, Mapping):
        raise TypeError(f"{name}: a list of {of} is expected, not {described(values)}; write [{{...}}]")
    if not isinstance(values, Iterable):
        raise TypeError(f"{name}: a list of {of} is expected, not {described(values)}")
    return values


def texts(values: Iterable[str], name: str) -> list[str]:
    """A list of strings."""
    return [text(value, f"{name}[{i}]") for i, value in enumerate(many(values, name, "str"))]


def text_map(values: Mapping[str, str] | None, name: str) -> Mapping[str, str] | None:
    """A mapping of strings to strings, or None."""
    if values is None:
        return None
    if not isinstance(values, Mapping):
        raise TypeError(f"{name}: a mapping of str to str is expected, not {described(values)}")
    for key, value in values.items():
        text(key, f"a key of {name}")
        text(value, f"{name}[{key!r}]")
    return values


def header_pairs(values: Sequence[tuple[str, T]] | Mapping[str, T], name: str) -> tuple[tuple[str, T], ...]:
    """Pairs of a name and a value, which may be given as a mapping."""
    given = values.items() if isinstance(values, Mapping) else many(values, name, "(name, value) pairs")
    pairs = []
    for i, pair in enumerate(given):
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise TypeError(f"{name}[{i}]: a (name, value) pair is expected, not {described(pair)}")
        key, value = pair
        pairs.append((text(key, f"{name}[{i}][0]"), value))
    return tuple(pairs)


def described(value: object) -> str:
    """A value as an error shows it: its type, and itself when it is short."""
    if isinstance(value, type):
        return f"the class {value.__name__}"
    shown = repr(value)
    kind = type(value).__name__
    return "None" if value is None else f"the {kind} {shown}" if len(shown) <= 60 else f"a {kind}"
