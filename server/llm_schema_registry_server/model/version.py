"""Semantic versions and the ways to select one of a subject's versions."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

from ..errors import InvalidVersion
from .making import quickly_made

# https://semver.org/spec/v2.0.0.html, clause 2 (no leading zeros), 9 (pre-release), 10 (build)
_SEMVER = re.compile(
    r"(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})"
    r"(?:-((?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)(?:\.(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*))*))?"
    r"(?:\+([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?"
)
_PARTIAL = re.compile(r"(0|[1-9][0-9]{0,8})(?:\.(0|[1-9][0-9]{0,8}|[xX*]))?(?:\.(0|[1-9][0-9]{0,8}|[xX*]))?")
MAX_VERSION = 100


@functools.total_ordering
@quickly_made
@dataclass(frozen=True, slots=True, eq=False)
class SemanticVersion:
    """A version of Semantic Versioning 2.0.0. Order follows its clause 11; build metadata does not count."""

    major: int
    minor: int
    patch: int
    prerelease: tuple[str, ...] = ()
    build: str = ""

    @classmethod
    def parse(cls, text: str, field: str = "version") -> SemanticVersion:
        """The version that `text` spells; raises InvalidVersion."""
        match = _SEMVER.fullmatch(text) if len(text) <= MAX_VERSION else None
        if match is None:
            raise InvalidVersion(field, f"{text[:MAX_VERSION]!r} is not a semantic version such as 1.4.0")
        major, minor, patch, pre, build = match.groups()
        return cls(int(major), int(minor), int(patch), tuple(pre.split(".")) if pre else (), build or "")

    def next_major(self) -> SemanticVersion:
        return SemanticVersion(self.major + 1, 0, 0)

    def next_minor(self) -> SemanticVersion:
        return SemanticVersion(self.major, self.minor + 1, 0)

    def next_patch(self) -> SemanticVersion:
        return SemanticVersion(self.major, self.minor, self.patch + 1)

    @property
    def release(self) -> tuple[int, int, int]:
        return (self.major, self.minor, self.patch)

    @property
    def key(self) -> tuple[object, ...]:
        """What versions are ordered by; cheaper to compare than versions are."""
        # A release sorts after its pre-releases; numeric identifiers sort by value and before alphanumeric ones.
        if not self.prerelease:
            return (self.major, self.minor, self.patch, True)
        identifiers = tuple((0, int(p), "") if p.isdigit() else (1, 0, p) for p in self.prerelease)
        return (self.major, self.minor, self.patch, False, identifiers)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SemanticVersion) and self.key == other.key

    def __lt__(self, other: SemanticVersion) -> bool:
        return self.key < other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __str__(self) -> str:
        text = f"{self.major}.{self.minor}.{self.patch}"
        if self.prerelease:
            text += "-" + ".".join(self.prerelease)
        return text + ("+" + self.build if self.build else "")


FIRST = SemanticVersion(1, 0, 0)


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
    if len(text) > MAX_VERSION:
        raise InvalidVersion(field, f"is {len(text)} characters long; the limit is {MAX_VERSION}")
    number = text.removeprefix("v")
    if number.isascii() and number.isdigit():
        if not 1 <= int(number) <= 2**31 - 1:
            raise InvalidVersion(field, f"{text!r} is not an ordinal: they count from 1")
        return Ordinal(int(number))
    if text in ("*", "x", "X"):
        return Range(text, SemanticVersion(0, 0, 0), None)
    if text[0] in "^~":
        return _range(text, text[1:], text[0], field)
    if _SEMVER.fullmatch(text):
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
    if kind == "^" and low.major == 0 and len(parts) > 1:
        high = low.next_minor() if low.minor or len(parts) == 2 else low.next_patch()
    elif kind == "^" or len(parts) == 1:
        high = low.next_major()
    else:
        high = low.next_minor()
    return Range(text, low, high)
