"""The results of a search for a value. Pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any


class NoValue(enum.Enum):
    """No value was found. IMPOSSIBLE: it is proved that there is none. UNKNOWN: there may be one."""

    IMPOSSIBLE = "impossible"
    UNKNOWN = "unknown"


IMPOSSIBLE = NoValue.IMPOSSIBLE
UNKNOWN = NoValue.UNKNOWN


@dataclass(frozen=True, slots=True)
class FoundValue:
    """A candidate value. It satisfies everything that the prover models; only the validator can confirm it."""

    value: Any


SearchResult = FoundValue | NoValue


class OutOfBudget(Exception):
    """The steps or the time of a proof are used up."""
