"""Settings of authentication: who gets in, and with which roles."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, SecretStr, field_validator, model_validator

from .section import Section


def _separated(value: Any) -> Any:
    return tuple(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_separated)]
"""Names; separated by commas in a variable."""


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


class AuthSettings(Section):
    jwt: JwtSettings = JwtSettings()
    anonymous_roles: Names = ()
    """Roles of callers that show no credentials, where others do; none by default. Separated by commas in a variable."""
    roles: Mapping[str, Names] = {}
    """Roles of your own beside admin, developer, reader and service: from the name to its permissions."""
    insecure: bool = False
    """Whether a server that asks nobody for credentials may listen beyond loopback: everyone who reaches it may then read and
    change everything. `serve --insecure` says the same."""

    @property
    def on(self) -> bool:
        """Whether callers are asked who they are."""
        return self.jwt.on
