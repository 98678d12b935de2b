"""The identity of a schema: one digest over type, content and references. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from .schema import SchemaType


def identity(schema_type: SchemaType, content: bytes, references: Sequence[tuple[str, str]]) -> str:
    """The identity of a schema: SHA-256 over type, content and references, in hexadecimal.

    references: (name, identity of the referenced schema) pairs; their order does not count.
    """
    digest = hashlib.sha256()
    for part in (
        schema_type.name.encode(),
        content,
        *(p.encode() for pair in sorted(references) for p in pair),
    ):
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()
