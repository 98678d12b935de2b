"""Dynamic references, resolved on each way through the schemas. Pure.

`$dynamicRef` means the outermost schema resource, on the way from the root, that has the anchor. So a subschema reached
on two ways may mean two things, and becomes two nodes. Anchors that occur once need none of this.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace

from ..resources import REFERENCE_KEYWORDS, DocumentIndex, Place, Scope, Unresolvable

_RECURSIVE = "$recursiveAnchor"


class DynamicScopes:
    """Knows the anchors of each resource that occur more than once."""

    def __init__(self, document_index: DocumentIndex) -> None:
        self._document_index = document_index
        _load_metaschemas(document_index)
        self._anchors: dict[str, dict[str, Place]] = {}
        named = dict(document_index.dynamic_anchors)
        named[_RECURSIVE] = [
            place for place in document_index.recursive_roots if _is_root(document_index, place)
        ]
        for name, places in named.items():
            if len(places) > 1:
                for place in places:
                    self._anchors.setdefault(place.base, {})[name] = place

    def enter(self, place: Place, scope: Scope) -> Place:
        """The place as it is reached on a way: resources further out keep their anchors."""
        bound = dict(scope)
        for name, anchor in self._anchors.get(place.base, {}).items():
            bound.setdefault(name, anchor.key)
        return replace(place, scope=tuple(sorted(bound.items())))

    def dynamic(self, place: Place, reference: str) -> Place:
        """What a `$dynamicRef` means at a place."""
        target = self._document_index.resolve(place.base, reference)
        name = reference.partition("#")[2]
        if not isinstance(target.schema, dict) or target.schema.get("$dynamicAnchor") != name:
            return target
        return self._bound(place, name, target)

    def recursive(self, place: Place, reference: str) -> Place:
        """What a `$recursiveRef` means at a place."""
        target = self._document_index.resolve(place.base, reference)
        if not isinstance(target.schema, dict) or target.schema.get("$recursiveAnchor") is not True:
            return target
        return self._bound(place, _RECURSIVE, target)

    def _bound(self, place: Place, name: str, target: Place) -> Place:
        key = dict(place.scope).get(name)
        if key is None:
            return target
        return next(
            anchor
            for anchors in self._anchors.values()
            if (anchor := anchors.get(name)) is not None and anchor.key == key
        )


def _load_metaschemas(document_index: DocumentIndex) -> None:
    """Bring in the metaschemas that the documents refer to: their anchors must be known before any way is followed."""
    number = 0
    while number < len(document_index.documents):
        builtin = document_index.documents[number].builtin
        for place in document_index.places[number]:
            for keyword in REFERENCE_KEYWORDS if isinstance(place.schema, dict) else ():
                reference = place.schema.get(keyword)
                if isinstance(reference, str) and (builtin or "json-schema.org" in reference):
                    with contextlib.suppress(Unresolvable):  # reported where it is followed
                        document_index.resolve(place.base, reference)
        number += 1


def _is_root(document_index: DocumentIndex, place: Place) -> bool:
    root = document_index.resources.get(place.base)
    return root is not None and root.key == place.key
