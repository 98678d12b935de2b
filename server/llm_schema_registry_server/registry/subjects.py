"""What is known of a subject's versions: all of them, or the few that decide what the next one may be. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..compatibility.levels import counting
from ..compatibility.semver import greatest
from ..model.schema import SchemaVersion

NO_VERSIONS = (0, 0)
"""The stamp of a subject that has none."""


@dataclass(frozen=True, slots=True)
class SubjectVersions:
    """Versions of a subject by ordinal, softly deleted ones too, and the stamp of the subject when these were read.

    whole: whether these are all. If not, they are its `digest`.
    """

    stamp: tuple[int, int]
    versions: Sequence[SchemaVersion]
    whole: bool = True

    @property
    def digest(self) -> SubjectVersions:
        """The newest version that counts in checks and the one with the greatest number: as good as all of them to a check
        against the newest one, and small however many there are."""
        telling = {v.ordinal: v for v in (next(counting(self.versions), None), greatest(self.versions)) if v}
        return SubjectVersions(self.stamp, tuple(telling[n] for n in sorted(telling)), whole=False)

    def followed_by(self, version: SchemaVersion) -> SubjectVersions:
        """What is known when `version` has been appended and nothing else has changed."""
        count, _ = self.stamp
        return SubjectVersions((count + 1, version.revision), (*self.versions, version), self.whole)
