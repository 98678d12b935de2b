"""An export of the audit log as JSON lines, each in its canonical form (RFC 8785); docs/audit.md describes them."""

from __future__ import annotations

import orjson

from ..model.audit import canonical
from .auditing import AuditRecord, ExportHead, ExportItem

FORMAT = "llm-schema-registry/audit-export/1"


def line_of(item: ExportItem) -> str:
    """One line, without its line break."""
    if isinstance(item, ExportHead):
        return canonical(
            {
                "format": FORMAT,
                "origin": item.origin,
                "first": item.first,
                "frontier": [hashed.hex() for hashed in item.frontier],
                "public_key": str(item.key),
            }
        )
    if isinstance(item, AuditRecord):
        return canonical({"position": item.position, "entry": _entry(item.text), "leaf": item.leaf.hex()})
    return canonical({"checkpoint": item})


def _entry(text: str) -> object:
    """What a text says; the text itself where somebody has made something else of it."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text.encode("utf-8", "backslashreplace").decode()
