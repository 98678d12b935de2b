"""A strict JSON reader: only what RFC 8259 allows, exact numbers, errors with line and column. Pure."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

from ...errors import SchemaIssue
from .pointers import join_pointer

_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"', re.DOTALL)
_SPACE = re.compile(r"[ \t\n\r]*")
_SCALAR = re.compile(r"[^,\]}\s]+")
_TEXTS = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_PLAIN_TEXTS = re.compile(rb'"[^"]*"')
_OPENING = ord("[")
_SQUARE = bytes.maketrans(b"{}", b"[]")
_NO_MARKS = bytes(set(range(256)) - set(b'[]{}"\\'))
INEXACT = re.compile(rb"[0-9](?:[.eE]|[0-9]{18})")
"""Finds numbers that the fast parser would round. Matches inside strings too, which only costs time."""
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


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


def read(content: bytes, *, max_bytes: int, max_depth: int, max_digits: int) -> Any:
    """The JSON value that `content` spells: ints stay ints, other numbers are Decimal.

    Raises JsonReadError for a byte order mark, invalid UTF-8, a duplicate key, NaN, a lone surrogate, a number beyond
    `max_digits`, nesting beyond `max_depth` or a size beyond `max_bytes`.
    """
    if len(content) > max_bytes:
        _fail("json/size", f"is {len(content)} bytes long; the limit is {max_bytes}")
    if not content.strip():
        _fail("json/syntax", "is empty; a JSON document is expected", line=1, column=1)
    if content.startswith(b"\xef\xbb\xbf"):
        _fail("json/bom", "starts with a byte order mark; send plain UTF-8", line=1, column=1)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line, column = _place(content[: error.start].decode("utf-8"), error.start)
        _fail("json/utf-8", f"is not UTF-8: byte {error.start} is invalid", line=line, column=column)
    if (depth := nesting(content, max_depth)) > max_depth:
        _fail("json/depth", f"nests brackets {depth} deep or more; the limit is {max_depth}")
    try:
        value = _decoder(max_digits).decode(text)
    except json.JSONDecodeError as error:
        _fail("json/syntax", error.msg, line=error.lineno, column=error.colno)
    except _DuplicateKey as error:
        pointer, offset = _find_duplicate(text)
        line, column = _place(text, offset)
        _fail("json/duplicate-key", f"key {error.key!r} occurs twice", pointer, line, column)
    except _InvalidNumber as error:
        _fail("json/number", str(error))
    if "\\u" in text and _has_lone_surrogate(value):
        _fail("json/surrogate", "a string holds half of a surrogate pair, which is not a character")
    return value


@functools.lru_cache(maxsize=8)
def _decoder(max_digits: int) -> json.JSONDecoder:
    """The standard library's parser with further refusals."""

    def number(token: str) -> int | Decimal:
        if len(token) > max_digits:
            raise _InvalidNumber(f"a number has {len(token)} characters; the limit is {max_digits}")
        if "." not in token and "e" not in token and "E" not in token:
            return int(token)
        try:
            value = Decimal(token)
        except InvalidOperation:  # the exponent fits no machine word
            raise _InvalidNumber(f"the number {token} is out of range; the limit is 1e{max_digits}") from None
        if not value:
            return Decimal(0)  # whatever its exponent
        if abs(value.adjusted()) > max_digits:
            raise _InvalidNumber(f"the number {token} is out of range; the limit is 1e{max_digits}")
        return value

    return json.JSONDecoder(
        parse_float=number, parse_int=number, parse_constant=_constant, object_pairs_hook=_unique
    )


def locate(content: bytes, pointer: str) -> tuple[int, int]:
    """Line and column, from 1, of the value at `pointer` in a document that `read` accepted; (0, 0) if absent."""
    text = content.decode("utf-8")
    offset = _offsets(text).get(pointer)
    return (0, 0) if offset is None else _place(text, offset)


def locate_all(content: bytes, pointers: Iterable[str]) -> dict[str, tuple[int, int]]:
    """`locate` for many pointers, with one walk over the document."""
    text = content.decode("utf-8")
    offsets = _offsets(text)
    return {p: _place(text, offsets[p]) if p in offsets else (0, 0) for p in pointers}


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


def _place(text: str, offset: int) -> tuple[int, int]:
    line_start = text.rfind("\n", 0, offset) + 1
    return text.count("\n", 0, offset) + 1, offset - line_start + 1


def _has_lone_surrogate(value: Any) -> bool:
    if isinstance(value, str):
        return _LONE_SURROGATE.search(value) is not None
    if isinstance(value, list):
        return any(map(_has_lone_surrogate, value))
    if isinstance(value, dict):
        return any(_has_lone_surrogate(k) or _has_lone_surrogate(v) for k, v in value.items())
    return False


def _offsets(text: str) -> dict[str, int]:
    """Pointer -> offset of each value; of values behind a duplicate key, the first."""
    out: dict[str, int] = {}
    _walk(text, out, stop_at_duplicate=False)
    return out


def _find_duplicate(text: str) -> tuple[str, int]:
    found = _walk(text, {}, stop_at_duplicate=True)
    return ("", 0) if found is None else found


def _walk(text: str, out: dict[str, int], *, stop_at_duplicate: bool) -> tuple[str, int] | None:
    """Scan well-formed JSON without recursion, noting where each value starts."""
    stack: list[tuple[str, set[str] | int]] = []  # (pointer of the container, keys seen or next index)
    pointer, i = "", 0
    while i < len(text):
        i = _end(_SPACE, text, i)
        if i >= len(text):
            break
        char = text[i]
        if char in ",":
            i += 1
            continue
        if char in "]}":
            stack.pop()
            i += 1
            continue
        if stack:
            container, state = stack.pop()
            if isinstance(state, set):
                end = _end(_STRING, text, i)
                key = json.loads(text[i:end])
                pointer = join_pointer(container, key)
                if stop_at_duplicate and key in state:
                    return pointer, i
                state.add(key)
                stack.append((container, state))
                i = _end(_SPACE, text, _end(_SPACE, text, end) + 1)  # over the colon
            else:
                pointer = join_pointer(container, state)
                stack.append((container, state + 1))
        out.setdefault(pointer, i)
        char = text[i]
        if char in "[{":
            stack.append((pointer, set() if char == "{" else 0))
            i += 1
        elif char == '"':
            i = _end(_STRING, text, i)
        else:
            i = _end(_SCALAR, text, i)
    return None


def _end(pattern: re.Pattern[str], text: str, start: int) -> int:
    match = pattern.match(text, start)
    return match.end() if match else start + 1
