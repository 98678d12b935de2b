"""The rule that no subject uses itself, directly or through others, with all versions that they have
(docs/decisions/0003-no-circle-of-subjects.md).

This is the only walk over subjects in Python. PostgreSQL asks the same again at COMMIT, in the trigger of migration 0009, for
only the database sees what others commit at the same moment; an import brings what was there and asks nobody.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ..model.subject import Subject
from .protocols.search import SearchRead


async def find_cycle(
    tx: SearchRead, subject: Subject, targets: Collection[Subject]
) -> Sequence[Subject] | None:
    """The path from the first of `targets` that leads back to `subject`, both included; None when there is none.

    A subject that `subject` uses already closes nothing: the cycle, if any, is there.
    """
    if not targets:
        return None
    used = (await tx.uses([subject])).get(subject, frozenset())
    for target in dict.fromkeys(targets):
        if target == subject:
            return [target]
        if target not in used:
            path = await _shortest_path(tx, target, subject)
            if path is not None:
                return path
    return None


async def _shortest_path(tx: SearchRead, start: Subject, goal: Subject) -> Sequence[Subject] | None:
    """Along what subjects use, breadth first; one step takes one question."""
    paths: dict[Subject, tuple[Subject, ...]] = {start: (start,)}
    frontier: Collection[Subject] = [start]
    while frontier:
        following: list[Subject] = []
        for user, used in (await tx.uses(frontier)).items():
            for other in sorted(used - paths.keys(), key=str):
                paths[other] = (*paths[user], other)
                following.append(other)
        if goal in paths:
            return paths[goal]
        frontier = following
    return None
