"""Keys that wrap data keys: the protocol of whoever has them, and those that the settings give."""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ...errors import StorageDamaged

KEY_BYTES = 32
_NONCE_BYTES = 12
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_MOST_KEYS = 100


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A data key that only the provider can unwrap. key_id: with which of its keys it was wrapped."""

    key_id: str
    data: bytes


class KeyProvider(Protocol):
    """Has keys and lends their use. All methods raise StorageUnavailable when it cannot be asked."""

    async def open(self) -> None:
        """Prepares for use. Raises Unavailable when its keys cannot be used."""
        ...

    async def close(self) -> None: ...

    async def wrap(self, data_key: bytes) -> Wrapped:
        """Wraps with the newest key."""
        ...

    async def unwrap(self, wrapped: Wrapped) -> bytes:
        """The data key. Raises StorageDamaged when it was wrapped with no key that the provider has, or was altered."""
        ...

    async def newest(self) -> str:
        """The id of the key that `wrap` uses now."""
        ...


class LocalKeys:
    """Keys in the memory of this process, by id; the first one is the newest. AES-256-GCM, the id authenticated with it."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        self._keys = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self._newest = next(iter(self._keys))

    async def open(self) -> None:
        """Nothing is needed."""

    async def close(self) -> None:
        """Nothing is held."""

    async def wrap(self, data_key: bytes) -> Wrapped:
        """See KeyProvider."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._keys[self._newest].encrypt(nonce, data_key, self._newest.encode())
        return Wrapped(self._newest, nonce + sealed)

    async def unwrap(self, wrapped: Wrapped) -> bytes:
        """See KeyProvider."""
        key = self._keys.get(wrapped.key_id)
        if key is None:
            raise StorageDamaged(
                f"a content is encrypted with key {wrapped.key_id[:64]!r}, which is not among the encryption keys; add it again"
            )
        try:
            return key.decrypt(
                wrapped.data[:_NONCE_BYTES], wrapped.data[_NONCE_BYTES:], wrapped.key_id.encode()
            )
        except (InvalidTag, ValueError) as error:
            raise StorageDamaged(
                f"a data key cannot be unwrapped with key {wrapped.key_id!r}: it was altered, or the key is another one"
            ) from error

    async def newest(self) -> str:
        """See KeyProvider."""
        return self._newest


def read_keys(text: str) -> Mapping[str, bytes]:
    """Keys written as `id:base64 of 32 bytes`, one a line or separated by commas, the newest first; lines that begin with # say
    something. Raises ValueError, which names no key."""
    found: dict[str, bytes] = {}
    lines = [line.strip() for line in text.replace(",", "\n").splitlines()]
    for number, line in enumerate((line for line in lines if line and not line.startswith("#")), 1):
        key_id, colon, encoded = line.partition(":")
        if not colon or not _ID.fullmatch(key_id):
            raise ValueError(
                f"encryption key {number} is not written as id:base64 (letters, digits and ._- in the id)"
            )
        try:
            key = base64.b64decode(encoded.strip(), validate=True)
        except binascii.Error:
            key = b""
        if len(key) != KEY_BYTES:
            raise ValueError(
                f"encryption key {number} is not the base64 of {KEY_BYTES} bytes (openssl rand -base64 32)"
            )
        if key_id in found:
            raise ValueError(f"two encryption keys are called {key_id!r}")
        found[key_id] = key
    if not found:
        raise ValueError("there is no encryption key")
    if len(found) > _MOST_KEYS:
        raise ValueError(
            f"there are more than {_MOST_KEYS} encryption keys; run rotate-keys and remove old ones"
        )
    return found
