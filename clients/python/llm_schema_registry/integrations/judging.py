"""The schema by which an answer is judged while it arrives, in the shape in which the provider writes it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_BY_TYPE: Mapping[str, tuple[str, ...]] = {
    "string": ("minLength", "maxLength", "pattern"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    "integer": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    "array": ("minItems", "maxItems", "uniqueItems"),
}
"""Keywords that are about values of one type alone, so that they say the same of a value wherever the compiled form has it as it is."""
_ELSEWHERE = frozenset({"$ref", "$dynamicRef", "$recursiveRef", "allOf", "anyOf", "oneOf", "prefixItems"})
"""Keywords beside which nothing is restored: what applies to a value stands in more than one place."""


def judged_schema(original: Any, compiled: Any, program: Mapping[str, Any]) -> Any:
    """The compiled schema with those keywords of the original back that the provider does not take.

    Only what holds of an answer as the provider writes it: the value has to stand at the same place, with the same type and not
    encoded. program: of the decoder. An answer that this schema refuses decodes to nothing that the original accepts.
    """
    return _restored(original, compiled, program.get("codec"))


def _restored(original: Any, compiled: Any, codec: Any) -> Any:
    if not isinstance(original, dict) or not isinstance(compiled, dict):
        return compiled
    if _ELSEWHERE & original.keys() or "$ref" in compiled:
        return compiled
    if codec is not None and codec["k"] == "null_or":
        codec = codec["of"]
    if codec is not None and codec["k"] == "wrap":
        inside = compiled["properties"]
        held = _restored(original, inside[codec["key"]], codec["of"])
        return {**compiled, "properties": {**inside, codec["key"]: held}}
    if codec is not None and codec["k"] not in ("object", "array"):
        return compiled
    if "anyOf" in compiled:
        return _in_the_other_branch(original, compiled, codec)
    kind = _single_type(original)
    if kind is None or kind not in _types(compiled):
        return compiled
    out = dict(compiled)
    for word in _BY_TYPE.get(kind, ()):
        if word in original and word not in compiled and not isinstance(original[word], bool | None):
            out[word] = original[word]
    if kind == "array":
        if original.get("uniqueItems") is True:
            out["uniqueItems"] = True
        if isinstance(original.get("items"), dict) and "items" in compiled and "prefixItems" not in compiled:
            inner = None if codec is None else codec.get("items")
            out["items"] = _restored(original["items"], compiled["items"], inner)
    elif kind == "object" and "properties" in compiled and isinstance(original.get("properties"), dict):
        out["properties"] = _restored_properties(original["properties"], compiled["properties"], codec)
    return out


def _restored_properties(original: Any, compiled: Any, codec: Any) -> Any:
    known = {} if codec is None else codec["properties"]
    pairs = None if codec is None else codec.get("pairs")
    out = dict(compiled)
    for sent in compiled:
        told = known.get(sent, {})
        name = told.get("name", sent)
        if sent != pairs and name in original:
            out[sent] = _restored(original[name], compiled[sent], told.get("of"))
    return out


def _in_the_other_branch(original: Any, compiled: Any, codec: Any) -> Any:
    """`anyOf` of a schema and null, which is how an optional property may be written."""
    branches = compiled["anyOf"]
    if len(branches) != 2 or branches[1] != {"type": "null"}:
        return compiled
    return {**compiled, "anyOf": [_restored(original, branches[0], codec), branches[1]]}


def _types(schema: Mapping[str, Any]) -> tuple[str, ...]:
    stated = schema.get("type")
    return (stated,) if isinstance(stated, str) else tuple(stated) if isinstance(stated, list) else ()


def _single_type(schema: Mapping[str, Any]) -> str | None:
    """The type of a schema, beside null."""
    kinds = [kind for kind in _types(schema) if kind != "null"]
    return kinds[0] if len(kinds) == 1 else None
