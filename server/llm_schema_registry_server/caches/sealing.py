"""Bytes for a place where others may write, with a checksum or signature, so that what is read is what was put there. Pure.

Layout: 4 bytes mark and format, 16 bytes BLAKE2b over the key's name and the content, the content. The name is part of
the checksum, so that a value moved from another key is not accepted.
"""

from __future__ import annotations

import hashlib
import hmac

FORMAT = b"LSR\x01"
_CHECKSUM_BYTES = 16
OVERHEAD = len(FORMAT) + _CHECKSUM_BYTES
"""Bytes that sealing adds."""


def key_of(secret: str) -> bytes:
    """A secret of any length as a key for `seal`."""
    return hashlib.blake2b(secret.encode(), person=b"LSR sealing key").digest()


def seal(name: str, content: bytes, key: bytes = b"") -> bytes:
    """`content` with its checksum. With a `key` (from `key_of`) it is a signature, which only those who have the key can make."""
    return b"".join((FORMAT, _checksum(name, content, key), content))


def unseal(name: str, sealed: bytes, key: bytes = b"") -> bytes | None:
    """The content that was sealed under this name; None when `sealed` is not what `seal` returned for it."""
    if not sealed.startswith(FORMAT) or len(sealed) < OVERHEAD:
        return None
    content = sealed[OVERHEAD:]
    found = sealed[len(FORMAT) : OVERHEAD]
    return content if hmac.compare_digest(found, _checksum(name, content, key)) else None


def _checksum(name: str, content: bytes, key: bytes) -> bytes:
    raw = name.encode()
    digest = hashlib.blake2b(len(raw).to_bytes(4, "big"), digest_size=_CHECKSUM_BYTES, key=key)
    digest.update(raw)
    digest.update(content)
    return digest.digest()
