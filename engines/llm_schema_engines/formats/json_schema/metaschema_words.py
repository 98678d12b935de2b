"""What a metaschema refuses, in a person's words. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

import jsonschema_rs

from .canonical import dump

TYPES = ("array", "boolean", "integer", "null", "number", "object", "string")
_OTHER_NAMES: Mapping[str, str] = {
    **dict.fromkeys(("int", "long", "int32", "int64"), "integer"),
    **dict.fromkeys(("float", "double", "decimal"), "number"),
    **dict.fromkeys(("str", "text", "date", "date-time", "uuid", "char"), "string"),
    **dict.fromkeys(("dict", "map", "record", "struct"), "object"),
    **dict.fromkeys(("list", "set", "tuple"), "array"),
    **dict.fromkeys(("none", "nil", "undefined"), "null"),
    "bool": "boolean",
}
_ARTICLES: Mapping[str, str] = {"array": "an array", "object": "an object", "integer": "an integer", "null": "null"}  # fmt: skip
_FORMER_BOOLEANS = frozenset({"exclusiveMinimum", "exclusiveMaximum"})
_NEEDED_BY: Mapping[str, str] = {"minimum": "exclusiveMinimum", "maximum": "exclusiveMaximum"}
_SHOWN = 60


def sentence(error: jsonschema_rs.ValidationError) -> str:
    """What is wrong and what is expected; "" where the validator's own words are as good."""
    value: Any = error.instance
    kind: Any = error.kind  # each kind has attributes of its own
    keyword = error.instance_path[-1] if error.instance_path else ""
    if list(error.schema_path[-3:-1]) == ["properties", "type"] and kind.name == "anyOf":
        return _type_sentence(value)
    if kind.name == "anyOf":
        wanted = _wanted(kind.context)
        return f"{wanted} is expected, not {_shown(value)}" if wanted else ""
    if kind.name == "type":
        return f"{_one_of(kind.types)} is expected, not {_shown(value)}{_hint(keyword, value)}"
    if kind.name == "minimum":
        return f"{_shown(value)} is below {_shown(kind.limit)}, the least that is allowed"
    if kind.name == "exclusiveMinimum":
        return f"{_shown(value)} is not above {_shown(kind.limit)}"
    if kind.name == "required" and kind.property in _NEEDED_BY and "dependencies" in error.schema_path:
        return f"{_shown(_NEEDED_BY[kind.property])} stands only beside {_shown(kind.property)} in draft-04"
    if kind.name == "minItems":
        return "an empty list is not allowed here"
    if kind.name == "uniqueItems":
        return f"{_shown(_repeated(value))} stands in the list twice"
    return ""


def _type_sentence(value: Any) -> str:
    names = value if isinstance(value, list) else [value]
    if not names:
        return "an empty list allows no type; leave the keyword out to allow all"
    for name in names:
        if not isinstance(name, str):
            return f"a type is a name such as {_shown('string')}, not {_shown(name)}; the names are {', '.join(TYPES)}"
        if name not in TYPES:
            return _no_type(name)
    return f"{_shown(_repeated(names))} stands in the list twice"


def _no_type(name: str) -> str:
    said = f"{_shown(name)} is no type"
    if name.lower() == "any":
        return f"{said}; leave the keyword out to allow every type"
    meant = _OTHER_NAMES.get(name.lower()) or next(
        iter(difflib.get_close_matches(name[:_SHOWN].lower(), TYPES, 1, 0.6)), ""
    )
    tip = f'did you mean "{meant}"?' if meant else f"the types are {', '.join(TYPES)}"
    return f"{said}; {tip}"


def _wanted(context: Sequence[Sequence[jsonschema_rs.ValidationError]]) -> str:
    """What the alternatives expect, when all of them fail on the type of the value."""
    types: dict[str, None] = {}
    for branch in context:
        for error in branch:
            if error.kind.name != "type":
                return ""
            kind: Any = error.kind
            types.update(dict.fromkeys(kind.types))
    return _one_of([*types])


def _one_of(types: Sequence[str]) -> str:
    if {"boolean", "object"} <= set(types):
        words = ["a schema (an object, or true or false)"]
        words += [_ARTICLES.get(t, f"a {t}") for t in types if t not in ("boolean", "object")]
    else:
        words = [_ARTICLES.get(t, f"a {t}") for t in types]
    return " or ".join(words)


def _hint(keyword: object, value: Any) -> str:
    if keyword == "required" and isinstance(value, bool):
        return "; the object lists the names of its required properties"
    if keyword == "required" and isinstance(value, str):
        return f"; write [{_shown(value)}]"
    if keyword in _FORMER_BOOLEANS and isinstance(value, bool):
        return "; true and false are of draft-04"
    return ""


def _repeated(items: Sequence[Any]) -> Any:
    seen: set[str] = set()
    for item in items:
        text = dump(item, sort=True)
        if text in seen:
            return item
        seen.add(text)
    return items


def _shown(value: Any) -> str:
    text = dump(value, sort=False)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
