"""The public function about fixes of refused changes. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ..compatibility.levels import LEVEL_REQUIREMENTS
from ..errors import InvalidRequest
from ..fixes.languages import LANGUAGES
from ..fixes.model import Fixes
from ..fixes.search import MOST_FIXES, FixBudget, RefusedChange, find_fixes
from ..formats.engine import FormatEngine
from ..model.compatibility import CompareOptions, CompatibilityLevel
from .schema import Schema

MOST_SECONDS = 600.0


def fixes_for(
    engine: FormatEngine,
    new: Schema,
    versions: Sequence[tuple[str, Schema]],
    level: CompatibilityLevel,
    options: CompareOptions,
    limit: int,
    seconds: float,
) -> Fixes:
    """The fixes of `new` after `versions`, which are the oldest first. Raises InvalidRequest for a limit or a time out of range."""
    if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= MOST_FIXES:
        raise InvalidRequest("limit", f"is {repr(limit)[:60]}; it must be a number from 1 to {MOST_FIXES}")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds <= MOST_SECONDS:
        raise InvalidRequest(
            "seconds", f"is {repr(seconds)[:60]}; it must be a number above 0, up to {MOST_SECONDS:g}"
        )
    demand = LEVEL_REQUIREMENTS[level]
    newest_first = versions[::-1]
    compared = (newest_first if demand.transitive else newest_first[:1]) if demand.directions else []
    change = RefusedChange(new.source, [(name, schema.source) for name, schema in compared], level, options)
    budget = FixBudget(seconds=float(seconds))
    return find_fixes(engine, LANGUAGES[new.schema_type], change, most=limit, budget=budget)
