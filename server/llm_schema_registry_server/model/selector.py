"""The ways to select one of a subject's versions."""

from __future__ import annotations

import re
from dataclasses import dataclass

from llm_schema_engines.model.version import MAX_VERSION_LENGTH, SemanticVersion, is_semantic_version

from ..errors import InvalidVersion

_PARTIAL = re.compile(r"(0|[1-9][0-9]{0,8})(?:\.(0|[1-9][0-9]{0,8}|[xX*]))?(?:\.(0|[1-9][0-9]{0,8}|[xX*]))?")


@dataclass(frozen=True, slots=True)
class Latest:
    """The newest live version in ACTIVE or DEPRECATED."""

    def __str__(self) -> str:
        return "latest"


@dataclass(frozen=True, slots=True)
class Ordinal:
    """The n-th version of the subject, from 1."""

    number: int

    def __str__(self) -> str:
        return str(self.number)


@dataclass(frozen=True, slots=True)
class Exact:
    """The version with exactly this semantic version."""

    version: SemanticVersion

    def __str__(self) -> str:
        return str(self.version)


@dataclass(frozen=True, slots=True)
class Range:
    """The highest live version v in ACTIVE or DEPRECATED with low <= v < high; pre-releases never match."""

    text: str
    low: SemanticVersion
    high: SemanticVersion | None

    def holds(self, version: SemanticVersion) -> bool:
        return not version.prerelease and self.low <= version and (self.high is None or version < self.high)

    def __str__(self) -> str:
        return self.text


Single = Latest | Ordinal | Exact
"""Selectors that an index answers; a range has to be looked for among all versions."""
Selector = Single | Range


def parse_selector(text: str, field: str = "version") -> Selector:
    """`latest` (also "" and -1), an ordinal (`3`, `v3`), a SemVer (`1.4.0`), a range (`^1.2`, `~1.2`, `1.x`, `*`)."""
    if text in ("", "latest", "-1"):
        return Latest()
    if len(text) > MAX_VERSION_LENGTH:
        raise InvalidVersion(field, f"is {len(text)} characters long; the limit is {MAX_VERSION_LENGTH}")
    number = text.removeprefix("v")
    if number.isascii() and number.isdigit():
        if not 1 <= int(number) <= 2**31 - 1:
            raise InvalidVersion(field, f"{text!r} is not an ordinal: they count from 1")
        return Ordinal(int(number))
    if text in ("*", "x", "X"):
        return Range(text, SemanticVersion(0, 0, 0), None)
    if text[0] in "^~":
        return _range(text, text[1:], text[0], field)
    if is_semantic_version(text):
        return Exact(SemanticVersion.parse(text, field))
    return _range(text, text, "x", field)


def _range(text: str, body: str, kind: str, field: str) -> Range:
    """npm's meaning of ^, ~ and x: the left-most part that may not change fixes the upper bound."""
    match = _PARTIAL.fullmatch(body)
    if match is None:
        raise InvalidVersion(
            field,
            f"{text!r} is not latest, an ordinal, a semantic version or a range such as ^1.2, ~1.2 or 1.x",
        )
    parts = [int(p) for p in match.groups() if p is not None and p.isdigit()]
    if match[2] is not None and not match[2].isdigit() and match[3] is not None and match[3].isdigit():
        raise InvalidVersion(field, f"{text!r}: a number cannot follow a wildcard")
    major, minor, patch = (*parts, 0, 0, 0)[:3]
    low = SemanticVersion(major, minor, patch)
    try:
        return Range(text, low, _end(low, kind, len(parts)))
    except InvalidVersion:  # the range holds the greatest number: nothing comes after it
        return Range(text, low, None)


def _end(low: SemanticVersion, kind: str, parts: int) -> SemanticVersion:
    """The first version after a range that begins with `low`. parts: how many numbers the range spells. Raises
    InvalidVersion when there is none."""
    if kind == "^" and low.major == 0 and parts > 1:
        return low.next_minor() if low.minor or parts == 2 else low.next_patch()
    return low.next_major() if kind == "^" or parts == 1 else low.next_minor()
