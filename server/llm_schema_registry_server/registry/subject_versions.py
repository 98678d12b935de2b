"""What is known of a subject's versions: all of them, or the few that decide what the next one may be. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from llm_schema_engines.model.fast_init import fast_init

from ..model.schema import SchemaVersion
from .comparable import comparable_versions
from .numbering import greatest

NO_VERSIONS = (0, 0)
"""The stamp of a subject that has none."""


@fast_init
@dataclass(frozen=True, slots=True)
class SubjectVersions:
    """Versions of a subject by ordinal, softly deleted ones too, and the stamp of the subject when these were read.

    whole: whether these are all. If not, they are its `digest`.
    """

    stamp: tuple[int, int]
    versions: Sequence[SchemaVersion]
    whole: bool = True
    last: int = 0
    """Of a digest: the highest ordinal at that moment."""
    held: int = field(default=0, compare=False)
    """Bytes that the versions take (`size_of`)."""

    @classmethod
    def of(
        cls,
        stamp: tuple[int, int],
        versions: Sequence[SchemaVersion],
        *,
        whole: bool = True,
        last: int = 0,
    ) -> SubjectVersions:
        """With what they take."""
        return cls(stamp, versions, whole, last, sum(map(size_of, versions)))

    @property
    def digest(self) -> SubjectVersions:
        """The newest version that counts in checks and the one with the greatest number: enough for a check
        against the newest one, and small however many versions there are."""
        deciding = {
            v.ordinal: v
            for v in (next(comparable_versions(self.versions), None), greatest(self.versions))
            if v
        }
        return SubjectVersions.of(
            self.stamp, tuple(deciding[n] for n in sorted(deciding)), whole=False, last=self.highest
        )

    @property
    def highest(self) -> int:
        """The highest ordinal when these were read; 0 when there was no version."""
        return self.versions[-1].ordinal if self.whole and self.versions else self.last

    def followed_by(self, version: SchemaVersion) -> SubjectVersions:
        """What is known when `version` has been appended and nothing else has changed."""
        count, _ = self.stamp
        versions = (*self.versions, version)
        held = self.held + size_of(version)
        return SubjectVersions((count + 1, version.revision), versions, self.whole, version.ordinal, held)

    def updated_to(self, stamp: tuple[int, int], news: Sequence[SchemaVersion]) -> SubjectVersions | None:
        """What is known at a later stamp, given all versions whose revision has risen since; None when that is not enough,
        because a version was removed, or one that the digest rests on has lost what put it there."""
        added = sum(v.ordinal > self.highest for v in news)
        if self.stamp[0] + added != stamp[0]:
            return None
        now = {v.ordinal: v for v in (*self.versions, *news)}
        versions = tuple(now.values() if added == len(news) else (now[n] for n in sorted(now)))
        last = max((self.highest, *(v.ordinal for v in news)))
        if self.whole:
            return SubjectVersions.of(stamp, versions)
        if not all(_still_serves(v, now[v.ordinal]) for v in self.versions):
            return None
        return SubjectVersions(stamp, versions, whole=False, last=last).digest


def size_of(version: SchemaVersion) -> int:
    """Bytes that a version takes in memory; an estimate, from measurements."""
    labels = sum(60 + len(tag) for tag in version.tags) if version.tags else 0
    if version.metadata:
        labels += sum(150 + len(name) + len(value) for name, value in version.metadata.items())
    return 1700 + 400 * len(version.references) + labels + len(version.description or "")


def _still_serves(old: SchemaVersion, new: SchemaVersion) -> bool:
    """Whether a version, as it is now, still serves as what a digest took it for."""
    return old is new or (
        old.version == new.version and any(comparable_versions([new])) >= any(comparable_versions([old]))
    )
