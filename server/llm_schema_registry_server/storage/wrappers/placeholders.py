"""What a row holds in the place of bytes that are in the object store. Pure.

A placeholder begins with a byte that no UTF-8 text has, and contents are text. Whatever begins like a placeholder all the
same is moved to the object store, so that the two cannot be mistaken for each other.
"""

from __future__ import annotations

import re

import orjson

from ...errors import StorageDamaged
from ...model.schema import StoredContent
from ..blobs.blobs import BlobRef
from ..counting import ELSEWHERE

MARK = ELSEWHERE + b"\x00blob 1 "
_HEX = re.compile(r"[0-9a-f]{64}")


def is_placeholder(data: bytes) -> bool:
    return data.startswith(MARK)


def placeholder(ref: BlobRef) -> bytes:
    return MARK + orjson.dumps([ref.namespace, ref.digest, ref.size])


def ref_of(data: bytes) -> BlobRef | None:
    """The blob that a placeholder names; None for bytes that are none. Raises StorageDamaged for a broken placeholder."""
    if not is_placeholder(data):
        return None
    try:
        match orjson.loads(data[len(MARK) :]):
            case [str(namespace), str(digest), int(size)] if _HEX.fullmatch(digest) and size >= 0:
                return BlobRef(namespace, digest, size)
    except orjson.JSONDecodeError as error:
        raise StorageDamaged(f"the reference to a blob is not readable: {error}") from error
    raise StorageDamaged("the reference to a blob does not name one; restore the row from a backup")


def refs_in(stored: StoredContent) -> list[BlobRef]:
    """The blobs that a row names."""
    found = map(ref_of, (stored.content, stored.canonical, stored.artifact))
    return [ref for ref in found if ref is not None]
