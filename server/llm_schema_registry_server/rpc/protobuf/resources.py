"""The resources that a request names, found by the names of its fields: `subject`, `schema_id`, `context`, `subjects`, at any depth.

A field with one of these names always means that resource; below a field `references`, `subject` is what a schema uses. `subjects` holds names and patterns; without any it means all
subjects. Prefixes and patterns of lists have other names (`subject_prefix`) and are no resources: a list tells of what there is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from ...calls.call import MOST_RESOURCES
from ...calls.operation import Resource, ResourceKind, Resources, no_resources
from ...errors import InvalidSubject
from ...model.pattern import is_pattern
from ...model.subject import Subject

_KINDS: Mapping[str, ResourceKind] = {
    "subject": ResourceKind.SUBJECT,
    "schema_id": ResourceKind.SCHEMA,
    "context": ResourceKind.CONTEXT,
}
_SUBJECT = ResourceKind.SUBJECT
_USED_KINDS = {**_KINDS, "subject": ResourceKind.REFERENCE}
_SUBJECTS = frozenset({ResourceKind.SUBJECT, ResourceKind.REFERENCE})

_WATCHED, _USED = "subjects", "references"
EVERYTHING = "*"
"""The pattern that stands for a list of subjects without any."""

# Appends the resources that the fields of a message name to a list.
_Finder = Callable[[Any, list[Resource]], None]


def resources_of(request: Descriptor) -> Callable[[Any], Resources]:
    """The function that names the resources of requests of a type, each once, in the order of the fields.

    Subjects are named by their qualified names, however the request writes them. What is no acceptable name of a subject is
    left out: handlers refuse such a request, since no Subject can be made of it. Raises TypeError when a field with the
    name of a kind is no string, and for types that contain themselves and name resources.
    """
    find = _finder(request, ())
    if find is None:
        return no_resources

    def resources(message: Message) -> Resources:
        found: list[Resource] = []
        find(message, found)
        return tuple(found) if len(found) < 2 else tuple(dict.fromkeys(found))

    return resources


def subject(name: Subject) -> Resource:
    """A subject as a resource."""
    return Resource(_SUBJECT, str(name))


def schema(schema_id: str) -> Resource:
    """A schema as a resource."""
    return Resource(ResourceKind.SCHEMA, schema_id)


def _finder(
    message: Descriptor, above: tuple[str, ...], kinds: Mapping[str, ResourceKind] = _KINDS
) -> _Finder | None:
    """What finds the resources in messages of this type; None when none of its fields names one."""
    if message.full_name in above:
        if _names_any(message, set()):
            raise TypeError(f"{message.full_name} contains itself; resources in it cannot be named")
        return None
    below = (*above, message.full_name)
    finders = [f for f in (_of_field(field, below, kinds) for field in message.fields) if f]
    if not finders:
        return None

    if len(finders) == 1:
        return finders[0]

    def find(value: Message, found: list[Resource]) -> None:
        for of_field in finders:
            of_field(value, found)

    return find


def _names_any(message: Descriptor, seen: set[str]) -> bool:
    """Whether a field of the type, at any depth, has one of the names."""
    seen.add(message.full_name)
    return any(
        field.name in (*_KINDS, _WATCHED)
        or (
            field.message_type is not None
            and field.message_type.full_name not in seen
            and _names_any(field.message_type, seen)
        )
        for field in message.fields
    )


def _of_field(
    field: FieldDescriptor, above: tuple[str, ...], kinds: Mapping[str, ResourceKind]
) -> _Finder | None:
    if field.name == _WATCHED:
        if not field.is_repeated or field.type != FieldDescriptor.TYPE_STRING:
            raise TypeError(
                f"{field.full_name} must be repeated strings: it holds names and patterns of subjects"
            )
        return _watched
    kind = kinds.get(field.name)
    if kind is not None:
        if field.is_repeated or field.type != FieldDescriptor.TYPE_STRING:
            raise TypeError(f"{field.full_name} must be a single string: fields of this name are resources")
        return _named(field.name, kind)
    inner = field.message_type
    if inner is None or inner.GetOptions().map_entry or inner.full_name.startswith("google."):
        return None
    find = _finder(inner, above, _USED_KINDS if field.name == _USED else kinds)
    return None if find is None else _nested(field, find)


def _named(name: str, kind: ResourceKind) -> _Finder:
    def find(message: Message, found: list[Resource]) -> None:
        text: str = getattr(message, name)
        if not text:
            return
        if kind not in _SUBJECTS:
            found.append(Resource(kind, text))
            return
        with suppress(InvalidSubject):
            found.append(Resource(kind, str(Subject.parse(text))))

    return find


def _watched(message: Any, found: list[Resource]) -> None:
    texts = message.subjects or (EVERYTHING,)
    for text in texts[:MOST_RESOURCES]:  # what watches more is refused
        if is_pattern(text):
            found.append(Resource(ResourceKind.PATTERN, text))
        else:
            with suppress(InvalidSubject):
                found.append(subject(Subject.parse(text)))


def _nested(field: FieldDescriptor, inner: _Finder) -> _Finder:
    name, repeated = field.name, field.is_repeated

    def find(message: Message, found: list[Resource]) -> None:
        if repeated:
            for item in getattr(message, name):
                inner(item, found)
        elif message.HasField(name):
            inner(getattr(message, name), found)

    return find
