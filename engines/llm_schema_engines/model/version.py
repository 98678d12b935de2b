"""Semantic versions (semver.org 2.0.0)."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

from ..errors import InvalidVersion
from .fast_init import fast_init

# https://semver.org/spec/v2.0.0.html, clause 2 (no leading zeros), 9 (pre-release), 10 (build)
_SEMVER = re.compile(
    r"(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})"
    r"(?:-((?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)(?:\.(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*))*))?"
    r"(?:\+([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?"
)
MAX_VERSION_LENGTH = 100
"""Characters of a semantic version or a selector."""
MAX_NUMBER = 999_999_999
"""The greatest major, minor and patch number: nine digits, as `parse` reads them."""


def is_semantic_version(text: str) -> bool:
    """Whether `text` spells a semantic version."""
    return len(text) <= MAX_VERSION_LENGTH and _SEMVER.fullmatch(text) is not None


@functools.total_ordering
@fast_init
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
        match = _SEMVER.fullmatch(text) if len(text) <= MAX_VERSION_LENGTH else None
        if match is None:
            raise InvalidVersion(
                field, f"{text[:MAX_VERSION_LENGTH]!r} is not a semantic version such as 1.4.0"
            )
        major, minor, patch, pre, build = match.groups()
        return cls(int(major), int(minor), int(patch), tuple(pre.split(".")) if pre else (), build or "")

    def next_major(self) -> SemanticVersion:
        """Raises InvalidVersion when there is none: MAX_NUMBER is the last one."""
        if self.major >= MAX_NUMBER:
            raise InvalidVersion(
                "version",
                f"no version is left after {self}: numbers end at {MAX_NUMBER}, and the change needs a greater one; use "
                f"another subject, or delete {self} permanently if it was a mistake",
                last=str(self),
            )
        return SemanticVersion(self.major + 1, 0, 0)

    def next_minor(self) -> SemanticVersion:
        """A greater step when the minor number cannot rise; raises as `next_major` does."""
        if self.minor >= MAX_NUMBER:
            return self.next_major()
        return SemanticVersion(self.major, self.minor + 1, 0)

    def next_patch(self) -> SemanticVersion:
        """A greater step when the patch number cannot rise; raises as `next_major` does."""
        if self.patch >= MAX_NUMBER:
            return self.next_minor()
        return SemanticVersion(self.major, self.minor, self.patch + 1)

    @property
    def release(self) -> tuple[int, int, int]:
        return (self.major, self.minor, self.patch)

    @property
    def key(self) -> tuple[object, ...]:
        """The sort key; comparing keys is cheaper than comparing versions."""
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
