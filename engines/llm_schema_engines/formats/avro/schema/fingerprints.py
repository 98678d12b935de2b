"""Fingerprints of a document: the registry's three, and those that other Avro tools use. Pure."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from functools import cache
from hashlib import md5, sha256

from ....model.schema import Fingerprints
from .document import Document
from .forms import parsing_canonical_form, validation_form

EMPTY = 0xC15D213AA4D7A795
"""CRC-64-AVRO of the empty text (Avro 1.12, "Schema Fingerprints")."""


@cache
def _table() -> tuple[int, ...]:
    """The CRC table for two bytes at a time, by their 16 bits. Made at the first use; 2.6 MB."""
    one = [_single(byte) for byte in range(256)]
    two = [(value >> 8) ^ one[value & 0xFF] for value in one]
    return tuple([two[word & 0xFF] ^ one[word >> 8] for word in range(1 << 16)])


def crc_64_avro(data: bytes) -> bytes:
    """The 64-bit Rabin fingerprint, in the little-endian order of single-object encoding."""
    table, value = _table(), EMPTY
    for word in struct.unpack_from(f"<{len(data) // 2}H", data):
        value = (value >> 16) ^ table[(value ^ word) & 0xFFFF]
    if len(data) & 1:
        value = (value >> 8) ^ _single((value ^ data[-1]) & 0xFF)
    return value.to_bytes(8, "little")


def _single(byte: int) -> int:
    """The CRC table's entry for one byte."""
    for _ in range(8):
        byte = (byte >> 1) ^ (EMPTY & -(byte & 1))
    return byte


def interop(canonical_form: bytes) -> Mapping[str, str]:
    """The fingerprints of the Parsing Canonical Form that the specification names, in hexadecimal."""
    return {
        "crc-64-avro": crc_64_avro(canonical_form).hex(),
        "md5": md5(canonical_form, usedforsecurity=False).hexdigest(),
        "sha-256": sha256(canonical_form).hexdigest(),
    }


def generation(document: Document, known: dict[int, str] | None = None) -> str:
    """The generation fingerprint: of the text without white space and the generation fingerprints of used references."""
    known = {} if known is None else known  # by document: shared references are fingerprinted once
    if id(document) not in known:
        text = json.dumps(document.tree, separators=(",", ":"), ensure_ascii=False)
        digest = sha256(text.encode())
        for name, referenced in zip(document.dependencies, document.referenced, strict=True):
            digest.update(f"\n{name}={generation(referenced, known)}".encode())
        known[id(document)] = digest.hexdigest()
    return known[id(document)]


def fingerprints(content: bytes, document: Document) -> Fingerprints:
    return Fingerprints(
        content=sha256(content).hexdigest(),
        generation=generation(document),
        validation=sha256(validation_form(document.root)).hexdigest(),
    )


def identifiers(document: Document) -> Mapping[str, str]:
    return interop(parsing_canonical_form(document.root))
