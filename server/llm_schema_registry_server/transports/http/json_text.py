"""JSON text to values and back, strictly, for bodies from anyone: bounded, and never long in one step of the interpreter.

The decoder of the standard library is one call in C, during which no other thread runs, the event loop's included: half
a second for a body of 12 MB that is nothing but brackets. Its twin in Python is slower, but gives way. Pure.
"""

from __future__ import annotations

import json
import math
import re
from json import scanner
from typing import Any, NoReturn

from ...errors import InvalidRequest
from .json_types import is_unicode

MOST_VALUES = 500_000
"""JSON values in one body (the default of http.max_values); each takes a hundred bytes or more once it is read."""
MOST_ESCAPES = 1_000_000
"""Backslashes in one body (the default of http.max_escapes)."""
"""Backslashes in one body: a text with many of them is read in one slow step."""

# So many values take C a few milliseconds.
_AT_ONCE = 20_000
# And so many a fraction of one.
_SMALL = 1_000
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[,\[{]', re.DOTALL)
_QUOTE = ord('"')
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")

# From the root to a value: the way to what holds it, and its name or index there.
_Steps = tuple["_Steps", str | int] | None


def decode(body: bytes, most_values: int = MOST_VALUES, most_escapes: int = MOST_ESCAPES) -> Any:
    """The JSON value of a body in UTF-8.

    Raises InvalidRequest for what RFC 8259 does not allow, a repeated key, a number beyond a double, half of a surrogate
    pair, and more than `most_values` values or `most_escapes` escapes.
    """
    if (escapes := body.count(b"\\")) > most_escapes:
        raise InvalidRequest(
            "",
            f"the body has {escapes} backslashes; the limit is {most_escapes} (http.max_escapes): write texts in plain UTF-8 or "
            "base64",
        )
    many = _count_values(body, _AT_ONCE) > _AT_ONCE
    if (many or most_values < _AT_ONCE) and _count_values(body, most_values) > most_values:
        raise InvalidRequest(
            "",
            f"the body has more than {most_values} JSON values, which is the limit (http.max_values): send large data or "
            "schemas as text or base64",
        )
    try:
        value = (_PATIENT if many else _QUICK).decode(body.decode("utf-8"))
        if _SURROGATE.search(body) and (place := _half_of_a_pair(value)) is not None:
            raise InvalidRequest(place, "holds half of a surrogate pair, which is no text")
        return value
    except (ValueError, RecursionError) as error:
        why = "is nested too deeply" if isinstance(error, RecursionError) else str(error)[:200]
        raise InvalidRequest("", f"the body is not JSON: {why}") from error


def encode(value: Any) -> str:
    """Compact JSON text of a value; of a large one in many small steps."""
    if _is_small(value):
        return _ENCODER.encode(value)  # one call in C
    return "".join(_ENCODER.iterencode(value))  # in Python


def _is_small(value: Any) -> bool:
    """Whether there are so few values in it that C writes them in less than a millisecond."""
    pending, seen = [value], 0
    while pending:
        item = pending.pop()
        if isinstance(item, (dict, list)):
            seen += len(item)
            if seen > _SMALL:
                return False
            pending.extend(item.values() if isinstance(item, dict) else item)
    return True


def _count_values(body: bytes, limit: int) -> int:
    """About how many values a body has, when they are not more than `limit`; else some number above it."""
    most = body.count(b",") + body.count(b"[") + body.count(b"{")
    if most <= limit:
        return most
    found = texts = 0
    for match in _TOKEN.finditer(body):
        if body[match.start()] == _QUOTE:
            texts += 1
        else:
            found += 1
        if found > limit or texts > 2 * limit + 2:  # each value has one text, and one more as its name
            return limit + 1
    return found


def _half_of_a_pair(value: Any) -> str | None:
    """The path of the first text or name that no encoding can carry; None when there is none."""
    pending: list[tuple[_Steps, Any]] = [(None, value)]
    while pending:
        place, item = pending.pop()
        if isinstance(item, str) and not is_unicode(item):
            return _path(place)
        if isinstance(item, dict):
            if broken := next((name for name in item if not is_unicode(name)), None):
                return _path((place, broken))
            pending.extend(((place, name), member) for name, member in item.items())
        elif isinstance(item, list):
            pending.extend(((place, i), member) for i, member in enumerate(item))
    return None


def _path(place: _Steps) -> str:
    """Names and indexes from the root, each cut to 100 characters. Made only for an answer: names can be long."""
    steps: list[str] = []
    while place is not None:
        place, step = place
        steps.append(f"[{step}]" if isinstance(step, int) else f".{step[:100]}")
    return "".join(reversed(steps)).removeprefix(".")


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) <= _AT_ONCE and len(tree := dict(pairs)) == len(pairs):
        return tree
    tree = {}
    for name, value in pairs:  # in Python: so many members at once would hold up all threads
        if name in tree:
            raise ValueError(f"the key {name[:100]!r} comes twice in one object")
        tree[name] = value
    return tree


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"the number {text[:50]} is out of range")
    return value


def _decoder() -> json.JSONDecoder:
    return json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_constant, parse_float=_float)


def _patient() -> json.JSONDecoder:
    decoder = _decoder()
    decoder.scan_once = scanner.py_make_scanner(decoder)  # type: ignore[attr-defined]  # the stubs leave it out
    return decoder


_QUICK, _PATIENT = _decoder(), _patient()
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
