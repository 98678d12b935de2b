"""API keys, revoked tokens and who a caller is, as frozen values. Times are aware, in UTC."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class RoleGrant:
    """A role, and the subjects that it is for: "*" for everything, "orders.*", ":.staging:*" for a context."""

    role: str
    scope: str = "*"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key, without its secret: `secret_prefix` is how that begins, to recognize one that was found somewhere.

    `expires_at` is None for a key that does not expire. `last_used_at` is about when it was used last. `previous_secret_prefix`
    is the secret before the last rotation, which counts until `previous_valid_until`; "" when there is none.
    """

    key_id: str
    name: str
    grants: tuple[RoleGrant, ...]
    secret_prefix: str
    enabled: bool
    created_at: datetime | None
    created_by: str
    updated_at: datetime | None
    expires_at: datetime | None
    last_used_at: datetime | None
    previous_secret_prefix: str
    previous_valid_until: datetime | None


@dataclass(frozen=True, slots=True)
class NewApiKey:
    """A key and its new secret, which nobody can read again."""

    key: ApiKey
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class RevokedToken:
    """A token that counts no more; after `expires_at` it would not anyway. `principal` is whom it names, as far as that is known."""

    token_id: str
    expires_at: datetime | None
    revoked_at: datetime | None
    revoked_by: str
    principal: str
    reason: str


@dataclass(frozen=True, slots=True)
class WhoAmI:
    """Whom the server takes the caller for. `kind` is what the name is the name of: "user", "key" or "cert".

    `permissions` hold everywhere, `grants` for some subjects; `roles` are those that the credentials name. `credential` is what was
    shown, without any secret. `expires_at` is None for credentials that do not end.
    """

    name: str
    kind: str
    anonymous: bool
    roles: tuple[str, ...]
    permissions: tuple[str, ...]
    grants: tuple[RoleGrant, ...]
    expires_at: datetime | None
    credential: str
