"""What stands in a row instead of bytes that are in the object store. Pure.

A marker begins with a byte that no UTF-8 text has; contents are text, so that they are told apart, and the wrapper
moves away whatever begins like one all the same.
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


def is_marker(data: bytes) -> bool:
    return data.startswith(MARK)


def marker(ref: BlobRef) -> bytes:
    return MARK + orjson.dumps([ref.namespace, ref.digest, ref.size])


def marked(data: bytes) -> BlobRef | None:
    """The blob that a marker names; None for bytes that are none. Raises StorageDamaged for a broken marker."""
    if not is_marker(data):
        return None
    try:
        match orjson.loads(data[len(MARK) :]):
            case [str(namespace), str(digest), int(size)] if _HEX.fullmatch(digest) and size >= 0:
                return BlobRef(namespace, digest, size)
    except orjson.JSONDecodeError as error:
        raise StorageDamaged(f"the marker of a blob is not readable: {error}") from error
    raise StorageDamaged("the marker of a blob does not name one; restore the row from a backup")


def refs_in(kept: StoredContent) -> list[BlobRef]:
    """The blobs that a row names."""
    found = map(marked, (kept.content, kept.canonical, kept.artifact))
    return [ref for ref in found if ref is not None]
