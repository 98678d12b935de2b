"""The version that a selector chooses, or what there is instead. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..errors import SubjectNotFound, VersionNotFound
from ..errors.missing import way_to_undelete
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
        hint = (
            f"none of its {len(live)} versions is ACTIVE or DEPRECATED; "
            "register the content again or set a state to activate one"
        )
    elif not hint:
        shown = ", ".join(f"{v.version} (ordinal {v.ordinal})" for v in live[-5:])
        hint = f"the newest are {shown}" if len(live) > 5 else f"there are {shown}"
    raise VersionNotFound(str(subject), str(selector), hint)


def deleted_hint(versions: Sequence[SchemaVersion], selector: Selector) -> str:
    """How to undelete the version that the selector would choose if it were live; "" when there is none."""
    deleted = choose([replace(v, deleted_at=None) for v in versions if not v.live], selector)
    if deleted is None:
        return ""
    return f"{deleted.version} (ordinal {deleted.ordinal}) is softly deleted: {way_to_undelete(deleted.schema_id)}"
