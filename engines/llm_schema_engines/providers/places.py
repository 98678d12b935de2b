"""All subschemas that count: those that stand in the document, and those that its references lead to. Pure."""

from __future__ import annotations

from ..formats.json_schema.compiled import OpenedSchema
from ..formats.json_schema.resources import DocumentIndex, Place, Unresolvable


def all_places(opened: OpenedSchema, *, others: bool = False) -> list[Place]:
    """Each subschema once, parents first. A reference may lead to where the dialect sees no schema, such as `$defs` in draft 7.
    others: also those of the documents that it references."""
    index, own = opened.document_index, opened.root.document.number
    found = list(index.places[own])
    referring = [place for place in found if isinstance(place.schema, dict) and "$ref" in place.schema]
    if not referring:
        return found
    walked = {place.key for place in found}
    for referring_place in referring:  # which grows
        target = _target(index, referring_place)
        if target is None or target.key in walked or not (others or target.document.number == own):
            continue
        for place in index.walk_new(target, walked, definitions=True):
            found.append(place)
            referring.append(place)
    return found


def _target(index: DocumentIndex, place: Place) -> Place | None:
    reference = place.schema.get("$ref") if isinstance(place.schema, dict) else None
    if not isinstance(reference, str):
        return None
    try:
        return index.resolve(place.base, reference)
    except Unresolvable:
        return None
