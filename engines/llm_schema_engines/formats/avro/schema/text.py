"""Reads JSON text strictly (RFC 8259), and finds the line and column of a path.

The standard library's scanner reads the text at C speed; lines and columns are looked up only for issues. Pure.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any

Json = Any  # a JSON value: dict, list, str, int, float, bool or None
Path = tuple[str | int, ...]

MAX_DIGITS = 400  # digits; the largest double has 309
COMMENT = re.compile(r'"(?:[^"\\]|\\.|\\\Z)*(?:"|\Z)|//[^\n]*|/\*.*?(?:\*/|\Z)', re.DOTALL)
"""A string or a comment; one that is not closed reaches to the end, so that each character is looked at once."""
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+', re.DOTALL)


class InvalidJsonText(Exception):
    """The text is not strict JSON. `line` and `column` are 1-based, 0 when unknown; `deep`: it is nested too deeply."""

    def __init__(self, message: str, line: int = 0, column: int = 0, *, deep: bool = False) -> None:
        super().__init__(message)
        self.message, self.line, self.column, self.deep = message, line, column, deep


def read(content: bytes, *, comments: bool = False) -> tuple[Json, str, bool]:
    """The value of strict JSON text, the text, and whether an object repeats a key (the last value is taken).

    comments: whether the text may have comments as in Java; in the text that is returned they are blanks.
    Refuses what RFC 8259 does not allow (NaN, a byte order mark) and numbers that no double can hold.
    Raises InvalidJsonText.
    """
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - (content.rfind(b"\n", 0, error.start) + 1) + 1
        raise InvalidJsonText(f"byte {error.start} is not valid UTF-8", line, column) from None
    if text.startswith("\ufeff"):
        raise InvalidJsonText("the text starts with a byte order mark; remove it", 1, 1)
    if comments and "/" in text:
        text = COMMENT.sub(_blank, text)
    repeated = False

    def members(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
        nonlocal repeated
        value = dict(pairs)
        if len(value) != len(pairs):
            repeated = True
        return value

    decoder = json.JSONDecoder(
        object_pairs_hook=members, parse_float=_float, parse_int=_int, parse_constant=_constant
    )
    try:
        value = decoder.decode(text)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()
        return value, text, repeated
    except UnicodeEncodeError:
        raise InvalidJsonText("a string escapes half of a surrogate pair, which is no character") from None
    except json.JSONDecodeError as error:
        what = "the text is empty" if not text.strip() else f"not valid JSON: {error.msg}"
        raise InvalidJsonText(what, error.lineno, error.colno) from None
    except RecursionError:
        raise InvalidJsonText("the JSON text is nested too deeply", deep=True) from None


def has_comments(content: bytes) -> bool:
    """Whether a text that is not JSON would be with comments allowed."""
    try:
        read(content, comments=True)
    except InvalidJsonText:
        return False
    return True


def _blank(found: re.Match[str]) -> str:
    """Blanks in place of a comment, so that what follows keeps its line and column; a string as it is."""
    token = found.group()
    if token[0] == '"' or (token.startswith("/*") and not (len(token) > 3 and token.endswith("*/"))):
        return token
    return "".join(["\n" if character == "\n" else " " for character in token])


def _int(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise InvalidJsonText(f"a number has {len(digits)} digits; the limit is {MAX_DIGITS}")
    return int(digits)


def _float(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise InvalidJsonText(f"the number {digits[:40]} is too large for a double")
    return value


def _constant(name: str) -> float:
    raise InvalidJsonText(f"{name} is not JSON")


def clip(shown: str, longest: int = 500) -> str:
    """A text for people, cut to `longest` characters: names and keys come from whoever sent the schema or the data."""
    return shown if len(shown) <= longest else shown[: longest - 3] + "..."


def pointer(path: Path) -> str:
    """The JSON pointer (RFC 6901) of a path; cut where keys make it longer than 1,000 characters."""
    return clip("".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path), 1000)


def locate(text: str, wanted: set[Path]) -> dict[Path, tuple[int, int]]:
    """Line and column (1-based) of the values at the wanted paths; `text` is valid JSON."""
    offsets: dict[Path, int] = {}
    for _, path, offset in _walk(text):
        if (found := tuple(path)) in wanted:
            offsets[found] = offset
            if len(offsets) == len(wanted):
                break
    return {path: place(text, offset) for path, offset in offsets.items()}


def repeated_keys(text: str, limit: int) -> list[tuple[Path, tuple[int, int]]]:
    """The first `limit` object members whose key stood in the same object before, with line and column."""
    out: list[tuple[Path, tuple[int, int]]] = []
    for repeated, path, offset in _walk(text):
        if repeated:
            out.append((tuple(path), place(text, offset)))
            if len(out) == limit:
                break
    return out


def place(text: str, offset: int) -> tuple[int, int]:
    """Line and column, 1-based, of an offset."""
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def _walk(text: str) -> Iterator[tuple[bool, list[str | int], int]]:
    """Every value of valid JSON text: (whether its key is repeated, its path as a live list, its offset)."""
    path: list[str | int] = []
    keys: list[set[str] | None] = []  # per open container: the keys seen, None for an array
    repeated, key_next = False, False
    for match in TOKEN.finditer(text):
        token = match.group()
        if token in "}]":
            keys.pop()
            if path and len(path) > len(keys):
                path.pop()
            key_next = False
        elif token == ",":
            seen = keys[-1]
            if seen is None:
                last = path[-1]
                assert isinstance(last, int)
                path[-1] = last + 1
            key_next = seen is not None
        elif token == ":":
            pass
        elif key_next:
            seen, key = keys[-1], str(json.loads(token))
            assert seen is not None
            repeated = key in seen
            seen.add(key)
            del path[len(keys) - 1 :]
            path.append(key)
            key_next = False
        else:
            yield repeated, path, match.start()
            repeated = False
            if token == "{":
                keys.append(set())
                key_next = True
            elif token == "[":
                keys.append(None)
                path.append(0)
