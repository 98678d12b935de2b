"""The messages of a call as they arrive: how long they say they are, and how long they become when they are unpacked.

An engine that has no limit of its own must not be given a message that is too large, nor the last byte of one that unpacks to more.
"""

from __future__ import annotations

import struct
import zlib
from collections import Counter

_PREFIX = struct.Struct(">BL")
"""Whether it is compressed, and its length (gRPC over HTTP/2, Length-Prefixed-Message)."""
PREFIX_BYTES = 5
_GZIP_OR_ZLIB = 47
_PIECE_BYTES = 1024
"""Of a compressed message looked at in one step."""
MOST_AT_ONCE = 1032 * _PIECE_BYTES
"""What can come out of it (zlib's technical details, "Maximum Compression Factor"); that takes some milliseconds."""
_OUT_BYTES = 64 * 1024


class TooLarge(Exception):
    """A message is longer than it may be. `size`: that it has; None: of what it unpacks to only the beginning was looked at."""

    def __init__(self, size: int | None) -> None:
        super().__init__(size)
        self.size = size


class Messages:
    """Of one stream. `most`: bytes that each may have, packed and unpacked."""

    __slots__ = ("_inflater", "_left", "_most", "_prefix", "_unpacked", "largest_unpacked", "whole")

    def __init__(self, most: int) -> None:
        self._most = most
        self._prefix = b""
        self._left = 0
        self._inflater: zlib._Decompress | None = None
        self._unpacked = 0
        self.whole = False
        """Whether a message has come as a whole."""
        self.largest_unpacked = 0
        """Bytes of the largest compressed message so far that has come as a whole, once unpacked."""

    @property
    def between(self) -> bool:
        """Whether no message has begun that has not ended."""
        return not self._left and not self._prefix

    @property
    def step(self) -> int:
        """How many bytes to look at next: the rest of a prefix, of a message, or a piece of one that is to be unpacked."""
        if not self._left:
            return PREFIX_BYTES - len(self._prefix)
        return self._left if self._inflater is None else min(self._left, _PIECE_BYTES)

    def feed(self, data: bytes) -> int:
        """The next bytes of the stream. How many came out of what was unpacked. Raises TooLarge."""
        at, size, unpacked = 0, len(data), 0
        while at < size:
            if not self._left:
                needed = PREFIX_BYTES - len(self._prefix)
                self._prefix += data[at : at + needed]
                at += needed
                if len(self._prefix) < PREFIX_BYTES:
                    break
                self._begin()
                continue
            taken = data[at : at + self._left]
            if self._inflater is not None:
                unpacked += self._unpack(taken)
            at += len(taken)
            self._left -= len(taken)
            self.whole = self.whole or not self._left
            if not self._left and self._inflater is not None:
                self._inflater = None
                self.largest_unpacked = max(self.largest_unpacked, self._unpacked)
        return unpacked

    def _begin(self) -> None:
        compressed, size = _PREFIX.unpack(self._prefix)
        if size > self._most:
            raise TooLarge(size)
        self._prefix, self._left, self._unpacked = b"", size, 0
        self.whole = self.whole or not size
        self._inflater = zlib.decompressobj(_GZIP_OR_ZLIB) if compressed and size else None

    def _unpack(self, data: bytes) -> int:
        """How many bytes come out. What is neither gzip nor zlib cannot be unpacked by the engine either, which says so."""
        before = self._unpacked
        while self._inflater is not None:
            try:
                out = len(self._inflater.decompress(data, _OUT_BYTES))
            except zlib.error:
                self._inflater = None
                break
            self._unpacked += out
            if self._unpacked > self._most:
                raise TooLarge(None)
            data = self._inflater.unconsumed_tail
            if self._inflater.eof:  # some readers go on with the next member (RFC 1952 2.2)
                data = self._inflater.unused_data
                if not data:
                    break
                self._inflater = zlib.decompressobj(_GZIP_OR_ZLIB)
            elif not data and out < _OUT_BYTES:
                break
        return self._unpacked - before


class UnpackedBytes:
    """What compressed messages take in an engine until their calls end: at most `per_caller` bytes of one caller, `total` of all."""

    def __init__(self, per_caller: int, total: int) -> None:
        self._per_caller, self._total = per_caller, total
        self._callers: Counter[str] = Counter()
        self._all = 0

    def take(self, caller: str, size: int) -> bool:
        """Notes some more, if there is room."""
        if self._callers[caller] + size > self._per_caller or self._all + size > self._total:
            if not self._callers[caller]:
                del self._callers[caller]
            return False
        self._callers[caller] += size
        self._all += size
        return True

    def release(self, caller: str, size: int) -> None:
        """They are gone."""
        self._all -= size
        self._callers[caller] -= size
        if not self._callers[caller]:
            del self._callers[caller]
