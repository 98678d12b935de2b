"""A content as it is stored encrypted: each part sealed with AES-256-GCM (NIST SP 800-38D) under the data key of the content, behind a
header that holds the wrapped data key.

Layout of a part: mark, length of the header (2 bytes), header (JSON: id of the wrapping key, wrapped data key, SHA-256 of the content), nonce
(12 bytes), ciphertext with its tag. The content's digest and the name of the part are authenticated with it, so that no part can be put in the
place of another. What wraps the data key is not: wrapping it anew leaves the rest as it is. An empty part stays empty.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from base64 import b64decode, b64encode
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ...caches.single_flight import SingleFlight
from ...errors import StorageDamaged
from ...model.schema import StoredContent
from .keys import KEY_BYTES, KeyProvider, Wrapped

MARK = b"\xfe\x00sealed 1 "
"""Begins with a byte that no UTF-8 text has: contents are text."""
_NONCE_BYTES = 12
_LONG = 128 * 1024
"""Larger contents are sealed and opened in a thread."""
MOST_DATA_KEYS = 20_000
"""So many unwrapped data keys are remembered, a hundred bytes each."""
_MOST_SEALED_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class _Header:
    wrapped: Wrapped
    digest: str

    @property
    def encoded(self) -> bytes:
        cells = {"k": self.wrapped.key_id, "w": b64encode(self.wrapped.data).decode(), "d": self.digest}
        data = orjson.dumps(cells)
        return MARK + len(data).to_bytes(2, "big") + data


def is_sealed(content: StoredContent) -> bool:
    """Whether a content is stored encrypted."""
    return content.content.startswith(MARK)


class Envelope:
    """Seals and opens contents with data keys that `keys` wraps.

    plaintext: whether contents that are not sealed are taken, which is so until all have been (`rotate-keys`): whoever can write to the
    storage could otherwise put one in the place of a sealed one.
    """

    def __init__(self, keys: KeyProvider, *, plaintext: bool = True) -> None:
        self.keys, self._plaintext = keys, plaintext
        self._data_keys: OrderedDict[Wrapped, bytes] = OrderedDict()
        self._flights: SingleFlight[Wrapped, bytes] = SingleFlight()
        # What was sealed a moment ago: it is staged first, and put then.
        self._sealed: OrderedDict[StoredContent, StoredContent] = OrderedDict()
        self._sealed_bytes = 0

    async def seal(self, content: StoredContent) -> StoredContent:
        """What is to be stored for a content."""
        known = self._sealed.get(content)
        if known is not None:
            return known
        data_key = os.urandom(KEY_BYTES)
        header = _Header(await self.keys.wrap(data_key), content.digest)
        sealed = await _sized(_size(content), lambda: _seal(content, data_key, header))
        self._remember(header.wrapped, data_key)
        self._sealed[content] = sealed
        self._sealed_bytes += _size(content) + _size(sealed)
        while self._sealed_bytes > _MOST_SEALED_BYTES:
            before, after = self._sealed.popitem(last=False)
            self._sealed_bytes -= _size(before) + _size(after)
        return sealed

    async def open(self, stored: StoredContent) -> StoredContent:
        """The content that was sealed. Raises StorageDamaged for one that was altered, or whose key is missing."""
        if not is_sealed(stored):
            if self._plaintext:
                return stored
            raise StorageDamaged(
                "a content is not encrypted, and encryption.plaintext is false; run `schema-registry-server rotate-keys`, or restore "
                "it from a backup"
            )
        header = _header_of(stored)
        data_key = await self._data_key(header.wrapped)
        return await _sized(_size(stored), lambda: _open(stored, data_key, header))

    async def resealed(self, stored: StoredContent, newest: str) -> StoredContent | None:
        """A stored content with its data key wrapped by the newest key of the provider, or sealed when it was not; None when it is so
        already."""
        if not is_sealed(stored):
            return await self.seal(stored)
        header = _header_of(stored)
        if header.wrapped.key_id == newest:
            return None
        wrapped = await self.keys.wrap(await self._data_key(header.wrapped))
        return _with_header(stored, _Header(wrapped, header.digest))

    async def _data_key(self, wrapped: Wrapped) -> bytes:
        known = self._data_keys.get(wrapped)
        if known is not None:
            self._data_keys.move_to_end(wrapped)
            return known
        return await self._flights.run(wrapped, lambda: self._unwrap(wrapped))

    async def _unwrap(self, wrapped: Wrapped) -> bytes:
        data_key = await self.keys.unwrap(wrapped)
        if len(data_key) != KEY_BYTES:
            raise StorageDamaged("a data key has a wrong length: it was altered")
        self._remember(wrapped, data_key)
        return data_key

    def _remember(self, wrapped: Wrapped, data_key: bytes) -> None:
        self._data_keys[wrapped] = data_key
        if len(self._data_keys) > MOST_DATA_KEYS:
            self._data_keys.popitem(last=False)


def _seal(content: StoredContent, data_key: bytes, header: _Header) -> StoredContent:
    cipher, head = AESGCM(data_key), header.encoded

    def part(name: str, data: bytes) -> bytes:
        if not data and name != "content":
            return data
        nonce = os.urandom(_NONCE_BYTES)
        return head + nonce + cipher.encrypt(nonce, data, _about(header, name))

    body = part("content", content.content)
    return StoredContent(
        body,
        hashlib.sha256(body).hexdigest(),
        part("canonical", content.canonical),
        part("artifact", content.artifact),
    )


def _open(stored: StoredContent, data_key: bytes, header: _Header) -> StoredContent:
    cipher, head = AESGCM(data_key), header.encoded

    def part(name: str) -> bytes:
        data: bytes = getattr(stored, name)
        if not data and name != "content":
            return data
        if not data.startswith(head):
            raise StorageDamaged(
                "a part of an encrypted content belongs to another one; restore it from a backup"
            )
        nonce = data[len(head) : len(head) + _NONCE_BYTES]
        try:
            return cipher.decrypt(nonce, data[len(head) + _NONCE_BYTES :], _about(header, name))
        except (InvalidTag, ValueError) as error:
            raise StorageDamaged("an encrypted content was altered; restore it from a backup") from error

    return StoredContent(part("content"), header.digest, part("canonical"), part("artifact"))


def _about(header: _Header, part: str) -> bytes:
    return f"{part} {header.digest}".encode()


def _header_of(stored: StoredContent) -> _Header:
    data = stored.content
    start = len(MARK) + 2
    size = int.from_bytes(data[len(MARK) : start], "big")
    try:
        match orjson.loads(data[start : start + size]):
            case {"k": str(key_id), "w": str(wrapped), "d": str(digest)}:
                header = _Header(Wrapped(key_id, b64decode(wrapped, validate=True)), digest)
                if data.startswith(header.encoded):
                    return header
    except ValueError as error:  # of JSON and of base64
        raise StorageDamaged(
            "the header of an encrypted content cannot be read; restore it from a backup"
        ) from error
    raise StorageDamaged("the header of an encrypted content was altered; restore it from a backup")


def _with_header(stored: StoredContent, header: _Header) -> StoredContent:
    """The same ciphertext behind another header."""
    old, new = len(_header_of(stored).encoded), header.encoded
    content, canonical, artifact = (
        new + data[old:] if data else data for data in (stored.content, stored.canonical, stored.artifact)
    )
    return StoredContent(content, hashlib.sha256(content).hexdigest(), canonical, artifact)


def _size(content: StoredContent) -> int:
    return len(content.content) + len(content.canonical) + len(content.artifact)


async def _sized(size: int, work: Callable[[], StoredContent]) -> StoredContent:
    return work() if size <= _LONG else await asyncio.to_thread(work)
