"""A grant: who holds a role, and on which subjects. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from ..errors import InvalidRequest
from .scope import EVERYWHERE, Scope

EVERYONE = "*"
"""The holder that is every caller who has shown credentials."""
ANONYMOUS = "anonymous"
"""The holder that is every caller who has shown none."""
MOST_HOLDER = 300
_HOLDER = re.compile(r"[a-z]{1,20}:\S(?:.*\S)?")


@dataclass(frozen=True, slots=True, order=True)
class RoleGrant:
    """A role on a scope, without who holds it: what a caller may bring along."""

    role: str
    scope: Scope = EVERYWHERE


@dataclass(frozen=True, slots=True, order=True)
class Grant:
    """`holder` has `role` on `scope`. The holder is `user:ada`, `key:...`, `cert:...` (a kind of caller and its name),
    `role:team` (whoever the issuer of tokens says has that role), `*` (whoever has shown credentials) or `anonymous`."""

    holder: str
    role: str
    scope: Scope = EVERYWHERE


@dataclass(frozen=True, slots=True)
class StoredGrant:
    """A grant that is managed at run time, with who gave it and when."""

    grant: Grant
    created_by: str
    created_at: datetime


def parse_holder(text: str, field: str = "holder") -> str:
    """A holder as `Grant` has it. Raises InvalidRequest."""
    if text in (EVERYONE, ANONYMOUS):
        return text
    if len(text) > MOST_HOLDER or not text.isprintable() or not _HOLDER.fullmatch(text):
        raise InvalidRequest(
            field,
            f"{text[:80]!r} is no holder; write user:NAME, role:NAME, '*' for all who show credentials, or 'anonymous'",
        )
    return text
