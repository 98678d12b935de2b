"""The rules of a comparison: their type, their results and their categories. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from ....model.compatibility import Severity, Strictness
from .sides import Sides


class Evidence(NamedTuple):
    """Where data can show the breaking change: in which pair of messages, in which fields, in binary or in JSON.

    No numbers: the smallest message of that pair shows it. `reader` is None when the reader has no such message.
    `value`: the number of an enum to write; None: any.
    """

    reader: str | None
    writer: str
    numbers: tuple[int, ...] = ()
    json: bool = False
    value: int | None = None


class BreakingChange(NamedTuple):
    """One place where a rule is broken. `old` is what the writer's schema says, `new` what the reader's says.

    `severity`: replaces that of the rule.
    """

    path: str
    old: str = ""
    new: str = ""
    evidence: Evidence | None = None
    severity: Severity | None = None


@dataclass(frozen=True, slots=True)
class ComparisonRule:
    """A rule of the comparison. `sentence` is a template over path, old and new.

    `severities`: at which strictness the rule applies, and its severity there.
    """

    id: str
    sentence: str
    check: Callable[[Sides], Iterable[BreakingChange]]
    severities: tuple[tuple[Strictness, Severity], ...]

    def severity(self, strictness: Strictness) -> Severity | None:
        """None where the rule does not apply."""
        return dict(self.severities).get(strictness)

    def message(self, found: BreakingChange) -> str:
        return self.sentence.format(path=found.path, old=found.old, new=found.new)


DATA = tuple((strictness, Severity.ERROR) for strictness in Strictness)
"""Facts about data: they count at every strictness."""

_WIRE = ((Strictness.WIRE, Severity.WARNING),)
_JSON = ((Strictness.WIRE_JSON, Severity.ERROR),)
_SOURCE = ((Strictness.SOURCE, Severity.ERROR),)

# Buf's categories (buf.build/docs/breaking/rules). At strictness WIRE, Buf's WIRE rules are warnings: errors there need
# proof by data.
SOURCE = _SOURCE
JSON = _JSON
JSON_SOURCE = _JSON + _SOURCE
WIRE_JSON = _WIRE + _JSON
ALL = _WIRE + _JSON + _SOURCE
