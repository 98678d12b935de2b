"""Calls about API keys, revoked tokens, and who the caller is."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from google.protobuf.duration_pb2 import Duration
from google.protobuf.empty_pb2 import Empty

from .. import _decode
from .. import _decode_credentials as decode
from .._call import ADMIN, Unary, unary
from .._checked import checked
from .._encode import grant_messages, timestamp
from ..credentials import ApiKey, NewApiKey, RevokedToken, RoleGrant, WhoAmI
from ..results import Items
from ..v1 import credentials_pb2 as pb


@checked
def create_api_key(
    name: str,
    grants: Iterable[RoleGrant | str],
    *,
    expires_at: datetime | None = None,
    timeout: float | None = None,
) -> Unary[NewApiKey]:
    """Make an API key that has roles: each a name such as "reader", for everything, or a `RoleGrant` with the subjects that it is for.

    Its secret is in the answer and cannot be read again. Raises PermissionDenied for what the caller may not do himself, and
    ApiKeyNameTaken.
    """
    request = pb.CreateApiKeyRequest(
        name=name, grants=grant_messages(grants), expires_at=timestamp(expires_at, "expires_at")
    )
    return unary(ADMIN + "CreateApiKey", pb.CreateApiKeyResponse, decode.new_api_key, request, timeout)


@checked
def list_api_keys(
    *, name: str = "", limit: int | None = None, page_token: str = "", timeout: float | None = None
) -> Unary[Items[ApiKey]]:
    """One page of the API keys, by name; `page_token` goes on from the `next_page_token` of the page before.

    With `name` only the key that is called so, if there is one.
    """
    request = pb.ListApiKeysRequest(limit=limit, page_token=page_token, name=name)
    return unary(ADMIN + "ListApiKeys", pb.ListApiKeysResponse, decode.api_keys, request, timeout)


@checked
def get_api_key(key_id: str, *, timeout: float | None = None) -> Unary[ApiKey]:
    """One API key, without its secret. Raises ApiKeyNotFound."""
    request = pb.GetApiKeyRequest(key_id=key_id)
    return unary(ADMIN + "GetApiKey", pb.GetApiKeyResponse, decode.known_api_key, request, timeout)


@checked
def update_api_key(
    key_id: str,
    *,
    enabled: bool | None = None,
    grants: Iterable[RoleGrant | str] | None = None,
    expires_at: datetime | None = None,
    never_expires: bool = False,
    timeout: float | None = None,
) -> Unary[ApiKey]:
    """Change what is given of an API key; all servers know within a second.

    `enabled=False` lets it count no more; `grants` takes the place of all that it has; `never_expires` takes its end away. Raises
    ApiKeyNotFound, and PermissionDenied for what the caller may not do himself.
    """
    given = None if grants is None else pb.RoleGrants(grants=grant_messages(grants))
    request = pb.UpdateApiKeyRequest(
        key_id=key_id,
        enabled=enabled,
        grants=given,
        expires_at=timestamp(expires_at, "expires_at"),
        never_expires=never_expires,
    )
    return unary(ADMIN + "UpdateApiKey", pb.UpdateApiKeyResponse, decode.known_api_key, request, timeout)


@checked
def rotate_api_key(
    key_id: str, *, overlap_seconds: float | None = None, timeout: float | None = None
) -> Unary[NewApiKey]:
    """Give an API key a new secret, which cannot be read again. The one before counts for `overlap_seconds` longer, else no more.

    Raises ApiKeyNotFound, and PermissionDenied when the key may do what the caller may not.
    """
    overlap = None
    if overlap_seconds is not None:
        overlap = Duration()
        overlap.FromNanoseconds(round(overlap_seconds * 1e9))
    request = pb.RotateApiKeyRequest(key_id=key_id, overlap=overlap)
    return unary(ADMIN + "RotateApiKey", pb.RotateApiKeyResponse, decode.new_api_key, request, timeout)


@checked
def delete_api_key(key_id: str, *, timeout: float | None = None) -> Unary[None]:
    """Remove an API key for ever. Raises ApiKeyNotFound."""
    request = pb.DeleteApiKeyRequest(key_id=key_id)
    return unary(ADMIN + "DeleteApiKey", Empty, _decode.nothing, request, timeout)


@checked
def revoke_token(
    token: str = "",
    *,
    token_id: str = "",
    expires_at: datetime | None = None,
    reason: str = "",
    timeout: float | None = None,
) -> Unary[RevokedToken]:
    """Let a token count no more, on all servers within a second: the token itself, or its `jti` as `token_id` and its end."""
    request = pb.RevokeTokenRequest(
        token=token, token_id=token_id, expires_at=timestamp(expires_at, "expires_at"), reason=reason
    )
    return unary(ADMIN + "RevokeToken", pb.RevokeTokenResponse, decode.revoked, request, timeout)


@checked
def list_revoked_tokens(
    *, limit: int | None = None, page_token: str = "", timeout: float | None = None
) -> Unary[Items[RevokedToken]]:
    """One page of the tokens that were revoked and would not have ended yet, by their ids."""
    request = pb.ListRevokedTokensRequest(limit=limit, page_token=page_token)
    return unary(
        ADMIN + "ListRevokedTokens", pb.ListRevokedTokensResponse, decode.revoked_tokens, request, timeout
    )


@checked
def who_am_i(*, timeout: float | None = None) -> Unary[WhoAmI]:
    """Whom the server takes this client for, and what it may do."""
    return unary(ADMIN + "WhoAmI", pb.WhoAmIResponse, decode.who_am_i, pb.WhoAmIRequest(), timeout)
