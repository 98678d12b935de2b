"""The bytes behind string literals of .proto text (https://protobuf.dev/reference/protobuf/proto3-spec/#string_literals). Pure."""

from __future__ import annotations

import re

_ESCAPE = re.compile(
    rb"\\(?:(?P<octal>[0-7]{1,3})|[xX](?P<hex>[0-9a-fA-F]{1,2})"
    rb"|u(?P<high>[dD][89abAB][0-9a-fA-F]{2})\\u(?P<low>[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|u(?P<short>[0-9a-fA-F]{4})|U(?P<long>[0-9a-fA-F]{8})|.)",
    re.DOTALL,
)
_BYTES = re.compile(rb"\\[0-7xXuU]")
_LAST = 0x10FFFF


def may_be_no_text(source: bytes) -> bool:
    """Whether any literal in it may stand for bytes that are not UTF-8."""
    return _BYTES.search(source) is not None


def unescaped(literal: bytes) -> bytes:
    """What a literal, with its quotes, stands for. Escapes that name a character are replaced by a question mark: nothing depends on
    which one it is."""
    inner = literal[1:-1]
    return _ESCAPE.sub(_meant, inner) if b"\\" in inner else inner


def _meant(escape: re.Match[bytes]) -> bytes:
    kind = escape.lastgroup
    if kind is None:
        return b"?"
    if kind == "octal":
        return bytes([int(escape["octal"], 8) & 0xFF])
    if kind == "hex":
        return bytes([int(escape["hex"], 16)])
    if kind == "low":  # both halves of a character beyond U+FFFF
        return b"?"
    code = int(escape[kind], 16)
    return chr(code).encode("utf-8", "surrogatepass") if code <= _LAST else b"?"


class OptionTexts:
    """Finds literals that are not UTF-8, those beside each other joined. Defaults of fields are left out: bytes are given so there."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._start = 0
        self._before = (b"", b"")  # the last two tokens that were no literals

    def token(self, kind: str, token: bytes, offset: int) -> int | None:
        """Takes the next token that is no comment; the offset of the literals before it when they are not UTF-8."""
        if kind == "string":
            if not self._pieces:
                self._start = offset
            self._pieces.append(unescaped(token))
            return None
        before, self._before = self._before, (self._before[1], token)
        if not self._pieces:
            return None
        text, self._pieces = b"".join(self._pieces), []
        return None if before == (b"default", b"=") or _is_text(text) else self._start


def _is_text(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
