"""Tells whether the losses of a compiled form explain why a schema refuses a document. Pure."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ..formats.json_schema.compiled import OpenedSchema
from ..formats.json_schema.data_issues import keyword_of
from ..formats.json_schema.pointers import join_pointer
from ..formats.json_schema.resources import Place, Unresolvable
from ..formats.json_schema.validation import JsonDataValidator
from .places import all_places

_MOST_ERRORS = 50
_MOST_LOOKED = 1_000_000


class Explanations:
    """One schema with its validator."""

    def __init__(self, opened: OpenedSchema, validator: JsonDataValidator) -> None:
        self._opened, self._validator = opened, validator
        self._references: list[tuple[str, str]] | None = None
        self._reached: dict[str, frozenset[str]] = {}

    def unexplained(self, document: bytes, pointers: Collection[str]) -> str | None:
        """The pointer of a keyword that refuses the document, while none of the losses at `pointers` stands on the way to it, at
        it, or in what it refers to; None when there is none."""
        for error in self._validator.errors(document, _MOST_ERRORS):
            tokens: list[str | int] = [*error.evaluation_path]
            if (
                error.kind.name == "not" and keyword_of(error) == "contains"
            ):  # as the validator was given it; see rewriting
                tokens = [*tokens[:-3], "contains"]
            way = self._way(tokens)
            if not any(pointer in way for pointer in pointers) and not self._below(way[-1], pointers):
                return way[-1]
        return None

    def _way(self, tokens: list[str | int]) -> list[str]:
        """The pointers that lead to the keyword, through references, the last one its own."""
        place, value, pointer = self._opened.root, self._opened.root.schema, ""
        way = [""]
        for token in tokens:
            while isinstance(value, dict) and token not in value and isinstance(value.get(""), dict):
                value, pointer = value[""], join_pointer(pointer, "")  # the validator leaves empty names out
                way.append(self._name(place, pointer))
            if token == "$ref" and isinstance(value, dict) and isinstance(value.get("$ref"), str):
                way.append(self._name(place, join_pointer(pointer, "$ref")))
                try:
                    place = self._opened.document_index.resolve(self._based(place, pointer), value["$ref"])
                except Unresolvable:
                    return way
                value, pointer = place.schema, place.pointer
            else:
                try:
                    value = value[token]
                except (LookupError, TypeError):
                    value = None
                pointer = join_pointer(pointer, token)
            way.append(self._name(place, pointer))
        return way

    def _based(self, place: Place, pointer: str) -> str:
        """The base URI at a pointer of a document."""
        bases, base, at = self._opened.document_index.bases, place.base, pointer
        while len(at) > len(place.pointer):
            known = bases.get((place.document.number, at))
            if known is not None:
                return known[0]
            at = at.rpartition("/")[0]
        return base

    def _name(self, place: Place, pointer: str) -> str:
        return pointer if place.document.number == 0 else f"{place.document.name}#{pointer}"

    def _below(self, start: str, pointers: Collection[str]) -> bool:
        """Whether one of the pointers is in what stands at `start`, or in what that refers to."""
        roots = self._reached.get(start)
        if roots is None:
            roots = self._reached[start] = self._references_below(start)
        return any(p == root or p.startswith(root + "/") for root in roots for p in pointers)

    def _references_below(self, start: str) -> frozenset[str]:
        if self._references is None:
            self._references = []
            for place in all_places(self._opened, others=True):
                reference: Any = place.schema.get("$ref") if isinstance(place.schema, dict) else None
                if isinstance(reference, str):
                    try:
                        target = self._opened.document_index.resolve(place.base, reference)
                    except Unresolvable:
                        continue
                    self._references.append(
                        (self._name(place, place.pointer), self._name(target, target.pointer))
                    )
        found = {start}
        stack = [start]
        looked = 0
        while stack and looked < _MOST_LOOKED:
            at = stack.pop()
            looked += len(self._references)
            for name, target_name in self._references:
                if target_name not in found and (name == at or name.startswith(at + "/")):
                    found.add(target_name)
                    stack.append(target_name)
        return frozenset(found)
