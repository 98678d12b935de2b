"""Grants and access policies as rows of a database and back; see rows.py. Pure."""

from __future__ import annotations

from typing import Any

from ..model.grant import Grant, StoredGrant, parse_holder
from ..model.scope import Scope
from ..model.stored_policies import StoredPolicies
from ..model.timestamps import micros, moment
from .rows import Row, reading

GRANT_COLUMNS = ("holder", "role", "scope", "created_by", "created_at")
"""The columns of a grant, in the order of `grant_row`. The first three are its key."""
POLICIES_COLUMNS = ("version", "document", "set_by", "set_at")


def grant_key(grant: Grant) -> tuple[str, str, str]:
    """The cells of a grant's key."""
    return grant.holder, grant.role, str(grant.scope)


def grant_row(stored: StoredGrant) -> tuple[Any, ...]:
    """The cells of GRANT_COLUMNS."""
    return (*grant_key(stored.grant), stored.created_by, micros(stored.created_at))


def grant_of(row: Row) -> StoredGrant:
    """The grant in a row of GRANT_COLUMNS."""
    with reading("grants", row[0]):
        holder, role, scope, created_by, created_at = row
        "".join((holder, role, scope, created_by))  # raises TypeError for other types
        return StoredGrant(
            Grant(parse_holder(holder), role, Scope.parse(scope)), created_by, moment(created_at)
        )


def policies_row(stored: StoredPolicies) -> tuple[Any, ...]:
    """The cells of POLICIES_COLUMNS."""
    return stored.version, stored.document, stored.set_by, micros(stored.set_at)


def policies_of(row: Row) -> StoredPolicies:
    """The policies in a row of POLICIES_COLUMNS."""
    with reading("policies", row[0]):
        version, document, set_by, set_at = row
        "".join((document, set_by))
        return StoredPolicies(int(version), document, set_by, moment(set_at))
