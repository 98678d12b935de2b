"""Which of a subject's versions a new schema is compared with. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from llm_schema_engines.compatibility.levels import LEVEL_REQUIREMENTS
from llm_schema_engines.model.compatibility import CompatibilityLevel

from ..model.lifecycle import EVER_REGISTERED
from ..model.schema import SchemaVersion


def comparable_versions(versions: Sequence[SchemaVersion]) -> Iterator[SchemaVersion]:
    """The versions that checks run against, newest first: live, and registered at some time.

    versions: by ordinal, as every store lists them.
    """
    return (v for v in reversed(versions) if v.deleted_at is None and v.state in EVER_REGISTERED)


def versions_to_compare(level: CompatibilityLevel, versions: Sequence[SchemaVersion]) -> list[SchemaVersion]:
    """The versions of a subject that `level` compares a new schema with, newest first."""
    demand = LEVEL_REQUIREMENTS[level]
    if not demand.directions:
        return []
    return list(
        comparable_versions(versions) if demand.transitive else islice(comparable_versions(versions), 1)
    )
