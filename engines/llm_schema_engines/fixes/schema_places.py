"""Where the subschemas of a JSON Schema stand, and what a part of it needs when it is taken to another document. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..formats.json_schema.pointers import split_pointer, to_pointer
from .documents import MISSING, Operation, Token, Tokens, value_at

MAPS = frozenset(
    ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies")
)
LISTS = frozenset(("allOf", "anyOf", "oneOf", "prefixItems", "items"))
SINGLE = frozenset(
    (
        "items",
        "additionalItems",
        "unevaluatedItems",
        "contains",
        "additionalProperties",
        "unevaluatedProperties",
        "propertyNames",
        "not",
        "if",
        "then",
        "else",
        "contentSchema",
    )
)
DEFINITIONS = ("$defs", "definitions")
ANNOTATIONS = (
    "title",
    "description",
    "$comment",
    "default",
    "examples",
    "deprecated",
    "readOnly",
    "writeOnly",
    "markdownDescription",
)
_MOST_DEFINITIONS = 50


def subschemas_on(document: Any, path: Tokens) -> list[Tokens]:
    """The places of the subschemas along a path, from the root; the path itself is one of them when a subschema stands there."""
    found: list[Tokens] = [()]
    node, at = document, 0
    while at < len(path) and isinstance(node, dict):
        token = path[at]
        inside = node.get(str(token))
        if (token in MAPS and isinstance(inside, dict)) or (token in LISTS and isinstance(inside, list)):
            width = 2
        elif token in SINGLE and isinstance(inside, dict | bool):
            width = 1
        else:
            return found
        if at + width > len(path):
            return found
        at += width
        node = value_at(document, path[:at])
        if not isinstance(node, dict | bool):
            return found
        found.append(path[:at])
    return found


def tokens_of(pointer: str) -> Tokens:
    return tuple(split_pointer(pointer))


def definitions_for(part: Any, old: Any, new: Any) -> list[Operation]:
    """Operations that add to `new` the definitions of `old` that a part of `old` refers to and `new` lacks."""
    added: dict[Tokens, Operation] = {}
    groups: set[Token] = set()
    pending = [part]
    while pending and len(added) < _MOST_DEFINITIONS:
        for reference in _references(pending.pop()):
            path = tokens_of(reference)
            if len(path) < 2 or path[0] not in DEFINITIONS or path[:2] in added:
                continue
            target = value_at(old, path[:2])
            if target is MISSING or value_at(new, path[:2]) is not MISSING:
                continue
            if value_at(new, path[:1]) is MISSING and path[0] not in groups:
                added[path[:1]] = Operation("add", path[:1], {})
                groups.add(path[0])
            added[path[:2]] = Operation("add", path[:2], target)
            pending.append(target)
    return list(added.values())


def earlier_part(part: Any, old: Any, new: Any) -> tuple[Any, list[Operation]]:
    """A part of `old` that means the same in `new`: what it refers to is added, under another name where `new` defines that name
    otherwise."""
    needed: dict[Tokens, Any] = {}
    pending = [part]
    while pending:
        for reference in _references(pending.pop()):
            path = tokens_of(reference)[:2]
            if (
                len(path) == 2
                and path[0] in DEFINITIONS
                and path not in needed
                and len(needed) < _MOST_DEFINITIONS
            ):
                target = value_at(old, path)
                if target is not MISSING:
                    needed[path] = target
                    pending.append(target)
    other = {path for path, target in needed.items() if value_at(new, path) not in (target, MISSING)}
    if other:  # what refers to a definition that differs, differs too
        grown = True
        while grown:
            using = {p for p, t in needed.items() if any(tokens_of(r)[:2] in other for r in _references(t))}
            grown = not using <= other
            other |= using
    names: dict[Tokens, Tokens] = {}
    for path in other:
        name = f"{path[1]}_before"
        while value_at(new, (path[0], name)) is not MISSING:
            name += "_before"
        names[path] = (path[0], name)
    steps: list[Operation] = []
    groups: set[Token] = set()
    for path, target in needed.items():
        place = names.get(path, path)
        if value_at(new, place) is MISSING:
            if value_at(new, place[:1]) is MISSING and place[0] not in groups:
                groups.add(place[0])
                steps.append(Operation("add", place[:1], {}))
            steps.append(Operation("add", place, _renamed(target, names)))
    return _renamed(part, names), steps


def _renamed(part: Any, names: dict[Tokens, Tokens]) -> Any:
    if isinstance(part, list):
        return [_renamed(item, names) for item in part]
    if not isinstance(part, dict):
        return part
    out = {key: _renamed(value, names) for key, value in part.items()}
    reference = part.get("$ref")
    if isinstance(reference, str) and reference.startswith("#/"):
        path = tokens_of(reference[1:])
        if path[:2] in names:
            out["$ref"] = "#" + to_pointer((*names[path[:2]], *path[2:]))
    return out


def _references(part: Any) -> Iterator[str]:
    pending = [part]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            reference = value.get("$ref")
            if isinstance(reference, str) and reference.startswith("#/"):
                yield reference[1:]
            pending.extend(value.values())
        elif isinstance(value, list):
            pending.extend(value)
