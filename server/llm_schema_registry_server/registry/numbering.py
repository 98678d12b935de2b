"""The semantic versions that a subject has given out. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from llm_schema_engines.model.version import SemanticVersion

from ..model.schema import SchemaVersion


def draft_version(ordinal: int) -> SemanticVersion:
    """The placeholder of a version that was never registered; it sorts before every real one."""
    return SemanticVersion(0, 0, 0, ("draft", str(ordinal)))


def greatest(versions: Sequence[SchemaVersion]) -> SchemaVersion | None:
    """The version with the greatest number that its subject ever gave out; placeholders do not count.

    versions: by ordinal, live and softly deleted.
    """
    found: SchemaVersion | None = None
    for version in reversed(versions):  # mostly rising: the newest one is usually the greatest
        number = version.version
        if (found is None or number.release >= found.version.release) and not _is_placeholder(number):
            found = version if found is None or found.version < number else found
    return found


def _is_placeholder(number: SemanticVersion) -> bool:
    # Nobody else can have one: registrations with an explicit version below 0.0.1 are refused.
    return number.release == (0, 0, 0) and number.prerelease[:1] == ("draft",)
