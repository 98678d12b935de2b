"""The three fingerprints of a Protobuf schema. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from hashlib import sha256

from google.protobuf.descriptor_pool import DescriptorPool

from ...model.schema import Fingerprints
from . import library
from .artifact import Files
from .normalise import normalise
from .printer import print_file

VERSION = "proto-canon-v1"
"""Changes when equal schemas would get other fingerprints."""


def fingerprints(content: bytes, compact: bytes, canonical: str, imports: Sequence[str]) -> Fingerprints:
    """content: the bytes. generation: `compact`, the text without white space. validation: `canonical`, the canonical
    text without comments. The last two also hold `imports`, the meaning of what is imported."""
    head = "\n".join((VERSION, *imports)).encode() + b"\n\n"
    return Fingerprints(
        content=sha256(content).hexdigest(),
        generation=sha256(b"generation " + head + compact).hexdigest(),
        validation=sha256(b"validation " + head + canonical.encode()).hexdigest(),
    )


def describe_imports(files: Files, pool: DescriptorPool, references: Collection[str]) -> list[str]:
    """A line for each imported file, by path, with the digest of its canonical text.

    Files of the library count by path alone, so that a release of it changes no fingerprint.
    """
    lines = []
    for file in files[:-1]:
        meaning = "library"
        if file.name in references or not library.holds(file.name):
            meaning = sha256(print_file(normalise(file), pool).encode()).hexdigest()
        lines.append(f"{file.name} {meaning}")
    return sorted(lines)
