"""Decodes the references that lead to a version, as the SQL back ends read them all at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..model.schema import SchemaVersion
from . import rows
from .unreadable import Unreadable, tolerant

_version_or_not = tolerant(rows.version_of)


def edge_of(row: Sequence[Any]) -> tuple[str, SchemaVersion | Unreadable]:
    """The id of the version that is used, and who uses it, from a row of DEPENDENT_EDGES."""
    return row[0], _version_or_not(row[1:])


def edges_within(
    found: Sequence[tuple[str, SchemaVersion | Unreadable]], most_versions: int, most_edges: int
) -> Sequence[tuple[str, SchemaVersion]] | None:
    """See SearchRead.dependent_edges; found: up to one edge more, of up to one version more."""
    if len(found) > most_edges:
        return None
    users = {user.cells[0] if isinstance(user, Unreadable) else user.schema_id for _, user in found}
    if len(users) >= most_versions:  # and the version itself
        return None
    return [(used, user) for used, user in found if not isinstance(user, Unreadable)]
