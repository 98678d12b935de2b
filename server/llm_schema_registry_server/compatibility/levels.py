"""What a compatibility level asks: in which directions, against which versions. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from ..model.compatibility import CompatibilityLevel, Direction
from ..model.lifecycle import EVER_REGISTERED
from ..model.schema import SchemaVersion

L = CompatibilityLevel
BACKWARD, FORWARD = (Direction.BACKWARD,), (Direction.FORWARD,)


@dataclass(frozen=True, slots=True)
class Demand:
    """The directions a level asks about, and whether against every version that counts or only the newest."""

    directions: tuple[Direction, ...]
    transitive: bool


DEMANDS: Mapping[CompatibilityLevel, Demand] = {
    L.BACKWARD: Demand(BACKWARD, transitive=False),
    L.FORWARD: Demand(FORWARD, transitive=False),
    L.FULL: Demand(BACKWARD + FORWARD, transitive=False),
    L.BACKWARD_TRANSITIVE: Demand(BACKWARD, transitive=True),
    L.FORWARD_TRANSITIVE: Demand(FORWARD, transitive=True),
    L.FULL_TRANSITIVE: Demand(BACKWARD + FORWARD, transitive=True),
    L.NONE: Demand((), transitive=False),
}


def counting(versions: Sequence[SchemaVersion]) -> Iterator[SchemaVersion]:
    """The versions that checks run against, newest first: live, and registered at some time.

    versions: by ordinal, as every store lists them.
    """
    return (v for v in reversed(versions) if v.deleted_at is None and v.state in EVER_REGISTERED)


def versions_to_compare(level: CompatibilityLevel, versions: Sequence[SchemaVersion]) -> list[SchemaVersion]:
    """The versions of a subject that `level` compares a new schema with, newest first."""
    demand = DEMANDS[level]
    if not demand.directions:
        return []
    return list(counting(versions) if demand.transitive else islice(counting(versions), 1))
