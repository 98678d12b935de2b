"""Where in the source something stands of which only the place in the target is known. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from .model import (
    Enumeration,
    ListOf,
    MapOf,
    Model,
    ModelField,
    ModelRecord,
    ModelUnion,
    NamedShape,
    Nullable,
    Shape,
    UnionChoice,
    Value,
)
from .values import Json, ValuePath, render


def steps(pointer: str) -> list[str]:
    """The steps of a JSON pointer."""
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]


def place_in_schema(model: Model, target_pointer: str) -> str:
    """The pointer in the source schema of what a pointer leads to in a written JSON Schema or Avro schema; that of the
    innermost shape or field around it which the source has."""
    current: Shape | ModelRecord | Enumeration = model.root
    pointer = model.root.pointer
    todo = iter(steps(target_pointer))
    for step in todo:
        if step == "$defs":
            name = next(todo, "")
            found: Shape | ModelRecord | Enumeration | None = next(
                (f for f in model.types.values() if f.name == name), None
            )
        elif step in ("properties", "fields"):
            member = _member(model, current, next(todo, ""), by_index=step == "fields")
            if member is None:
                break
            pointer, current = member.pointer, member.shape
            continue
        elif step in ("type", "anyOf"):
            continue
        else:
            found = _inner(current, step)
        if found is None:
            break
        current, pointer = found, found.pointer or pointer
    return pointer


def _member(
    model: Model, current: Shape | ModelRecord | Enumeration, step: str, *, by_index: bool
) -> ModelField | None:
    if isinstance(current, Nullable):
        current = current.inner
    record = model.types.get(current.key) if isinstance(current, NamedShape) else current
    if not isinstance(record, ModelRecord):
        return None
    if by_index:
        return record.fields[int(step)] if step.isdigit() and int(step) < len(record.fields) else None
    return record.by_name().get(step)


def _inner(current: Shape | ModelRecord | Enumeration, step: str) -> Shape | None:
    """The shape that a step leads to from the shape that a list, a map or a union is."""
    null_first = isinstance(current, Nullable) and not current.null_last
    if isinstance(current, Nullable):
        current = current.inner
    if step.isdigit():
        branches = current.branches if isinstance(current, ModelUnion) else (current,)
        index = int(step) - null_first
        found = branches[index] if 0 <= index < len(branches) else None
        return found if isinstance(found, Shape) else None
    if isinstance(current, ListOf) and step == "items":
        return current.item
    return (
        current.value if isinstance(current, MapOf) and step in ("values", "additionalProperties") else None
    )


def place_in_document(
    model: Model,
    name: Callable[[str, ModelField], str],
    target_steps: Iterable[str],
    value: Value,
    document: Json,
) -> str:
    """The pointer in a document of the source of what these steps lead to in the document that it became.

    `name` gives the key of a field of the record of that key in the steps; `value` is what was read from `document`. What the
    target has and the source has not, such as a default that was written, is where its record is.
    """
    shape: Shape = model.root
    at: ValuePath = None
    for step in target_steps:
        while isinstance(shape, Nullable | ModelUnion):
            if isinstance(shape, Nullable):
                shape = shape.inner
            elif isinstance(value, UnionChoice):
                shape, value = shape.branches[value.index], value.value
            else:
                return render(at)
        if isinstance(shape, NamedShape):
            record = model.types[shape.key]
            members = record.fields if isinstance(record, ModelRecord) else ()
            member = next((m for m in members if name(shape.key, m) == step), None)
            key = (
                next((k for k in (member.keys or (member.name,)) if k in document), None) if member else None
            )
            if member is None or key is None or member.name not in value:
                return render(at)
            shape, value, document, at = member.shape, value[member.name], document[key], (at, key)
        elif isinstance(shape, ListOf):
            index = int(step)
            shape, value, document, at = shape.item, value[index], document[index], (at, index)
        elif isinstance(shape, MapOf) and step in document and step in value:
            shape, value, document, at = shape.value, value[step], document[step], (at, step)
        else:
            return render(at)
    return render(at)
