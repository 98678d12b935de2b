"""What a registration does with content that the subject has already: one action for each state and goal. Pure."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..model.lifecycle import UNCHECKED, SchemaState
from ..model.schema import SchemaVersion
from .comparable import comparable_versions

S = SchemaState


class Action(enum.IntEnum):
    """In the order of preference, when several versions have the content."""

    ANSWER = 1
    """Answer with the version as it is."""
    REFUSE = 2
    """Raise TransitionRefused: somebody is at work on the version."""
    PROMOTE = 3
    """Move the version on to the goal, after the check that every registration passes unless it has passed it."""
    NEW_VERSION = 4
    """Register the content as if the version were not there."""


GOALS = (S.DRAFT, S.REGISTERED, S.ACTIVE)
"""What a registration may ask for: `as_draft`, `auto_activate = false`, and neither of them."""

_ANSWER, _REFUSE, _PROMOTE, _NEW = Action
ACTIONS: Mapping[SchemaState, tuple[Action, Action, Action]] = {
    S.DRAFT: (_ANSWER, _PROMOTE, _PROMOTE),
    S.VALIDATING: (_ANSWER, _PROMOTE, _PROMOTE),
    S.VALIDATION_FAILED: (_NEW, _NEW, _NEW),
    S.COMPATIBILITY_CHECK: (_ANSWER, _PROMOTE, _PROMOTE),
    S.INCOMPATIBLE_REJECTED: (_NEW, _NEW, _NEW),
    S.REGISTERED: (_ANSWER, _ANSWER, _PROMOTE),
    S.ACTIVE: (_ANSWER, _ANSWER, _ANSWER),
    S.DEPRECATED: (_ANSWER, _ANSWER, _ANSWER),
    S.ARCHIVED: (_NEW, _NEW, _NEW),
    S.ABANDONED: (_NEW, _NEW, _NEW),
    S.ROLLING_BACK: (_REFUSE, _REFUSE, _REFUSE),
}
"""By the state of a live version with the content: the action for each of GOALS. docs/lifecycle.md says why."""


@dataclass(frozen=True, slots=True)
class ExistingVersion:
    """A live version with the content of a registration, and what to do about it."""

    version: SchemaVersion
    action: Action


def existing_version(versions: Iterable[SchemaVersion], goal: SchemaState) -> ExistingVersion | None:
    """The one that a registration is about, among live versions with its content; None when it makes a new version.

    Of versions with the same action an ACTIVE one comes first, then a REGISTERED one, then the newest.
    """
    column = GOALS.index(goal)
    actions = ((ACTIONS[v.state][column], v) for v in versions)
    candidates = [ExistingVersion(v, action) for action, v in actions if action is not Action.NEW_VERSION]
    return min(candidates, key=_preference, default=None)


def _preference(candidate: ExistingVersion) -> tuple[int, bool, bool, int]:
    v = candidate.version
    return candidate.action, v.state is not S.ACTIVE, v.state is not S.REGISTERED, -v.ordinal


def overtaken(version: SchemaVersion, versions: Sequence[SchemaVersion]) -> bool:
    """Whether a version that is not checked yet is older than one that counts in checks: promoted, it would not become the
    latest, and the next registration would not be compared with it.

    versions: of its subject, by ordinal, or their digest.
    """
    newest = next(comparable_versions(versions), None)
    return version.state in UNCHECKED and newest is not None and newest.ordinal > version.ordinal
