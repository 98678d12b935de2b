"""What differs between two schemas, for people."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class DifferenceKind(enum.IntEnum):
    """Numbers are those of the wire. WIDENED: more data is valid than before; NARROWED: less; CHANGED: neither
    includes the other, or only the meaning for people changed."""

    ADDED = 1
    REMOVED = 2
    WIDENED = 3
    NARROWED = 4
    CHANGED = 5


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference: where (a JSON pointer, or a dotted name), what stands on both sides, and a sentence."""

    kind: DifferenceKind
    path: str
    message: str
    old_value: str = ""
    new_value: str = ""


@dataclass(frozen=True, slots=True)
class Differences:
    """All differences of a pair, in the order of their places. `truncated`: there are more than fit."""

    items: tuple[Difference, ...] = ()
    truncated: bool = False
