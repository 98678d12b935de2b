"""Settings of authentication: who gets in, and with which roles."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BeforeValidator, Field, SecretStr, field_validator, model_validator

from ..errors import InvalidRequest
from ..model.grant import parse_holder
from ..model.scope import Scope
from .section import Section

T = TypeVar("T")


def _separated(value: Any) -> Any:
    return tuple(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_separated)]
"""Names; separated by commas in a variable."""


def _parsed(parse: Callable[[str], T], text: str) -> T:
    """What `parse` makes of a text. Raises ValueError, which says what is wrong."""
    try:
        return parse(text)
    except InvalidRequest as error:
        raise ValueError(error.violations[0].description) from error


def _scopes(texts: tuple[str, ...]) -> tuple[str, ...]:
    if not texts:
        raise ValueError("names no subjects; write '*' for all")
    return tuple(str(_parsed(Scope.parse, text)) for text in texts)


class JwtSettings(Section):
    issuer: str = ""
    """Who issues the tokens: their claim `iss` must be this."""
    audience: Names = ()
    """For whom they are: their claim `aud` must name one of these. Separated by commas in a variable."""
    keys_file: Path | None = None
    """A file with the issuer's keys: a JSON Web Key Set (RFC 7517). It is read anew every `refresh_seconds`."""
    keys_url: str = ""
    """Where the issuer publishes its keys (`jwks_uri`); https, or http on loopback."""
    secret: SecretStr | None = None
    """A secret of at least 32 bytes that the issuer shares with the server, for tokens signed with HS256."""
    refresh_seconds: float = Field(300.0, ge=1)
    """How often the keys are read anew. A token that names an unknown key has them read at once, at most every 10 s."""
    leeway_seconds: float = Field(30.0, ge=0, le=600)
    """How far the clocks of issuer and server may be apart."""
    cache_seconds: float = Field(60.0, gt=0, le=3600)
    """How long a verified token counts without being verified again; never after it has expired."""
    roles_claim: str = "roles"
    """The claim that names the roles of a token's holder; dots lead into claims (`realm_access.roles`). Empty: none."""
    permissions_claim: str = "permissions"
    """The claim that names permissions beside those of the roles (`scope`); other names in it are ignored. Empty: none."""
    attribute_claims: Mapping[Literal["department", "clearance"], str] = {}
    """What access policies know of a token's holder: from `department` and `clearance` (0 to 5) to the claims that say them; dots lead
    into claims."""
    role_names: Mapping[str, str] = {}
    """From roles as the issuer names them to roles of this server; one that is not named here means the role of its name."""
    default_roles: Names = ()
    """Roles of tokens that name none. Separated by commas in a variable."""

    @property
    def on(self) -> bool:
        """Whether tokens are taken."""
        return bool(self.keys_file or self.keys_url or self.secret)

    @field_validator("keys_url")
    @classmethod
    def _https(cls, url: str) -> str:
        if url and not url.startswith(("https://", "http://")):
            raise ValueError("must start with https:// (http:// is taken for loopback only)")
        return url

    @model_validator(mode="after")
    def _whole(self) -> JwtSettings:
        sources = [name for name in ("keys_file", "keys_url", "secret") if getattr(self, name)]
        if len(sources) > 1:
            raise ValueError(f"give one of {' and '.join(sources)}, not both: they are keys of one issuer")
        missing = [name for name in ("issuer", "audience") if not getattr(self, name)]
        if sources and missing:
            raise ValueError(
                f"{' and '.join(missing)} must be set too: a token that the same keys signed for somebody else is no use here"
            )
        return self


class CertificatesSettings(Section):
    """What certificates of clients say about them, where listeners ask for one (`tls.client_certificates`)."""

    identity: Annotated[
        tuple[Literal["uri", "dns", "email", "cn"], ...], BeforeValidator(_separated), Field(min_length=1)
    ] = ("uri", "dns", "email")
    """Which names of a certificate tell who shows it, tried in this order: `uri`, `dns` and `email` of its subject alternative name,
    `cn` the common name of its subject. The first name of the first kind counts. Separated by commas in a variable."""
    roles: Mapping[str, Names] = {}
    """From names, with their kind, to roles: `"uri:spiffe://prod/ns/llm/*" = ["service"]`; `*` stands for any characters, `?`
    for one. Who fits several has the roles of all."""
    default_roles: Names = ()
    """Roles of those whose name fits none. Separated by commas in a variable."""

    @field_validator("roles")
    @classmethod
    def _with_kinds(cls, roles: Mapping[str, Names]) -> Mapping[str, Names]:
        for name in roles:
            kind, colon, rest = name.partition(":")
            if not (colon and rest and kind in ("uri", "dns", "email", "cn")):
                raise ValueError(
                    f"{name!r}: write the kind first, such as `dns:{name}`, `uri:`, `email:` or `cn:`"
                )
        return roles


class UserSettings(Section):
    password_hash: SecretStr
    """An Argon2id hash, as `schema-registry-server hash-password` makes one."""
    roles: Names = ()
    """Separated by commas in a variable."""


class PasswordSettings(Section):
    users: Mapping[str, UserSettings] = {}
    """Users by name, each with `password_hash` and `roles`; they log in by `authorization: Basic`."""
    users_file: Path | None = None
    """A TOML file with such tables, `[users.ada]`. It is read anew when it has changed."""
    cache_seconds: float = Field(300.0, gt=0, le=3600)
    """How long a verified password counts without being verified again, unless the user has changed."""
    checks: int = Field(1, ge=1, le=64)
    """So many passwords are verified at the same time; each takes about 64 MiB and 50 ms of a processor."""

    @property
    def on(self) -> bool:
        """Whether there are users."""
        return bool(self.users or self.users_file)


class GrantSettings(Section):
    to: str
    """Who holds the role: `user:ada`, `role:team` (whoever has that role by a token), `*` (whoever shows credentials) or `anonymous`."""
    role: str
    """A role of this server."""
    on: Names = ("*",)
    """On which subjects: `orders.*`, `orders.created`, `:.staging:*` (a context), `*` (everything)."""

    @field_validator("to")
    @classmethod
    def _holder(cls, to: str) -> str:
        return _parsed(parse_holder, to)

    @field_validator("on")
    @classmethod
    def _scopes(cls, on: tuple[str, ...]) -> tuple[str, ...]:
        return _scopes(on)


class CreateSettings(Section):
    on: Names
    """Subjects, as in `auth.grants`."""
    by: Names = ()
    """Who registers new content there, of those who may write: holders as in `auth.grants`. For all others RegisterSchema only looks
    up: content that is known is answered, and nothing is added."""

    @field_validator("on")
    @classmethod
    def _scopes(cls, on: tuple[str, ...]) -> tuple[str, ...]:
        return _scopes(on)

    @field_validator("by")
    @classmethod
    def _holders(cls, by: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_parsed(parse_holder, holder) for holder in by)


class OidcSettings(Section):
    issuer: str = ""
    """The address of a provider of OpenID Connect, exactly as its tokens name it (`iss`). Its keys are found by what it publishes at
    ISSUER/.well-known/openid-configuration; `auth.jwt` says what else its tokens must have."""
    introspection: Literal["never", "opaque", "always"] = "never"
    """Whether the provider is asked about tokens (RFC 7662): `opaque` about those that are no JSON Web Tokens, `always` about all, so
    that one that it has revoked does not count after `cache_seconds`."""
    introspection_url: str = ""
    """Where it answers; what it publishes (`introspection_endpoint`) when not given."""
    client_id: str = ""
    """What this server is called by the provider, when it asks."""
    client_secret: SecretStr | None = None
    """Its secret there."""
    cache_seconds: float = Field(30.0, gt=0, le=3600)
    """How long an answer about a token counts."""

    @model_validator(mode="after")
    def _whole(self) -> OidcSettings:
        if self.introspection != "never":
            missing = [name for name in ("issuer", "client_id", "client_secret") if not getattr(self, name)]
            if missing:
                raise ValueError(f"{' and '.join(missing)} must be set too, to ask the provider about tokens")
        return self


class ApiKeySettings(Section):
    enabled: bool = False
    """Whether API keys are taken. `schema-registry-server create-key` makes the first one."""
    most: int = Field(10_000, ge=1, le=1_000_000)
    """So many keys there may be."""
    cache_seconds: float = Field(60.0, gt=0, le=3600)
    """How long a verified key counts without being looked up again. A change of a key is known to all servers within a second; this
    bounds it for one that is cut off from the storage."""


class AuthSettings(Section):
    jwt: JwtSettings = JwtSettings()
    certificates: CertificatesSettings = CertificatesSettings()
    oidc: OidcSettings = OidcSettings()
    api_keys: ApiKeySettings = ApiKeySettings()
    passwords: PasswordSettings = PasswordSettings()
    lockout_seconds: float = Field(60.0, ge=0, le=86400)
    """The longest that an address waits after wrong API keys and passwords, and that all wait with passwords of a user whose password
    was wrong: the first ten cost nothing, then 1 s, 2 s, 4 s ... Credentials that are known to be good are taken meanwhile. 0: nobody
    waits."""
    revoked_tokens: int = Field(100_000, ge=1, le=1_000_000)
    """So many tokens may be revoked at the same time; each server has them in memory."""
    anonymous_roles: Names = ()
    """Roles of callers that show no credentials, where others do; none by default. Separated by commas in a variable."""
    roles: Mapping[str, Names] = {}
    """Roles of your own beside admin, developer, reader and service: from the name to its permissions."""
    ticket_secret: SecretStr | None = Field(None, min_length=32)
    """A secret that replicas share, at least 32 characters, with which they seal tickets for WebSockets (docs/http.md). Not given: a
    ticket is good only on the server that has made it."""
    grants: tuple[GrantSettings, ...] = ()
    """Roles on some subjects, beside those that credentials name, which hold everywhere: tables with `to`, `role` and `on`. More are
    managed at run time (AdminService, `schema-registry grants`)."""
    create: tuple[CreateSettings, ...] = ()
    """Where only some register what is new: tables with `on` and `by`."""
    policies: bool = True
    """Whether the access policies that are set at run time (SetPolicies) have a say. False is the way back in for whoever has locked
    himself out."""
    most_grants: int = Field(10_000, ge=0, le=100_000)
    """So many grants may be managed at run time; each server has them in memory."""
    insecure: bool = False
    """Whether a server that asks nobody for credentials may listen beyond loopback: everyone who reaches it may then read and
    change everything. `serve --insecure` says the same."""

    @model_validator(mode="after")
    def _one_issuer(self) -> AuthSettings:
        if not self.oidc.issuer:
            return self
        if self.jwt.on:
            raise ValueError("auth.jwt has keys of its own: auth.oidc.issuer finds them, give one of the two")
        if self.jwt.issuer not in ("", self.oidc.issuer):
            raise ValueError("auth.jwt.issuer is another one than auth.oidc.issuer; leave it out")
        if not self.jwt.audience:
            raise ValueError(
                "auth.jwt.audience must be set too: a token that the provider issued for somebody else is no use here"
            )
        return self

    @property
    def tokens_on(self) -> bool:
        """Whether bearer tokens are taken."""
        return self.jwt.on or bool(self.oidc.issuer)

    @property
    def on(self) -> bool:
        """Whether callers are asked who they are."""
        return self.tokens_on or self.api_keys.enabled or self.passwords.on
