"""Settings of the encryption of stored contents."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from .section import Section
from .urls import check_https


class VaultSettings(Section):
    address: str = ""
    """Where Vault (or OpenBao) answers: https, or http on loopback."""
    mount: str = Field("transit", pattern=r"^[A-Za-z0-9._/-]{1,200}$")
    """The path at which the secrets engine `transit` is mounted."""
    key: str = Field("", pattern=r"^[A-Za-z0-9._-]{0,200}$")
    """The name of the key there, of type aes256-gcm96 or another one that encrypts."""
    token: SecretStr | None = None
    """A token that may `update` {mount}/encrypt/{key} and {mount}/decrypt/{key}."""
    token_file: Path | None = None
    """A file with the token, which is read again when Vault refuses the one before (as Vault Agent writes it)."""
    namespace: str = Field("", pattern=r"^[!-~]{0,200}$")
    """The namespace, where there are any."""
    timeout_seconds: float = Field(3.0, gt=0, le=60)
    """Longest wait for an answer."""

    @field_validator("address")
    @classmethod
    def _https(cls, address: str) -> str:
        if address:
            check_https(address)
        return address


class EncryptionSettings(Section):
    """Encryption of contents in the storage and in the object store. Each has a data key of its own, which a key of the provider wraps."""

    provider: Literal["none", "environment", "file", "vault"] = "none"
    """Who has the keys: `environment` (`keys`), `file` (`keys_file`), `vault`; `none`: contents are not encrypted."""
    keys: SecretStr | None = None
    """Keys as `id:base64 of 32 bytes`, separated by commas, the newest first; older ones are needed until `schema-registry-server
    rotate-keys` is through."""
    keys_file: Path | None = None
    """A file with such keys, one a line."""
    vault: VaultSettings = VaultSettings()
    plaintext: bool = True
    """Whether contents that are not encrypted are still read. Set it to false when rotate-keys is through: then nobody who can write to the
    storage puts one in the place of an encrypted one."""

    @model_validator(mode="after")
    def _has_keys(self) -> Self:
        wanted = {"environment": "keys", "file": "keys_file"}.get(self.provider)
        if wanted is not None and getattr(self, wanted) is None:
            raise ValueError(f"provider {self.provider} needs {wanted}")
        vault = self.vault
        if self.provider == "vault":
            missing = [name for name in ("address", "key") if not getattr(vault, name)]
            if missing:
                raise ValueError(f"provider vault needs {' and '.join(f'vault.{name}' for name in missing)}")
            if (vault.token is None) == (vault.token_file is None):
                raise ValueError("provider vault needs one of vault.token and vault.token_file")
        return self
