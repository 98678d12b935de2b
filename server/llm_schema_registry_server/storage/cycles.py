"""Circles of subjects: whether new references would let a subject reach itself through what others use."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ..model.subject import Subject
from .store import ReadTx


async def find_cycle(tx: ReadTx, subject: Subject, targets: Collection[Subject]) -> Sequence[Subject] | None:
    """The way from the first of `targets` that leads back to `subject`, both included; None when there is none.

    A subject that `subject` uses already closes nothing: the circle, if any, is there.
    """
    if not targets:
        return None
    used = (await tx.uses([subject])).get(subject, frozenset())
    for target in dict.fromkeys(targets):
        if target == subject:
            return [target]
        if target not in used:
            way = await _way(tx, target, subject)
            if way is not None:
                return way
    return None


async def _way(tx: ReadTx, start: Subject, goal: Subject) -> Sequence[Subject] | None:
    """The shortest one along what subjects use; one step takes one question."""
    ways: dict[Subject, tuple[Subject, ...]] = {start: (start,)}
    frontier: Collection[Subject] = [start]
    while frontier:
        following: list[Subject] = []
        for user, used in (await tx.uses(frontier)).items():
            for other in sorted(used - ways.keys(), key=str):
                ways[other] = (*ways[user], other)
                following.append(other)
        if goal in ways:
            return ways[goal]
        frontier = following
    return None
