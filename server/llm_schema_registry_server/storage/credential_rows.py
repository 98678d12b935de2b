"""API keys and revoked tokens as rows of a database and back; see rows.py. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson

from ..errors import StorageDamaged
from ..model.api_key import ApiKey, RevokedToken, StoredSecret
from ..model.grant import RoleGrant
from ..model.scope import Scope
from ..model.timestamps import micros, moment
from .rows import Row, dump, reading
from .unreadable import note

KEY_COLUMNS = ("key_id", "name", "prefix", "previous_prefix", "facts", "last_used_at")
"""The columns of a key, in the order of `key_row`."""
REVOKED_COLUMNS = ("token_id", "expires_at", "facts")
FAR = datetime.max.replace(microsecond=0, tzinfo=UTC)


def key_row(key: ApiKey) -> tuple[Any, ...]:
    """The cells of KEY_COLUMNS."""
    previous = key.previous
    facts = {
        "grants": [[grant.role, str(grant.scope)] for grant in key.grants],
        "created_at": micros(key.created_at),
        "created_by": key.created_by,
        "updated_at": micros(key.updated_at),
        "enabled": key.enabled,
        "expires_at": _optional(key.expires_at),
        "digest": key.secret.digest,
    }
    if previous is not None:
        facts["previous_digest"] = previous.digest
        facts["previous_until"] = _optional(previous.valid_until)
    return (
        key.key_id,
        key.name,
        key.secret.prefix,
        None if previous is None else previous.prefix,
        dump(facts),
        _optional(key.last_used_at),
    )


def key_of(row: Row) -> ApiKey:
    """The key in a row of KEY_COLUMNS."""
    with reading("api_keys", row[0]):
        key_id, name, prefix, previous_prefix, cell, last_used_at = row
        facts = orjson.loads(cell)
        "".join(
            (key_id, name, prefix, facts["digest"], facts["created_by"])
        )  # raises TypeError for other types
        if not isinstance(facts["enabled"], bool):
            raise TypeError("enabled is neither true nor false")
        previous = None
        if previous_prefix is not None:
            "".join((previous_prefix, facts["previous_digest"]))
            until = _moment(facts["previous_until"])
            previous = StoredSecret(previous_prefix, facts["previous_digest"], until)
        return ApiKey(
            key_id=key_id,
            name=name,
            grants=tuple(RoleGrant(str(role), Scope.parse(scope)) for role, scope in facts["grants"]),
            secret=StoredSecret(prefix, facts["digest"]),
            created_at=moment(facts["created_at"]),
            created_by=facts["created_by"],
            updated_at=moment(facts["updated_at"]),
            enabled=facts["enabled"],
            expires_at=_moment(facts["expires_at"]),
            previous=previous,
            last_used_at=_moment(last_used_at),
        )


def revoked_row(token: RevokedToken) -> tuple[Any, ...]:
    """The cells of REVOKED_COLUMNS."""
    facts = {
        "revoked_at": micros(token.revoked_at),
        "revoked_by": token.revoked_by,
        "principal": token.principal,
        "reason": token.reason,
    }
    return token.token_id, micros(token.expires_at), dump(facts)


def revoked_of(row: Row) -> RevokedToken:
    """The revocation in a row of REVOKED_COLUMNS. What cannot be decoded is noted and left out, as long as the id can: the token
    stays revoked, without a readable end for ever."""
    try:
        return whole_revoked_of(row)
    except StorageDamaged as error:
        with reading("revoked_tokens", row[0]):
            token_id = "".join((row[0],))
        note(error)
        return RevokedToken(token_id, end_of(row), end_of(row), "")


def end_of(row: Row) -> datetime:
    """When the token of a row of REVOKED_COLUMNS ends; FAR when that is no time."""
    try:
        return moment(row[1])
    except (OverflowError, TypeError):
        return FAR


def whole_revoked_of(row: Row) -> RevokedToken:
    """As `revoked_of`, with its facts. Raises StorageDamaged without them."""
    with reading("revoked_tokens", row[0]):
        facts = orjson.loads(row[2])
        texts = [facts[name] for name in ("revoked_by", "principal", "reason")]
        "".join(texts)
        return RevokedToken("".join((row[0],)), moment(row[1]), moment(facts["revoked_at"]), *texts)


def _optional(at: datetime | None) -> int | None:
    return None if at is None else micros(at)


def _moment(value: int | None) -> datetime | None:
    return None if value is None else moment(value)
