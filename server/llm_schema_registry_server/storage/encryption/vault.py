"""Keys that stay in a secrets engine `transit` of HashiCorp Vault or OpenBao: it wraps and unwraps, and never shows a key.

https://developer.hashicorp.com/vault/api-docs/secret/transit: POST {mount}/encrypt/{key}, POST {mount}/decrypt/{key}.
"""

from __future__ import annotations

import asyncio
import os
import re
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import orjson

from ... import settings
from ...errors import StorageDamaged, StorageUnavailable
from .keys import KEY_BYTES, Wrapped

_MOST_ANSWER_BYTES = 64 * 1024
_VERSIONED = re.compile(r"vault:v(\d{1,9}):[A-Za-z0-9+/=]{1,4096}")
_ATTEMPTS = 2


class VaultTransit:
    """A KeyProvider. The token is read from its file again when Vault refuses it: agents renew it there.

    The id of a key is `name:vN`, N being the version that Vault says; `vault write -f transit/keys/NAME/rotate` makes a newer one.
    """

    def __init__(self, options: settings.VaultSettings) -> None:
        self._options = options
        self._key = quote(options.key, safe="")
        self._token = ""
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Asks once, so that a server that cannot read its contents does not start."""
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=self._options.timeout_seconds)
        )
        try:
            probe = os.urandom(KEY_BYTES)
            if await self.unwrap(await self.wrap(probe)) != probe:
                raise StorageUnavailable("Vault does not give back what it was given")
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Closes the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def wrap(self, data_key: bytes) -> Wrapped:
        """See KeyProvider."""
        answer = await self._ask("encrypt", {"plaintext": b64encode(data_key).decode()})
        text = answer.get("ciphertext")
        found = _VERSIONED.fullmatch(text) if isinstance(text, str) else None
        if found is None:
            raise StorageUnavailable("Vault answers something else than a ciphertext")
        return Wrapped(f"{self._options.key}:v{found[1]}", found[0].encode())

    async def unwrap(self, wrapped: Wrapped) -> bytes:
        """See KeyProvider."""
        text = wrapped.data.decode("ascii", "replace")
        if not _VERSIONED.fullmatch(text):
            raise StorageDamaged(
                "a data key was not wrapped by Vault: it was altered, or encryption.provider is another one now"
            )
        answer = await self._ask("decrypt", {"ciphertext": text})
        try:
            return b64decode(answer["plaintext"], validate=True)
        except (KeyError, TypeError, ValueError) as error:
            raise StorageUnavailable("Vault answers something else than a plaintext") from error

    async def newest(self) -> str:
        """See KeyProvider."""
        return (await self.wrap(os.urandom(KEY_BYTES))).key_id

    async def _ask(self, verb: str, body: dict[str, str]) -> dict[str, Any]:
        """What Vault answers. Raises StorageDamaged for what it cannot decrypt, StorageUnavailable otherwise."""
        if not self._token:
            await self._read_token()
        for attempt in range(_ATTEMPTS):
            status, answer = await self._post(verb, body)
            if status == 200:
                data = answer.get("data")
                if isinstance(data, dict):
                    return data
                raise StorageUnavailable("Vault answers without data")
            if status != 403 or attempt:
                break
            await self._read_token()
        if status == 400 and verb == "decrypt":
            raise StorageDamaged(
                f"Vault cannot unwrap a data key with key {self._options.key!r}: it was altered, or that version of the key is gone"
            )
        raise StorageUnavailable(
            f"Vault refuses to {verb} with key {self._options.key!r} (status {status}); check encryption.vault",
            status=status,
        )

    async def _post(self, verb: str, body: dict[str, str]) -> tuple[int, dict[str, Any]]:
        if self._session is None:
            raise StorageUnavailable("the connection to Vault is not open")
        address = self._options.address.rstrip("/")
        headers = {"x-vault-token": self._token, "x-vault-request": "true"}
        if self._options.namespace:
            headers["x-vault-namespace"] = self._options.namespace
        try:
            async with self._session.post(
                f"{address}/v1/{self._options.mount.strip('/')}/{verb}/{self._key}",
                json=body,
                headers=headers,
                allow_redirects=False,
            ) as answer:
                found = bytearray()
                while len(found) <= _MOST_ANSWER_BYTES and (
                    part := await answer.content.read(_MOST_ANSWER_BYTES)
                ):
                    found += part
                status = answer.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise StorageUnavailable(
                "Vault cannot be reached, without which contents can neither be encrypted nor read",
                inside=type(error).__name__,
            ) from error
        try:
            read = orjson.loads(bytes(found)) if len(found) <= _MOST_ANSWER_BYTES else {}
        except orjson.JSONDecodeError:
            read = {}
        return status, read if isinstance(read, dict) else {}

    async def _read_token(self) -> None:
        file = self._options.token_file
        if file is None:
            token = self._options.token
            self._token = token.get_secret_value() if token else ""
            return
        try:
            self._token = (await asyncio.to_thread(_content, file)).strip()
        except (OSError, UnicodeDecodeError) as error:
            raise StorageUnavailable(
                f"encryption.vault.token_file cannot be read: {type(error).__name__}"
            ) from error


def _content(file: Path) -> str:
    with file.open("rb") as opened:
        return opened.read(65536).decode()
