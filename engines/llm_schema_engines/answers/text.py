"""JSON tokens in a text that arrives in pieces. Pure."""

from __future__ import annotations

import json
import re

KEY = re.compile(r'[ \t\n\r]*"([^"\\\x00-\x1f]*)"[ \t\n\r]*:[ \t\n\r]*')
"""A name without escapes, its colon and the white space around."""
TEXT = re.compile(r'"([^"\\\x00-\x1f]*)"')
"""A string without escapes."""
NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?(?=[ \t\n\r,\]}])")
"""A number and a look at what ends it."""
WHOLE_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
NUMBER_PART = re.compile(
    r"-?(?:(?:0|[1-9][0-9]*)(?:\.(?:[0-9]+(?:[eE](?:[-+]?[0-9]*)?)?)?|[eE](?:[-+]?[0-9]*)?)?)?"
)
"""The beginning of a number."""
AFTER = re.compile(r"[ \t\n\r]*([,}\]])[ \t\n\r]*")
SPACE = re.compile(r"[ \t\n\r]*")
BODY = re.compile(r'[^"\\\x00-\x1f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*)*')
"""What may stand inside of a string, as far as it is complete."""
ESCAPE_PART = re.compile(r"\\(?:u[0-9a-fA-F]{0,3})?")
"""The beginning of an escape."""
LITERALS = {"t": ("true", True), "f": ("false", False), "n": ("null", None)}

_HIGH = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}$")
_HIGH_UNIT = re.compile(r"\\u[dD][89abAB]")
_LOW_UNIT = re.compile(r"\\u[dD][c-fC-F]")
_UNIT = re.compile(r"\\u[0-9a-fA-F]{4}|\\.|[^\\]", re.DOTALL)


class LoneSurrogate(ValueError):
    """A string holds half of a surrogate pair; `end` is the number of characters up to where that is certain."""

    def __init__(self, end: int) -> None:
        super().__init__(end)
        self.end = end


def held_back(raw: str) -> int:
    """Characters at the end of the inside of a string that wait for the other half of a surrogate pair.

    A backslash before the escape makes it a text of its own, so units are counted where one may stand there.
    """
    if "\\" not in raw[-6:]:
        return 0
    found = _HIGH.search(raw)
    if found is None:
        return 0
    before = found.start()
    backslashes = 0
    while before > backslashes and raw[before - backslashes - 1] == "\\":
        backslashes += 1
    return 0 if backslashes % 2 else 6


def decode(raw: str) -> str:
    """The text of the inside of a string; raises LoneSurrogate."""
    if "\\" not in raw:
        return raw
    text: str = json.loads(f'"{raw}"')
    if "\\u" in raw:
        _check_surrogates(raw)
    return text


def decode_beginning(raw: str) -> str:
    """The text of the beginning of the inside of a string: as much of it as is certain."""
    found = BODY.match(raw)
    whole = "" if found is None else found.group()
    wait = held_back(whole)
    return decode(whole[:-wait] if wait else whole)


def _check_surrogates(raw: str) -> None:
    high = False
    for unit in _UNIT.finditer(raw):
        low = _LOW_UNIT.match(unit.group()) is not None
        if low is not high:
            raise LoneSurrogate(unit.end())
        high = _HIGH_UNIT.match(unit.group()) is not None
    if high:
        raise LoneSurrogate(len(raw) + 1)
