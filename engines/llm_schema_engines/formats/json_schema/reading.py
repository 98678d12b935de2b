"""A strict JSON reader: only what RFC 8259 allows, exact numbers, errors with line and column. Pure."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NoReturn

import orjson

from ...errors import SchemaIssue
from .positions import first_repeated_key, line_and_column, offsets

# A string that is not closed ends with the text: looking for its end from each quote in it would be quadratic.
_TEXTS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_PLAIN_TEXTS = re.compile(rb'"[^"]*+"?')
_OPENING = ord("[")
_SQUARE = bytes.maketrans(b"{}", b"[]")
_NO_MARKS = bytes(set(range(256)) - set(b'[]{}"\\'))
INEXACT = re.compile(rb"[0-9](?:[.eE]|[0-9]{18})")
"""Finds numbers that the fast parser would round, and matches inside strings too."""
_DIGITS = bytes.maketrans(b"123456789eE", b"000000000..")
_LONG = b"0" * 19
_LONG_DIGITS = 20
"""More characters than any number has in which INEXACT finds nothing, sign included."""
_UNREAD: Final = object()
_SHOWN = 200
"""Characters of a key in a message."""
_ESCAPED_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def has_inexact_number(content: bytes) -> bool:
    """Whether JSON text has a number that the fast parser might round: one that is not a short integer."""
    return _asked_twice(content) if len(content) <= _ASKED_TWICE else _has_inexact_number(content)


def _has_inexact_number(content: bytes) -> bool:
    digits = content.translate(_DIGITS)
    if b"0." not in digits and _LONG not in digits:
        return False  # most texts have nothing of the kind, not even inside of strings
    if b"\\" in content:
        return INEXACT.search(_TEXTS.sub(b"", content)) is not None
    outside = b'"'.join(digits.split(b'"')[::2])
    return b"0." in outside or _LONG in outside


_ASKED_TWICE = 64 * 1024
"""Texts up to this size are asked about by several, one after the other."""
_asked_twice = functools.lru_cache(maxsize=8)(_has_inexact_number)


class JsonReadError(Exception):
    """The text is not acceptable JSON; `issue` says why and where."""

    def __init__(self, issue: SchemaIssue) -> None:
        super().__init__(str(issue))
        self.issue = issue


class _DuplicateKey(ValueError):
    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


class _InvalidNumber(ValueError):
    pass


def nesting(content: bytes, limit: int) -> int:
    """An estimate of how deeply brackets nest in JSON text: it is greater than `limit` exactly when they nest deeper.

    Runs before any parser, so that nothing recurses on hostile input.
    """
    if content.count(b"[") + content.count(b"{") <= limit:
        return 0
    return exact_nesting(content, limit)


def exact_nesting(content: bytes, limit: int) -> int:
    """How deeply brackets nest, counted exactly up to `limit`; deeper nesting gives some number beyond it."""
    rest = _brackets(content)
    for depth in range(limit + 1):
        if not rest:
            return depth
        smaller = rest.replace(b"[]", b"")  # removes the innermost level everywhere at once
        if len(smaller) == len(rest):
            return depth + _max_nesting(rest, limit)  # unbalanced: not JSON, but still to be bounded
        rest = smaller
    return limit + 1


def _brackets(content: bytes) -> bytes:
    """The brackets outside of strings, all written as square ones."""
    marks = content.translate(_SQUARE, _NO_MARKS)
    if b"\\" in marks:
        marks = _TEXTS.sub(b"", content).translate(_SQUARE, _NO_MARKS)
    # Two adjacent quotes are an empty string, or the end of one string and the start of the next: both can go.
    marks = marks.replace(b'""', b"")
    if b'"' in marks:
        marks = _PLAIN_TEXTS.sub(b"", marks)
    return marks.translate(None, b'"\\')


def _max_nesting(brackets: bytes, limit: int) -> int:
    depth = deepest = 0
    for byte in brackets:
        depth += 1 if byte == _OPENING else -1
        if depth > deepest:
            deepest = depth
            if deepest > limit:
                break
    return deepest


def read(content: bytes, *, max_bytes: int, max_depth: int, max_digits: int, what: str = "schema") -> Any:
    """The JSON value that `content` spells: ints stay ints, other numbers are Decimal.

    Raises JsonReadError for a byte order mark, invalid UTF-8, a duplicate key, NaN, a lone surrogate, a number beyond
    `max_digits`, nesting beyond `max_depth` or a size beyond `max_bytes`. what: schema or data, whose settings errors name.
    """
    if len(content) > max_bytes:
        _fail(
            "json/size",
            f"is {len(content)} bytes long; the limit is {max_bytes} (setting limits.{what}_bytes)",
        )
    if (value := _read_fast(content, max_depth, max_digits)) is not _UNREAD:
        return value
    if not content.strip():
        _fail("json/syntax", "is empty; a JSON document is expected", line=1, column=1)
    if content.startswith(b"\xef\xbb\xbf"):
        _fail("json/bom", "starts with a byte order mark; send plain UTF-8", line=1, column=1)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line, column = line_and_column(content[: error.start].decode("utf-8"), error.start)
        _fail("json/utf-8", f"is not UTF-8: byte {error.start} is invalid", line=line, column=column)
    if (depth := nesting(content, max_depth)) > max_depth:
        _fail(
            "json/depth",
            f"nests brackets {depth} deep or more; the limit is {max_depth} (setting json_schema.{what}_depth)",
        )
    try:
        value = _decoder(max_digits).decode(text)
    except json.JSONDecodeError as error:
        _fail("json/syntax", error.msg, line=error.lineno, column=error.colno)
    except _DuplicateKey as error:
        pointer, offset = first_repeated_key(text)
        line, column = line_and_column(text, offset)
        _fail("json/duplicate-key", f"key {error.key[:_SHOWN]!r} occurs twice", pointer, line, column)
    except _InvalidNumber as error:
        _fail("json/number", str(error))
    if _ESCAPED_SURROGATE.search(content) and _has_lone_surrogate(value):
        _fail("json/surrogate", "a string holds half of a surrogate pair, which is not a character")
    return value


def _read_fast(content: bytes, max_depth: int, max_digits: int) -> Any:
    """What `read` returns for most texts, in a fraction of the time; _UNREAD when it has to look closer, and for all that it
    refuses."""
    if max_digits < _LONG_DIGITS or nesting(content, max_depth) > max_depth or has_inexact_number(content):
        return _UNREAD
    if b"\\u0022" in content:
        return _UNREAD  # a quote that is written otherwise
    try:
        value = orjson.loads(content)
    except orjson.JSONDecodeError:
        return _UNREAD
    # A member that another one of its name replaces takes its quotes along.
    return value if orjson.dumps(value).count(b'"') == content.count(b'"') else _UNREAD


@functools.lru_cache(maxsize=8)
def _decoder(max_digits: int) -> json.JSONDecoder:
    """The standard library's parser with further refusals."""

    def number(token: str) -> int | Decimal:
        if len(token) > max_digits:
            raise _InvalidNumber(
                f"a number has {len(token)} characters; the limit is {max_digits} (setting json_schema.number_digits)"
            )
        if "." not in token and "e" not in token and "E" not in token:
            return int(token)
        try:
            value = Decimal(token)
        except InvalidOperation:  # the exponent fits no machine word
            raise _InvalidNumber(
                f"the number {token} is out of range; the limit is 1e{max_digits} (setting json_schema.number_digits)"
            ) from None
        if not value:
            return Decimal(0)  # whatever its exponent
        if abs(value.adjusted()) > max_digits:
            raise _InvalidNumber(
                f"the number {token} is out of range; the limit is 1e{max_digits} (setting json_schema.number_digits)"
            )
        return value

    return json.JSONDecoder(
        parse_float=number, parse_int=number, parse_constant=_constant, object_pairs_hook=_unique
    )


def locate_all(content: bytes, pointers: Iterable[str]) -> dict[str, tuple[int, int]]:
    """Line and column, from 1, of the values at `pointers` in a document that `read` accepted; (0, 0) if absent."""
    wanted = set(pointers)
    if not wanted:
        return {}  # walking the text would be for nothing
    text = content.decode("utf-8")
    found = offsets(text, wanted)
    return {p: line_and_column(text, found[p]) if p in found else (0, 0) for p in wanted}


def _fail(rule: str, message: str, pointer: str = "", line: int = 0, column: int = 0) -> NoReturn:
    raise JsonReadError(SchemaIssue(rule, message, pointer, line, column))


def _constant(name: str) -> NoReturn:
    raise _InvalidNumber(f"{name} is not JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _DuplicateKey(key)
            seen.add(key)
    return out


def _has_lone_surrogate(value: Any) -> bool:
    if isinstance(value, str):
        return _LONE_SURROGATE.search(value) is not None
    if isinstance(value, list):
        return any(map(_has_lone_surrogate, value))
    if isinstance(value, dict):
        return any(_has_lone_surrogate(k) or _has_lone_surrogate(v) for k, v in value.items())
    return False
