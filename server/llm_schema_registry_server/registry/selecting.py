"""Which of a subject's versions a selector chooses. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import SubjectNotFound, VersionNotFound
from ..model.lifecycle import SELECTABLE
from ..model.schema import SchemaVersion
from ..model.subject import Subject
from ..model.version import Exact, Latest, Ordinal, Selector


def choose(versions: Sequence[SchemaVersion], selector: Selector) -> SchemaVersion | None:
    """The live version that `selector` names, or None. `latest` and ranges choose among ACTIVE and DEPRECATED."""
    live = [v for v in versions if v.live]
    match selector:
        case Ordinal(number):
            return next((v for v in live if v.ordinal == number), None)
        case Exact(version):
            return next((v for v in live if v.version == version), None)
        case Latest():
            return max((v for v in live if v.state in SELECTABLE), key=lambda v: v.ordinal, default=None)
        case _:
            fitting = (v for v in live if v.state in SELECTABLE and selector.holds(v.version))
            return max(fitting, key=lambda v: v.version, default=None)


def chosen(subject: Subject, versions: Sequence[SchemaVersion], selector: Selector) -> SchemaVersion:
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
