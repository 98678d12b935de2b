"""Resolves dynamic references in their dynamic scope (JSON Schema 2020-12 Core, 8.2.3.2). Pure.

`$dynamicRef` refers to the outermost schema resource, on the path of references from the root, that has the anchor. So
a subschema that is reached on two paths may have two meanings and becomes two nodes. Anchors that occur once are static.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace

from ..resources import REFERENCE_KEYWORDS, DocumentIndex, Place, Scope, Unresolvable

_RECURSIVE = "$recursiveAnchor"


class DynamicScopes:
    """Tracks dynamic scopes: for each resource, its anchors that other resources have too."""

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
        """The place, entered from `scope`: its scope gets the anchors of its resource that are not bound further out."""
        bound = dict(scope)
        for name, anchor in self._anchors.get(place.base, {}).items():
            bound.setdefault(name, anchor.key)
        return replace(place, scope=tuple(sorted(bound.items())))

    def dynamic(self, place: Place, reference: str) -> Place:
        """The target of a `$dynamicRef` at a place."""
        target = self._document_index.resolve(place.base, reference)
        name = reference.partition("#")[2]
        if not isinstance(target.schema, dict) or target.schema.get("$dynamicAnchor") != name:
            return target
        return self._bound(place, name, target)

    def recursive(self, place: Place, reference: str) -> Place:
        """The target of a `$recursiveRef` at a place."""
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
    """Index the metaschemas that the documents refer to: their anchors must be known before references are followed."""
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
