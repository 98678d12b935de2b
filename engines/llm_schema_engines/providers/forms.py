"""What stands for a schema in a compiled form: what is sent, what that means in the schema's own shape, and the way between. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .merging import value_key

MOST_PAIRED = 200
"""Alternatives that are compared with each other; more are told apart by a property of their own."""
Codec = dict[str, Any]
"""How a value is taken back, as JSON: see decoding.py. None stands for a value that is the same on both sides."""


@dataclass(slots=True)
class Form:
    """wire: the schema that is sent. meant: the schema that the decoded answers then have; it may use keywords that the provider
    does not know, and accepts exactly what decodes from what `wire` accepts. codec: the way between the two."""

    wire: dict[str, Any]
    meant: Any
    codec: Codec | None


def any_of(forms: list[Form], definitions: Mapping[str, Form], *, closing: bool) -> Form:
    """One of the forms; the way back is found by the first that a value fits. Where two forms could take one answer for theirs, each is
    put under a property of its own, so that the answer says which is meant; closing: whether that may be said to have no other."""
    coded = any(form.codec is not None for form in forms)
    if (coded and len(forms) > MOST_PAIRED) or (
        coded
        and any(
            (one.codec is not None or other.codec is not None)
            and not disjoint(one.wire, other.wire, definitions)
            for number, one in enumerate(forms)
            for other in forms[number + 1 :]
        )
    ):
        forms = [_labelled(form, f"alternative_{number}", closing) for number, form in enumerate(forms, 1)]
    wire = {"anyOf": [form.wire for form in forms]}
    meant = {"anyOf": [form.meant for form in forms]}
    if not coded:
        return Form(wire, meant, None)
    branches = [{"wire": f.wire, "meant": f.meant, "of": f.codec} for f in forms]
    return Form(wire, meant, {"k": "choice", "branches": branches})


def _labelled(form: Form, name: str, closing: bool) -> Form:
    wire: dict[str, Any] = {"type": "object", "properties": {name: form.wire}, "required": [name]}
    if closing:
        wire["additionalProperties"] = False
    return Form(wire, form.meant, {"k": "wrap", "key": name, "of": form.codec})


def disjoint(
    one: Mapping[str, Any], other: Mapping[str, Any], definitions: Mapping[str, Form], depth: int = 0
) -> bool:
    """Whether it is sure that no value is valid under both schemas, which are of the kind that is sent."""
    if depth > 4:
        return False
    for left, right in ((one, other), (other, one)):
        if "$ref" in left:
            known = definitions.get(left["$ref"].rpartition("/")[2])
            return known is not None and disjoint(known.wire, right, definitions, depth + 1)
        if "anyOf" in left:
            return all(disjoint(branch, right, definitions, depth + 1) for branch in left["anyOf"])
    kinds = _kinds(one), _kinds(other)
    if None in kinds:
        return False
    common = kinds[0] & kinds[1]  # type: ignore[operator]  # neither is None
    if not common:
        return True
    listed = _listed(one), _listed(other)
    if listed[0] is not None and listed[1] is not None:
        return {*map(value_key, listed[0])}.isdisjoint(map(value_key, listed[1]))
    return common == {"object"} and _disjoint_objects(one, other, definitions, depth)


def _disjoint_objects(
    one: Mapping[str, Any], other: Mapping[str, Any], definitions: Mapping[str, Form], depth: int
) -> bool:
    for left, right in ((one, other), (other, one)):
        closed = right.get("additionalProperties") is False
        if closed and any(name not in right.get("properties", {}) for name in left.get("required", ())):
            return True
    shared = [n for n in one.get("required", ()) if n in other.get("required", ())]
    return any(
        n in one["properties"]
        and n in other["properties"]
        and disjoint(one["properties"][n], other["properties"][n], definitions, depth + 1)
        for n in shared
    )


def _kinds(wire: Mapping[str, Any]) -> set[str] | None:
    stated = wire.get("type")
    if stated is None or wire.get("nullable") is True:
        return None
    kinds = {stated} if isinstance(stated, str) else set(stated)
    return kinds | {"integer"} if "number" in kinds else kinds


def _listed(wire: Mapping[str, Any]) -> list[Any] | None:
    values: list[Any] | None = [wire["const"]] if "const" in wire else wire.get("enum")
    return values


def nullable_codec(codec: Codec | None) -> Codec | None:
    """The codec of a form that may be null too: null stays null."""
    return None if codec is None else {"k": "null_or", "of": codec}


def accepts_null(
    wire: Mapping[str, Any], definitions: Mapping[str, Form], seen: frozenset[str] = frozenset()
) -> bool:
    """Whether a schema that is sent may accept null; a definition that is not there yet may."""
    if "$ref" in wire:
        name = wire["$ref"].rpartition("/")[2]
        if name in seen:
            return False
        return name not in definitions or accepts_null(definitions[name].wire, definitions, seen | {name})
    if wire.get("nullable") is True:
        return True
    if "enum" in wire:
        return None in wire["enum"]
    if "const" in wire:
        return wire["const"] is None
    if "anyOf" in wire:
        return any(accepts_null(branch, definitions, seen) for branch in wire["anyOf"])
    stated = wire.get("type")
    return stated is None or stated == "null" or (isinstance(stated, list) and "null" in stated)
