"""The version that a selector chooses, or what there is instead. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..errors import SubjectNotFound, VersionNotFound
from ..errors.missing import way_to_undelete
from ..model.lifecycle import SchemaState, allowed_from
from ..model.schema import SchemaVersion
from ..model.selection import choose
from ..model.selector import Latest, Selector
from ..model.subject import Subject


def choose_or_raise(subject: Subject, versions: Sequence[SchemaVersion], selector: Selector) -> SchemaVersion:
    """As `choose`, among all versions of the subject; raises SubjectNotFound or VersionNotFound that says what there is
    instead, and how to undelete what is softly deleted."""
    found = choose(versions, selector)
    if found is not None:
        return found
    live = [v for v in versions if v.live]
    if not live:
        raise SubjectNotFound(str(subject), deleted=len(versions))
    hint = deleted_hint(versions, selector)
    if not hint and isinstance(selector, Latest):
        hint = _way_to_activate(live)
    elif not hint:
        shown = ", ".join(f"{v.version} (ordinal {v.ordinal})" for v in live[-5:])
        hint = f"the newest are {shown}" if len(live) > 5 else f"there are {shown}"
    raise VersionNotFound(str(subject), str(selector), hint)


def _way_to_activate(live: Sequence[SchemaVersion]) -> str:
    """How a subject without a latest version gets one, as far as its newest version allows it."""
    newest = live[-1]
    states = (
        f"its only version is {newest.state.name}"
        if len(live) == 1
        else (f"none of its {len(live)} versions is ACTIVE or DEPRECATED, the newest is {newest.state.name}")
    )
    if SchemaState.ACTIVE in allowed_from(newest.state):
        return f"{states}; set the state of version {newest.ordinal} to ACTIVE"
    return f"{states}; register its content again to activate it"


def deleted_hint(versions: Sequence[SchemaVersion], selector: Selector) -> str:
    """How to undelete the version that the selector would choose if it were live; "" when there is none."""
    deleted = choose([replace(v, deleted_at=None) for v in versions if not v.live], selector)
    if deleted is None:
        return ""
    return f"{deleted.version} (ordinal {deleted.ordinal}) is softly deleted: {way_to_undelete(deleted.schema_id)}"
