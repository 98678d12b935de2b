"""API keys and revoked tokens: what a server knows of them. Of a secret it knows its digest, never the secret. Pure."""

from __future__ import annotations

import hashlib
import re
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime

from .grant import RoleGrant

MARK = "llmsr_"
"""What every secret begins with, so that people and scanners of source code know one when they see it."""
SECRET_BYTES = 32
_PREFIX_LENGTH = len(MARK) + 8
_SECRET = re.compile(r"llmsr_[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class StoredSecret:
    """What is kept of a secret. prefix: its beginning, by which it is found and which people may see. digest: SHA-256 in
    hexadecimal digits; a secret of 256 random bits needs no slow hash. valid_until (UTC): None for no end."""

    prefix: str
    digest: str
    valid_until: datetime | None = None

    @classmethod
    def of(cls, secret: str) -> StoredSecret:
        return cls(prefix_of(secret), digest_of(secret))


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key, by its id. name: distinct among all keys. Times are in UTC.

    previous: the secret before the last rotation, as long as it may still be used. expires_at: None for never.
    last_used_at: about when it was used last, written at most once a minute; None before the first use.
    """

    key_id: str
    name: str
    grants: tuple[RoleGrant, ...]
    secret: StoredSecret
    created_at: datetime
    created_by: str
    updated_at: datetime
    enabled: bool = True
    expires_at: datetime | None = None
    previous: StoredSecret | None = None
    last_used_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RevokedToken:
    """A token that does not count any more, though its signature is good.

    token_id: see `token_id`. expires_at (UTC): when it would have ended; nobody needs to remember it after that.
    principal: whom it names, as far as that is known.
    """

    token_id: str
    expires_at: datetime
    revoked_at: datetime
    revoked_by: str
    principal: str = ""
    reason: str = ""


def secret_of(random: bytes) -> str:
    """The secret that SECRET_BYTES random bytes make."""
    if len(random) != SECRET_BYTES:
        raise ValueError(f"a secret is made of {SECRET_BYTES} bytes, not of {len(random)}")
    return MARK + urlsafe_b64encode(random).rstrip(b"=").decode()


def is_secret(text: str) -> bool:
    """Whether `text` has the form of a secret."""
    return _SECRET.fullmatch(text) is not None


def prefix_of(secret: str) -> str:
    """The beginning of a secret that is no secret: 48 of its 256 bits."""
    return secret[:_PREFIX_LENGTH]


def digest_of(secret: str) -> str:
    """SHA-256 in hexadecimal digits."""
    return hashlib.sha256(secret.encode()).hexdigest()
