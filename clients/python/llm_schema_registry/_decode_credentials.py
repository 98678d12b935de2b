"""From the messages about credentials to frozen values."""

from __future__ import annotations

from collections.abc import Iterable

from ._decode import time
from .credentials import ApiKey, NewApiKey, RevokedToken, RoleGrant, WhoAmI
from .results import Items
from .v1 import credentials_pb2 as pb


def api_key(m: pb.ApiKey) -> ApiKey:
    return ApiKey(
        key_id=m.key_id,
        name=m.name,
        grants=_grants(m.grants),
        secret_prefix=m.secret_prefix,
        enabled=m.enabled,
        created_at=time(m, "created_at"),
        created_by=m.created_by,
        updated_at=time(m, "updated_at"),
        expires_at=time(m, "expires_at"),
        last_used_at=time(m, "last_used_at"),
        previous_secret_prefix=m.previous_secret_prefix,
        previous_valid_until=time(m, "previous_valid_until"),
    )


def new_api_key(m: pb.CreateApiKeyResponse | pb.RotateApiKeyResponse) -> NewApiKey:
    return NewApiKey(api_key(m.api_key), m.secret)


def known_api_key(m: pb.GetApiKeyResponse | pb.UpdateApiKeyResponse) -> ApiKey:
    return api_key(m.api_key)


def api_keys(m: pb.ListApiKeysResponse) -> Items[ApiKey]:
    return Items.of(map(api_key, m.api_keys), m.next_page_token)


def revoked_token(m: pb.RevokedToken) -> RevokedToken:
    return RevokedToken(
        token_id=m.token_id,
        expires_at=time(m, "expires_at"),
        revoked_at=time(m, "revoked_at"),
        revoked_by=m.revoked_by,
        principal=m.principal,
        reason=m.reason,
    )


def revoked(m: pb.RevokeTokenResponse) -> RevokedToken:
    return revoked_token(m.revoked_token)


def revoked_tokens(m: pb.ListRevokedTokensResponse) -> Items[RevokedToken]:
    return Items.of(map(revoked_token, m.revoked_tokens), m.next_page_token)


def who_am_i(m: pb.WhoAmIResponse) -> WhoAmI:
    return WhoAmI(
        name=m.name,
        kind=m.kind,
        anonymous=m.anonymous,
        roles=tuple(m.roles),
        permissions=tuple(m.permissions),
        grants=_grants(m.grants),
        expires_at=time(m, "expires_at"),
        credential=m.credential,
    )


def _grants(given: Iterable[pb.RoleGrant]) -> tuple[RoleGrant, ...]:
    return tuple(RoleGrant(m.role, m.scope) for m in given)
