"""All subschemas that count: those that stand in the document, and those that its references lead to. Pure."""

from __future__ import annotations

from ..formats.json_schema.compiled import OpenedSchema
from ..formats.json_schema.resources import Place, Unresolvable


def all_places(opened: OpenedSchema, *, others: bool = False) -> list[Place]:
    """Each subschema once, parents first. A reference may lead to where the dialect sees no schema, such as `$defs` in draft 7.
    others: also those of the documents that it references."""
    index = opened.document_index
    walked: set[tuple[int, str]] = set()
    found: list[Place] = []
    waiting = [opened.root]
    while waiting:
        for place in index.walk_new(waiting.pop(0), walked, definitions=True):
            found.append(place)
            reference = place.schema.get("$ref") if isinstance(place.schema, dict) else None
            if isinstance(reference, str):
                try:
                    target = index.resolve(place.base, reference)
                except Unresolvable:
                    continue
                if target.key not in walked and (
                    others or target.document.number == opened.root.document.number
                ):
                    waiting.append(target)
    return found
