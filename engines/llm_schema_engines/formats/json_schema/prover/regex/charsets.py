"""Sets of characters as sorted, disjoint intervals of code points. Pure.

Two symbols beyond Unicode mark the beginning and the end of a text, so that `^` and `$` are ordinary symbols.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise

Charset = tuple[tuple[int, int], ...]

LAST = 0x10FFFF
BEGIN = LAST + 1
END = LAST + 2


def normalize(intervals: Iterable[tuple[int, int]]) -> Charset:
    """The same set with intervals sorted and merged."""
    out: list[tuple[int, int]] = []
    for low, high in sorted(intervals):
        if low > high:
            continue
        if out and low <= out[-1][1] + 1:
            out[-1] = (out[-1][0], max(high, out[-1][1]))
        else:
            out.append((low, high))
    return tuple(out)


def complement(charset: Charset) -> Charset:
    """All characters that are not in the set; never the two marks."""
    out: list[tuple[int, int]] = []
    start = 0
    for low, high in charset:
        if low > start:
            out.append((start, low - 1))
        start = high + 1
    if start <= LAST:
        out.append((start, LAST))
    return tuple(out)


def contains(charset: Charset, symbol: int) -> bool:
    place = bisect_right(charset, (symbol, END))
    return place > 0 and symbol <= charset[place - 1][1]


CHARACTERS: Charset = ((0, 0xD7FF), (0xE000, LAST))
"""Every character that a JSON text can hold: Unicode without surrogates."""
SYMBOLS: Charset = ((0, END),)
"""Every character and both marks."""

DIGIT: Charset = ((48, 57),)
WORD = normalize([(48, 57), (65, 90), (95, 95), (97, 122)])
SPACE = normalize(
    [
        (9, 13),
        (32, 32),
        (160, 160),
        (0x1680, 0x1680),
        (0x2000, 0x200A),
        (0x2028, 0x2029),
        (0x202F, 0x202F),
        (0x205F, 0x205F),
        (0x3000, 0x3000),
        (0xFEFF, 0xFEFF),
    ]
)
DOT = complement(((10, 10),))
"""What `.` matches in the validator: all but the line feed (ECMA-262 excludes three more)."""

_READABLE_CHARACTERS = {ord(c): rank for rank, c in enumerate("aA0b1-_x.z5 /:@")}
"""Characters that people like to see, with their rank."""


def representatives(charsets: Sequence[Charset]) -> list[int]:
    """One character of each equivalence class under the sets, readable characters first."""
    changes = {0: 0, LAST + 1: 0}  # where the sets begin and end that a bit each stands for
    for number, charset in enumerate(charsets):
        bit = 1 << number
        for low, high in charset:
            if low <= LAST:
                after = min(high, LAST) + 1
                changes[low] = changes.get(low, 0) ^ bit
                changes[after] = changes.get(after, 0) ^ bit
    points = sorted(changes)
    signatures: list[int] = []
    groups: dict[int, list[tuple[int, int]]] = {}
    signature = 0
    for low, after in pairwise(points):
        signature ^= changes[low]
        signatures.append(signature)
        groups.setdefault(signature, []).append((low, after - 1))
    chosen: dict[int, int] = {}
    for liked in _READABLE_CHARACTERS:
        chosen.setdefault(signatures[bisect_right(points, liked) - 1], liked)
    found = [chosen.get(signature) or _any_character(group) for signature, group in groups.items()]
    return sorted((c for c in found if c is not None), key=lambda c: _READABLE_CHARACTERS.get(c, 99 + c))


def _any_character(intervals: list[tuple[int, int]]) -> int | None:
    """A visible character of the intervals, or else one of the others; None when they hold only surrogates."""
    fallback = None
    for low, high in intervals:
        for start in (max(low, 33), low):
            if 0xD800 <= start <= 0xDFFF:
                start = 0xE000
            if start <= high:
                if start >= 33:
                    return start
                fallback = start if fallback is None else fallback
    return fallback
