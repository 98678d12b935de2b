"""What parsing a schema and its quick lint rules take at most, told before it is done or while it goes on. Pure.

A thread whose other work must not wait parses what is surely cheap, however large it is, and leaves the rest to another process.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from time import thread_time

from ..engine import SchemaSource
from .patterns import weight

LARGEST = 64 * 1024
"""Bytes of a schema and its references that are looked at."""
_OBJECT, _ARRAY, _MEMBER, _ITEM, _BYTE = 6_000, 6_000, 3_000, 4_000, 20
"""Nanoseconds for each brace, bracket, colon, comma and byte: what the dearest subschema and the dearest value of these take."""
_POINTED = 0.5
"""For each byte below each brace: long names are written once more for each subschema."""
_REFERENCE, _STEP = 20_000, 2_500
"""For each reference, and for each step of a path."""
_IDENTIFIER, _IDENTIFIER_BYTE = 15_000, 15
"""For each identifier, and for each byte that it may make the URIs below it longer."""
_TRIED = 60_000
"""For each default and each list of examples: its subschema is compiled, and the value validated."""
_FRACTION = 8_000
"""For each number that is no short integer."""
_LONGEST_URI = 2048
_LISTED = 256
"""Bytes of a schema whose errors are listed."""
_PATTERN_CHARACTER, _PATTERN_STATE = 4_000, 1_500
"""For each character of a regular expression, and for each state that it compiles to."""
_PROPERTIES_OF_CHARACTERS = re.compile(r"\\[pP]")
"""Classes that are far dearer than their weight tells."""


class TooDear(Exception):
    """It may take longer than the caller is ready to wait."""


def text_cost(source: SchemaSource) -> float:
    """Nanoseconds of processor time that parsing takes at most, without regular expressions and without what `Limit` breaks off."""
    return sum(map(_cost, source.texts()))


def _cost(text: bytes) -> float:
    objects = text.count(b"{")
    cost: float = objects * _OBJECT + text.count(b"[") * _ARRAY + text.count(b":") * _MEMBER
    cost += text.count(b",") * _ITEM + len(text) * (_BYTE + objects * _POINTED)
    escapes = (
        text.count(b"\\u00") - text.count(b"\\u00e") - text.count(b"\\u00f")
    )  # a letter of ASCII could hide a keyword
    if b"Ref" in text or b"$ref" in text or escapes:
        cost += (text.count(b"$") + escapes) * _REFERENCE + text.count(b"/") * _STEP
    identifiers = text.count(b'"$id"') + text.count(b'"id"') + escapes
    cost += identifiers * (_IDENTIFIER + min(len(text), _LONGEST_URI) * _IDENTIFIER_BYTE)
    cost += (text.count(b'"default"') + text.count(b'"examples"')) * _TRIED
    return cost + text.count(b".") * _FRACTION


class Limit:
    """Processor seconds that a call of `parse` may take, to be asked between its steps. No step is interrupted: `text_cost` and
    `admit_patterns` bound each."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._end = seconds, thread_time() + seconds

    def check(self) -> None:
        """Raises TooDear when they are used up."""
        if thread_time() > self._end:
            raise TooDear

    def admit_patterns(self, patterns: Sequence[tuple[str, str]]) -> None:
        """Raises TooDear when compiling these regular expressions may take longer. patterns: each with its pointer."""
        if not patterns:
            return
        distinct = {pattern for pattern, _ in patterns}
        cost = sum(map(len, distinct)) * _PATTERN_CHARACTER
        if cost > self._seconds * 1e9 or any(map(_PROPERTIES_OF_CHARACTERS.search, distinct)):
            raise TooDear
        if cost + sum(map(weight, distinct)) * _PATTERN_STATE > self._seconds * 1e9:
            raise TooDear

    def admit_listing(self, size: int) -> None:
        """Raises TooDear when listing what is wrong with a schema of `size` bytes may take longer: the library makes every error, with
        a copy of the value."""
        if size > _LISTED:
            raise TooDear
