"""The handlers of AdminService for API keys, revoked tokens and WhoAmI."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from google.protobuf.duration_pb2 import Duration
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from llm_schema_registry.v1 import credentials_pb2 as pb

from ..auth.tokens import facts_of
from ..calls.call import Call
from ..errors import InvalidRequest, Unauthenticated
from ..model.api_key import ApiKey, RevokedToken
from ..model.grant import RoleGrant
from ..model.principal import Principal
from ..model.scope import Scope
from ..model.timestamps import EPOCH
from ..registry.api_keys import MOST_GRANTS
from ..registry.use_cases import UseCases
from .actors import actor, wrote
from .convert import timestamp

_LAST_SECOND = 253402300799
"""The end of the year 9999, after which there is no Timestamp."""


class CredentialHandlers:
    """A part of AdminService. One method per RPC, named as the RPC is."""

    def __init__(self, use: UseCases) -> None:
        self._keys, self._revoking = use.api_keys, use.revoking

    async def create_api_key(self, request: pb.CreateApiKeyRequest, call: Call) -> pb.CreateApiKeyResponse:
        made = await self._keys.create(
            request.name, _grants(request.grants, "grants"), time_in(request, "expires_at"), actor(call)
        )
        wrote(call, made.revision)
        return pb.CreateApiKeyResponse(api_key=_key(made.key), secret=made.secret, revision=made.revision)

    async def list_api_keys(self, request: pb.ListApiKeysRequest, call: Call) -> pb.ListApiKeysResponse:
        page = await self._keys.list(optional(request, "limit"), request.page_token, request.name)
        return pb.ListApiKeysResponse(api_keys=map(_key, page.keys), next_page_token=page.next_token)

    async def get_api_key(self, request: pb.GetApiKeyRequest, call: Call) -> pb.GetApiKeyResponse:
        return pb.GetApiKeyResponse(api_key=_key(await self._keys.get(request.key_id)))

    async def update_api_key(self, request: pb.UpdateApiKeyRequest, call: Call) -> pb.UpdateApiKeyResponse:
        made = await self._keys.update(
            request.key_id,
            actor(call),
            enabled=request.enabled if request.HasField("enabled") else None,
            grants=_grants(request.grants.grants, "grants.grants") if request.HasField("grants") else None,
            expires_at=time_in(request, "expires_at"),
            never_expires=request.never_expires,
        )
        wrote(call, made.revision)
        return pb.UpdateApiKeyResponse(api_key=_key(made.key), revision=made.revision)

    async def rotate_api_key(self, request: pb.RotateApiKeyRequest, call: Call) -> pb.RotateApiKeyResponse:
        made = await self._keys.rotate(request.key_id, _duration(request.overlap, "overlap"), actor(call))
        wrote(call, made.revision)
        return pb.RotateApiKeyResponse(api_key=_key(made.key), secret=made.secret, revision=made.revision)

    async def delete_api_key(self, request: pb.DeleteApiKeyRequest, call: Call) -> Empty:
        wrote(call, await self._keys.delete(request.key_id, actor(call)))
        return Empty()

    async def revoke_token(self, request: pb.RevokeTokenRequest, call: Call) -> pb.RevokeTokenResponse:
        token_id, expires_at, name = request.token_id, time_in(request, "expires_at"), ""
        if request.token:
            if token_id:
                raise InvalidRequest("token_id", "cannot be given together with token")
            token_id, ends, name = _facts(request.token)
            expires_at = ends or expires_at
        revoked = await self._revoking.revoke(
            token_id, expires_at, actor(call), principal=name, reason=request.reason
        )
        wrote(call, revoked.revision)
        return pb.RevokeTokenResponse(revoked_token=_revoked(revoked.token), revision=revoked.revision)

    async def list_revoked_tokens(
        self, request: pb.ListRevokedTokensRequest, call: Call
    ) -> pb.ListRevokedTokensResponse:
        page = await self._revoking.list(optional(request, "limit"), request.page_token)
        return pb.ListRevokedTokensResponse(
            revoked_tokens=map(_revoked, page.tokens), next_page_token=page.next_token
        )

    async def who_am_i(self, request: pb.WhoAmIRequest, call: Call) -> pb.WhoAmIResponse:
        return _principal(call.principal)


def _facts(token: str) -> tuple[str, datetime | None, str]:
    """Id, end and holder of a token as it tells them itself. The error of one that is none names the field, not the token."""
    try:
        facts = facts_of(token.strip())
    except Unauthenticated as error:
        raise InvalidRequest("token", error.message.partition(": ")[2] or "is no JSON Web Token") from error
    if facts.expires is None:
        return facts.token_id, None, facts.name
    seconds = int(facts.expires)
    if not 0 <= seconds <= _LAST_SECOND:
        raise InvalidRequest("token", "its time `exp` is no time of this calendar")
    return facts.token_id, EPOCH + timedelta(seconds=seconds + 1), facts.name


def _grants(given: Sequence[pb.RoleGrant], field: str) -> list[RoleGrant]:
    if len(given) > MOST_GRANTS:
        raise InvalidRequest(field, f"has {len(given)} items; the limit is {MOST_GRANTS}")
    return [RoleGrant(g.role, Scope.parse(g.scope, f"{field}[{i}].scope")) for i, g in enumerate(given)]


def time_in(request: Message, field: str) -> datetime | None:
    """A field with a time; None when it is absent. Raises InvalidRequest for what is no time."""
    if not request.HasField(field):
        return None
    given: Timestamp = getattr(request, field)
    if not (0 <= given.seconds <= _LAST_SECOND and 0 <= given.nanos < 1_000_000_000):
        raise InvalidRequest(field, "must be a time from 1970 to 9999")
    return given.ToDatetime(UTC)


def _duration(given: Duration, field: str) -> timedelta:
    if not (0 <= given.seconds <= 10_000_000 and 0 <= given.nanos < 1_000_000_000):
        raise InvalidRequest(field, "must be 0 s or more, and not that long")
    return given.ToTimedelta()


def optional(request: Message, field: str) -> int | None:
    return getattr(request, field) if request.HasField(field) else None


def _key(key: ApiKey) -> pb.ApiKey:
    previous = key.previous
    return pb.ApiKey(
        key_id=key.key_id,
        name=key.name,
        grants=_role_grants(key.grants),
        secret_prefix=key.secret.prefix,
        enabled=key.enabled,
        created_at=timestamp(key.created_at),
        created_by=key.created_by,
        updated_at=timestamp(key.updated_at),
        expires_at=_optional_time(key.expires_at),
        last_used_at=_optional_time(key.last_used_at),
        previous_secret_prefix="" if previous is None else previous.prefix,
        previous_valid_until=_optional_time(None if previous is None else previous.valid_until),
    )


def _revoked(token: RevokedToken) -> pb.RevokedToken:
    return pb.RevokedToken(
        token_id=token.token_id,
        expires_at=timestamp(token.expires_at),
        revoked_at=timestamp(token.revoked_at),
        revoked_by=token.revoked_by,
        principal=token.principal,
        reason=token.reason,
    )


def _principal(who: Principal) -> pb.WhoAmIResponse:
    ends = None if who.expires is None else min(who.expires, _LAST_SECOND)
    return pb.WhoAmIResponse(
        name=who.name,
        kind=who.kind,
        anonymous=who.anonymous,
        roles=sorted(who.roles),
        permissions=sorted(who.permissions),
        grants=_role_grants(who.grants),
        expires_at=_optional_time(None if ends is None else datetime.fromtimestamp(ends, UTC)),
        credential=who.credential,
    )


def _role_grants(grants: Iterable[RoleGrant]) -> list[pb.RoleGrant]:
    return [pb.RoleGrant(role=grant.role, scope=str(grant.scope)) for grant in grants]


def _optional_time(at: datetime | None) -> Timestamp | None:
    return None if at is None else timestamp(at)
