"""Signed notes (C2SP signed-note) with Ed25519, and the checkpoints of the audit log (C2SP tlog-checkpoint). Pure.

A note is a text that ends with a line break, an empty line, and one line for each signature:

    — NAME BASE64(4 bytes that name the key, 64 bytes of signature)

A public key is written `NAME+HEX(those 4 bytes)+BASE64(0x01, 32 bytes of key)`.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_ED25519 = b"\x01"
_DASH = "\u2014 "
_TIME = "time %Y-%m-%dT%H:%M:%S.%fZ"
MOST_NOTE = 64 * 1024
"""Characters of a note that are looked at."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that verifies notes. name: of the signer."""

    name: str
    raw: bytes

    @property
    def mark(self) -> bytes:
        """The four bytes that name it in a signature."""
        return sha256(f"{self.name}\n".encode() + _ED25519 + self.raw).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.mark.hex()}+{base64.b64encode(_ED25519 + self.raw).decode()}"

    @classmethod
    def parse(cls, text: str) -> PublicKey:
        """Raises ValueError."""
        name, _, rest = text.strip().partition("+")
        mark, _, encoded = rest.partition("+")
        raw = base64.b64decode(encoded, validate=True)
        if not name or raw[:1] != _ED25519 or len(raw) != 33:
            raise ValueError("this is no Ed25519 key as signed notes write it")
        key = cls(name, raw[1:])
        if key.mark.hex() != mark:
            raise ValueError("the key does not have the hash that stands before it")
        return key

    def opened(self, note: str) -> str:
        """The text that a note signs. Raises ValueError unless this key has signed it."""
        text, gap, signatures = note[:MOST_NOTE].rpartition("\n\n")
        if not gap:
            raise ValueError("this is no signed note")
        text += "\n"
        for line in signatures.splitlines():
            name, _, encoded = line.removeprefix(_DASH).partition(" ")
            if not line.startswith(_DASH) or name != self.name:
                continue
            try:
                signature = base64.b64decode(encoded, validate=True)
            except binascii.Error as error:
                raise ValueError("a signature is not base64") from error
            if signature[:4] != self.mark:
                continue
            try:
                Ed25519PublicKey.from_public_bytes(self.raw).verify(signature[4:], text.encode())
            except InvalidSignature as error:
                raise ValueError(f"the signature of {self.name} is wrong") from error
            return text
        raise ValueError(f"it has no signature of {self}")


class Signer:
    """A private key and its name. seed: 32 bytes."""

    def __init__(self, name: str, seed: bytes) -> None:
        if any(c.isspace() or c == "+" for c in name) or not name:
            raise ValueError(f"{name!r} is no name of a key")
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = PublicKey(name, self._key.public_key().public_bytes_raw())

    def signed(self, text: str) -> str:
        """A note of a text, which ends with a line break and has no empty line at its end."""
        if not text.endswith("\n") or text.endswith("\n\n"):
            raise ValueError("the text of a note ends with one line break")
        signature = base64.b64encode(self.public.mark + self._key.sign(text.encode())).decode()
        return f"{text}\n{_DASH}{self.public.name} {signature}\n"


def origin_of(registry_id: str, what: str = "audit") -> str:
    """What the first line of a note says that it is about, and which registry has signed it."""
    return f"llm-schema-registry/{registry_id}/{what}"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log was at one moment: its size, the root of its Merkle tree, and the time (UTC) when that was signed."""

    origin: str
    size: int
    root: bytes
    at: datetime

    @property
    def text(self) -> str:
        """As it is signed."""
        root, at = base64.b64encode(self.root).decode(), self.at.astimezone(UTC).strftime(_TIME)
        return f"{self.origin}\n{self.size}\n{root}\n{at}\n"

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Raises ValueError for what is no checkpoint of such a log."""
        lines = text.split("\n")
        if len(lines) != 5 or lines[-1] or not lines[1].isascii() or not lines[1].isdigit():
            raise ValueError("this is no checkpoint of an audit log")
        at = datetime.strptime(lines[3], _TIME).replace(tzinfo=UTC)
        found = cls(lines[0], int(lines[1][:20]), base64.b64decode(lines[2], validate=True), at)
        if len(found.root) != 32 or found.text != text:
            raise ValueError("this is no checkpoint of an audit log")
        return found

    @classmethod
    def opened(cls, note: str, key: PublicKey, origin: str) -> Checkpoint:
        """The checkpoint in a note. Raises ValueError unless the key has signed it, for this log."""
        found = cls.parse(key.opened(note))
        if found.origin != origin:
            raise ValueError(f"it is a checkpoint of {found.origin[:200]!r}, not of {origin!r}")
        return found
