"""Checks of what callers pass: each refusal is a TypeError or a ValueError that names the argument, what was expected and
the way out.
"""

from __future__ import annotations

import operator
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar
from uuid import UUID

T = TypeVar("T")

MOST_NUMBER = 2**31 - 1
"""The largest number that a field of the API holds."""
MOST_SECONDS = 1e9
"""The longest time that may be asked for: more is a mistake, and what reckons with it overflows."""

EXAMPLES = {
    "subject": "'orders'",
    "query": "'customer email'",
    "subject_pattern": "'orders.*'",
    "subject_prefix": "'shop.'",
    "prefix": "'shop.'",
    "context": "'.staging'",
    "version": "'1.2.0'",
    "description": "'What a customer ordered'",
    "reason": "'replaced by 2.0.0'",
    "page_token": "page.next_page_token",
    "message_name": "'shop.Order'",
    "default_dialect": "'https://json-schema.org/draft/2020-12/schema'",
    "from_revision": "change.revision",
}
"""Argument that takes a str -> what may be given, as it is written."""


def text(value: object, name: str, *, example: str = "") -> str:
    """A string that UTF-8 can express."""
    if not isinstance(value, str):
        example = example or EXAMPLES.get(name, "")
        example = f" such as {example}" if example else ""
        raise TypeError(f"{name}: a str{example} is expected, not {described(value)}")
    if not value.isascii():
        octets(value, name)
    return value


def octets(value: str, name: str) -> bytes:
    """A string in UTF-8. Raises ValueError for half of a surrogate pair, which no text holds."""
    try:
        return value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(
            f"{name}: character {error.start} is {value[error.start]!r}, half of a surrogate pair, which UTF-8 cannot express"
        ) from error


def boolean(value: object, name: str) -> bool:
    """True or False, and nothing that merely counts as one of them: "no" would be true."""
    if not isinstance(value, bool):
        raise TypeError(f"{name}: True or False is expected, not {described(value)}")
    return value


def integer(value: object, name: str, *, least: int = -MOST_NUMBER - 1, most: int = MOST_NUMBER) -> int:
    """A whole number from `least` to `most`, also one of numpy's."""
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)  # type: ignore[arg-type] # that is what is asked
    except TypeError:
        raise TypeError(f"{name}: an int such as 100 is expected, not {described(value)}") from None
    if not least <= number <= most:
        raise ValueError(f"{name} is {_shown(number)}; it must be between {least} and {most}")
    return number


def seconds(value: object, name: str = "timeout", *, least: float = 0.0) -> float:
    """A time from `least` to 1e9 seconds, and above 0."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name}: seconds as a number such as 2.5 are expected, not {described(value)}")
    if not (value > 0 and least <= value <= MOST_SECONDS):  # nan is neither
        above = f"between {least:g} and" if least else "greater than 0 and at most"
        raise ValueError(f"{name} is {_shown(value)} s; it must be {above} {MOST_SECONDS:g} seconds")
    return value


def identifier(value: object, name: str = "schema_id") -> str:
    """The id of a version: a string or a UUID."""
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, str):
        return text(value, name)
    hint = "; give its .id" if hasattr(value, "id") else ""
    raise TypeError(f"{name}: a str or a uuid.UUID is expected, not {described(value)}{hint}")


def selector(value: object, name: str = "version") -> str:
    """What selects a version: `latest`, a semantic version or a range as a string, an ordinal as a number."""
    if isinstance(value, str):
        return text(value, name)
    if isinstance(value, int) and not isinstance(value, bool):
        if not 1 <= value <= MOST_NUMBER:
            raise ValueError(
                f"{name}: {described(value)} is no ordinal; those are 1 to {MOST_NUMBER}, the first version is 1"
            )
        return str(value)
    raise TypeError(
        f"{name}: a str such as 'latest', '1.2.0' or '^1.2', or an ordinal, is expected, not {described(value)}"
    )


def many(values: Iterable[T], name: str, of: str) -> Iterable[T]:
    """Something to iterate over that is no string, no bytes and no mapping: those would be taken apart."""
    if isinstance(values, str | bytes | bytearray | memoryview):
        raise TypeError(
            f"{name}: a list of {of} is expected, not {described(values)}; write [{_shown(values)}]"
        )
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


class _Short(reprlib.Repr):
    """Representations that are short and fail for no value: deep and endless ones, numbers of too many digits."""

    maxlevel = 3
    maxstring = maxother = 60

    def repr_int(self, x: int, level: int) -> str:
        return repr(x) if x.bit_length() <= 200 else f"a number of {x.bit_length()} bits"


_shown = _Short().repr


def described(value: object) -> str:
    """A value as an error shows it: its type, and itself when it is short."""
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if value is None:
        return "None"
    shown = _shown(value)
    kind = type(value).__name__
    return f"the {kind} {shown}" if len(shown) <= 60 and not shown.startswith("<") else f"a {kind}"
