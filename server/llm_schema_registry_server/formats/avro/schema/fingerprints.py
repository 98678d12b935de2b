"""Fingerprints of a document: our three, and those that other Avro tools use. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from hashlib import md5, sha256

from ....model.schema import Fingerprints
from .document import Document
from .forms import parsing_canonical_form, validation_form

EMPTY = 0xC15D213AA4D7A795
"""CRC-64-AVRO of nothing (Avro 1.12, "Schema Fingerprints")."""


@cache
def _table() -> tuple[tuple[int, ...], tuple[int, ...]]:
    """One step of the CRC for one byte, and the same carried one byte further."""
    one = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ (EMPTY & -(value & 1))
        one.append(value)
    return tuple(one), tuple((value >> 8) ^ one[value & 0xFF] for value in one)


def crc_64_avro(data: bytes) -> bytes:
    """The 64-bit Rabin fingerprint, in the little-endian order of single-object encoding."""
    one, two = _table()
    value = EMPTY
    if len(data) & 1:
        value = (value >> 8) ^ one[(value ^ data[0]) & 0xFF]
        data = data[1:]
    pairs = iter(data)
    for first, second in zip(pairs, pairs, strict=True):
        # Two bytes a step: the table lookups of both are independent of each other.
        value ^= first | second << 8
        value = (value >> 16) ^ two[value & 0xFF] ^ one[(value >> 8) & 0xFF]
    return value.to_bytes(8, "little")


def interop(canonical_form: bytes) -> Mapping[str, str]:
    """The fingerprints of the Parsing Canonical Form that the specification names, in hexadecimal."""
    return {
        "crc-64-avro": crc_64_avro(canonical_form).hex(),
        "md5": md5(canonical_form, usedforsecurity=False).hexdigest(),
        "sha-256": sha256(canonical_form).hexdigest(),
    }


def generation(document: Document, known: dict[int, str] | None = None) -> str:
    """White space gone, order and annotations kept; the references that are used count with theirs."""
    known = {} if known is None else known  # by document: references are shared, walking them must not double
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
