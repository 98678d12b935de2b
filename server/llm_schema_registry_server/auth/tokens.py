"""JSON Web Tokens (RFC 7519, RFC 8725) as access tokens: from the text to the principal that it names."""

from __future__ import annotations

import hashlib
import json
import re
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError

from ..errors import Unauthenticated
from ..model.principal import Principal
from .permissions import PERMISSIONS, Roles
from .signing_keys import SigningKeys

# RFC 7515 3.1. Nothing else: what decoders pass over (RFC 4648 3.3) would make several texts of one token.
_FORM = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")
MOST_TOKEN_BYTES = 16 * 1024
_LONGEST_NAME = 255
_TOKEN = "token "
_OTHERS = ("key:", "cert:")
"""What the names of other kinds of callers begin with, in records."""
_MOST_NAMES = 256
"""Roles or permissions that a token may carry."""
# RFC 9068 2.1 for access tokens; most issuers write JWT or nothing.
_HEADER_TYPES = frozenset({"", "jwt", "at+jwt", "application/at+jwt"})
# Claims by which issuers tell their access tokens from refresh and ID tokens.
_TYPE_CLAIMS = ("token_type", "token_use", "typ")
_ACCESS = frozenset({"access", "access_token", "bearer", "at+jwt", "jwt"})


@dataclass(frozen=True, slots=True)
class TokenRules:
    """What a token must say. issuer, audience: of which one must be named; leeway_seconds: how far clocks may be apart.

    roles_claim, permissions_claim: where a token says what its holder may do, with dots for claims inside claims; "" for
    nowhere. role_names: from the issuer's names of roles to ours; a name that is not in it means our role of that name.
    default_roles: of a token that names none. attribute_claims: from the names of attributes to the claims that say them.
    """

    issuer: str
    audience: frozenset[str]
    leeway_seconds: float = 30.0
    roles_claim: str = "roles"
    permissions_claim: str = "permissions"
    role_names: Mapping[str, str] = field(default_factory=dict)
    default_roles: frozenset[str] = frozenset()
    attribute_claims: Mapping[str, str] = field(default_factory=dict)


class TokenVerifier:
    """Verifies tokens. `clock` gives seconds since 1970."""

    def __init__(self, rules: TokenRules, roles: Roles, clock: Callable[[], float] = time.time) -> None:
        self._rules, self._roles, self._clock = rules, roles, clock

    def verify(self, token: str, keys: SigningKeys) -> Principal:
        """The principal that a token names. Raises Unauthenticated, UnknownKey."""
        header = _header(token)
        algorithm, kid = header.get("alg"), header.get("kid")
        if not isinstance(algorithm, str) or not (kid is None or isinstance(kid, str)):
            raise refused("its header names no algorithm")
        if "crit" in header:
            raise refused("its header demands extensions (`crit`)")
        kind = header.get("typ", "")
        if not isinstance(kind, str) or kind.lower() not in _HEADER_TYPES:
            raise refused("it is no access token (`typ` of its header)")
        key = keys.find(kid, algorithm)
        if key is None:
            raise UnknownKey(kid)
        try:
            verified = jws.deserialize_compact(token, key.key, algorithms=[algorithm])
        except (JoseError, ValueError) as error:
            raise refused("its signature is wrong") from error
        claims = _claims(verified.payload)
        return self.read(claims, id_of(token, claims))

    def read(self, claims: Mapping[str, Any], token_id: str) -> Principal:
        """The principal of a token whose claims are known to be its issuer's. Raises Unauthenticated."""
        expires = self._demand_times(claims)
        rules = self._rules
        if claims.get("iss") != rules.issuer:
            raise refused("it is of another issuer")
        audience = claims.get("aud")
        named = {audience} if isinstance(audience, str) else set(_strings(audience))
        if not named & rules.audience:
            raise refused("it is for another audience")
        for claim in _TYPE_CLAIMS:
            kind = claims.get(claim)
            if kind is not None and not (isinstance(kind, str) and kind.lower() in _ACCESS):
                raise refused(f"it is no access token (claim `{claim}`)")
        name = claims.get("sub")
        if not isinstance(name, str) or not (0 < len(name) <= _LONGEST_NAME and name.isprintable()):
            raise refused(f"its subject (`sub`) must have 1 to {_LONGEST_NAME} printable characters")
        if name.startswith(_OTHERS):
            raise refused(
                f"its subject (`sub`) begins as only API keys and certificates are called: {name[:5]!r}"
            )
        roles = self._roles_of(claims)
        return Principal(
            name,
            self._roles.permissions(roles) | (_names(claims, rules.permissions_claim) & PERMISSIONS),
            expires=expires,
            roles=roles,
            attributes=dict(self._attributes_of(claims)),
            credential=credential_of(token_id),
        )

    def _demand_times(self, claims: Mapping[str, Any]) -> float:
        """When the token expires, leeway included."""
        now, leeway = self._clock(), self._rules.leeway_seconds
        expires = _seconds(claims, "exp")
        if expires is None:
            raise refused("it says not when it expires (`exp`)")
        if now >= expires + leeway:
            raise refused("it has expired")
        for claim in ("nbf", "iat"):
            since = _seconds(claims, claim)
            if since is not None and now < since - leeway:
                raise refused(f"it is not valid yet (`{claim}`)")
        return expires + leeway

    def _attributes_of(self, claims: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        for name, path in self._rules.attribute_claims.items():
            value = _claim(claims, path)
            text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
            if 0 < len(text) <= _LONGEST_NAME and text.isprintable():
                yield name, text

    def _roles_of(self, claims: Mapping[str, Any]) -> frozenset[str]:
        rules = self._rules
        roles = _names(claims, rules.roles_claim)
        return frozenset(rules.role_names.get(role, role) for role in roles) or rules.default_roles


@dataclass(frozen=True, slots=True)
class TokenFacts:
    """What a token says of itself, believed of nobody. expires: `exp`, in seconds since 1970; None when it says none."""

    token_id: str
    expires: float | None
    name: str


def facts_of(token: str) -> TokenFacts:
    """What a token says, whoever has signed it: enough to revoke it, and for nothing else. Raises Unauthenticated."""
    _header(token)
    payload = token.split(".")[1]
    try:
        claims = _claims(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except ValueError as error:
        raise refused("it is no JSON Web Token") from error
    name = claims.get("sub")
    shown = name if isinstance(name, str) and len(name) <= _LONGEST_NAME and name.isprintable() else ""
    return TokenFacts(id_of(token, claims), _seconds(claims, "exp"), shown)


def id_of(token: str, claims: Mapping[str, Any]) -> str:
    """The claim `jti` (RFC 7519 4.1.7); of a token without a usable one, the digest of what its issuer has signed, which nobody
    else can write in another way."""
    given = claims.get("jti")
    if isinstance(given, str) and 0 < len(given) <= _LONGEST_NAME and given.isprintable():
        return given
    return f"sha256:{hashlib.sha256(token.rpartition('.')[0].encode()).hexdigest()}"


def credential_of(token_id: str) -> str:
    """What Principal.credential is for a token."""
    return _TOKEN + token_id


def token_of(credential: str) -> str:
    """The id of the token that `credential_of` makes this credential of."""
    return credential.removeprefix(_TOKEN)


class UnknownKey(Exception):
    """No key that is known fits the token; a newer key set may have it. Its text says why."""

    def __init__(self, kid: str | None) -> None:
        super().__init__(
            "it names no key, and not just one fits" if kid is None else "its key is not known here"
        )


def refused(why: str) -> Unauthenticated:
    """The error of a token that does not count."""
    return Unauthenticated(f"the token is refused: {why}")


def _header(token: str) -> Mapping[str, Any]:
    if len(token) > MOST_TOKEN_BYTES:
        raise refused(f"it has {len(token)} characters; at most {MOST_TOKEN_BYTES} are read")
    if not _FORM.fullmatch(token):
        raise refused("it is no JSON Web Token")
    parts = token.split(".")
    try:
        header = json.loads(urlsafe_b64decode(parts[0] + "=" * (-len(parts[0]) % 4)))
    except (ValueError, RecursionError) as error:
        raise refused("it is no JSON Web Token") from error
    if not isinstance(header, dict):
        raise refused("it is no JSON Web Token")
    return header


def _claims(payload: bytes) -> Mapping[str, Any]:
    try:
        claims = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise refused("its claims are not JSON") from error
    if not isinstance(claims, dict):
        raise refused("its claims are no object")
    return claims


def _seconds(claims: Mapping[str, Any], claim: str) -> float | None:
    value = claims.get(claim)
    if value is None:
        return None
    # A number of JSON may be as large as one likes; NaN compares with nothing.
    if isinstance(value, bool) or not isinstance(value, int | float) or not -1e12 < value < 1e12:
        raise refused(f"its time `{claim}` is not a number of seconds")
    return float(value)


def _names(claims: Mapping[str, Any], path: str) -> frozenset[str]:
    """The names in a claim: a list of them, or one text with spaces between them (RFC 8693 4.2)."""
    value = _claim(claims, path) if path else None
    names = value.split() if isinstance(value, str) else _strings(value)
    return frozenset(names[:_MOST_NAMES])


def _claim(claims: Mapping[str, Any], path: str) -> Any:
    """What a claim says; None when it is not there."""
    value: Any = claims
    for part in (path,) if path in claims else path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _strings(value: Any) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
