"""Which of a subject's versions a selector chooses. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from .lifecycle import SELECTABLE
from .schema import SchemaVersion
from .selector import (
    Exact,
    Latest,
    Ordinal,
    Selector,
)


def selectable(version: SchemaVersion) -> bool:
    """Whether `latest` and ranges may choose this version."""
    return version.live and version.state in SELECTABLE


def choose(versions: Sequence[SchemaVersion], selector: Selector) -> SchemaVersion | None:
    """The live version that `selector` names, or None. `latest` and ranges choose among ACTIVE and DEPRECATED."""
    live = [v for v in versions if v.live]
    match selector:
        case Ordinal(number):
            return next((v for v in live if v.ordinal == number), None)
        case Exact(version):
            return next((v for v in live if v.version == version), None)
        case Latest():
            return max(filter(selectable, live), key=lambda v: v.ordinal, default=None)
        case _:
            fitting = (v for v in live if selectable(v) and selector.holds(v.version))
            return max(fitting, key=lambda v: v.version, default=None)
