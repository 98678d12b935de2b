"""Identifiers that the registry makes itself."""

from __future__ import annotations

import os
import struct
import threading
import time
import uuid
from collections.abc import Iterator

_lock = threading.Lock()
_last_ms = 0
_counter = 0
_POOL_BYTES = 4096
"""Random bytes asked of the system at a time: each request costs more than all else about an id."""


def _random_words() -> Iterator[int]:
    while True:
        for (word,) in struct.iter_unpack("Q", os.urandom(_POOL_BYTES)):
            yield word


_words = _random_words()


def new_schema_id() -> str:
    """A UUIDv7 (RFC 9562, 5.7) that sorts after every one that this process made before (method 1 of 6.2)."""
    global _last_ms, _counter
    with _lock:
        now = time.time_ns() // 1_000_000
        if now > _last_ms:
            _last_ms, _counter = now, next(_words) >> 53
        else:
            _counter += 1
            if _counter > 0xFFF:
                _last_ms, _counter = _last_ms + 1, next(_words) >> 53
        milliseconds, counter, word = _last_ms, _counter, next(_words)
    value = (milliseconds & (1 << 48) - 1) << 80 | 0x7 << 76 | counter << 64 | 0b10 << 62
    digits = f"{value | word >> 2:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def is_schema_id(text: str) -> bool:
    """Whether `text` is written as a UUID in canonical form."""
    if len(text) != 36:
        return False
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False
