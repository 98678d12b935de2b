"""The version that a selector chooses, or what there is instead. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import SubjectNotFound, VersionNotFound
from ..model.schema import SchemaVersion
from ..model.selection import choose
from ..model.selector import Latest, Selector
from ..model.subject import Subject


def choose_or_raise(subject: Subject, versions: Sequence[SchemaVersion], selector: Selector) -> SchemaVersion:
    """As `choose`; raises SubjectNotFound or VersionNotFound that says what there is instead."""
    found = choose(versions, selector)
    if found is not None:
        return found
    live = [v for v in versions if v.live]
    if not live:
        raise SubjectNotFound(str(subject))
    if isinstance(selector, Latest):
        hint = f"none of its {len(live)} versions is ACTIVE or DEPRECATED"
    else:
        shown = ", ".join(f"{v.version} (ordinal {v.ordinal})" for v in live[-5:])
        hint = f"the newest are {shown}" if len(live) > 5 else f"there are {shown}"
    raise VersionNotFound(str(subject), str(selector), hint)
