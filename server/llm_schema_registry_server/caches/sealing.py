"""Bytes that leave for a place where others may write: sealed, so that what comes back is what was put there. Pure.

Layout: 4 bytes mark and format, 16 bytes BLAKE2b over the key's name and the content, the content. The name is part of
the sum, so that an answer to another question is not taken for this one.
"""

from __future__ import annotations

import hashlib
import hmac

FORMAT = b"LSR\x01"
_SUM_BYTES = 16
OVERHEAD = len(FORMAT) + _SUM_BYTES
"""Bytes that sealing adds."""


def key_of(secret: str) -> bytes:
    """A secret of any length as a key for `seal`."""
    return hashlib.blake2b(secret.encode(), person=b"LSR sealing key").digest()


def seal(name: str, content: bytes, key: bytes = b"") -> bytes:
    """`content` with its sum. With a `key` (of `key_of`) only those who have it can make one."""
    return b"".join((FORMAT, _sum(name, content, key), content))


def unseal(name: str, sealed: bytes, key: bytes = b"") -> bytes | None:
    """What was sealed under this name; None when it was not, or was changed since."""
    if not sealed.startswith(FORMAT) or len(sealed) < OVERHEAD:
        return None
    content = sealed[OVERHEAD:]
    found = sealed[len(FORMAT) : OVERHEAD]
    return content if hmac.compare_digest(found, _sum(name, content, key)) else None


def _sum(name: str, content: bytes, key: bytes) -> bytes:
    raw = name.encode()
    digest = hashlib.blake2b(len(raw).to_bytes(4, "big"), digest_size=_SUM_BYTES, key=key)
    digest.update(raw)
    digest.update(content)
    return digest.digest()
