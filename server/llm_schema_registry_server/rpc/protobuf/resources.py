"""The resources that a request names, found by the names of its fields: `subject`, `schema_id`, `context`, `subjects`, at any depth.

A field with one of these names always means that resource. `subjects` holds names and patterns; without any it means all
subjects. Prefixes and patterns of lists have other names (`subject_prefix`) and are no resources: a list tells of what there is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
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

_WATCHED = "subjects"
EVERYTHING = "*"
"""The pattern that stands for a list of subjects without any."""

# From a message to the values of the fields that name resources in it.
_Finder = Callable[[Any], Iterator[Resource]]


def resources_of(request: Descriptor) -> Callable[[Any], Resources]:
    """The function that names the resources of requests of a type, each once, in the order of the fields.

    Subjects are named by their qualified names, however the request writes them. What is no acceptable name of a subject is
    left out: handlers refuse such a request, since no Subject can be made of it. Raises TypeError when a field with the
    name of a kind is no string, and for types that contain themselves.
    """
    find = _finder(request, ())
    if find is None:
        return no_resources

    def resources(message: Message) -> Resources:
        return tuple(dict.fromkeys(find(message)))

    return resources


def subject(name: Subject) -> Resource:
    """A subject as a resource."""
    return Resource(ResourceKind.SUBJECT, str(name))


def schema(schema_id: str) -> Resource:
    """A schema as a resource."""
    return Resource(ResourceKind.SCHEMA, schema_id)


def _finder(message: Descriptor, above: tuple[str, ...]) -> _Finder | None:
    """What finds the resources in messages of this type; None when none of its fields names one."""
    if message.full_name in above:
        raise TypeError(f"{message.full_name} contains itself; resources in it cannot be named")
    finders = [f for f in (_of_field(field, (*above, message.full_name)) for field in message.fields) if f]
    if not finders:
        return None

    def find(value: Message) -> Iterator[Resource]:
        for of_field in finders:
            yield from of_field(value)

    return find


def _of_field(field: FieldDescriptor, above: tuple[str, ...]) -> _Finder | None:
    if field.name == _WATCHED:
        if not field.is_repeated or field.type != FieldDescriptor.TYPE_STRING:
            raise TypeError(
                f"{field.full_name} must be repeated strings: it holds names and patterns of subjects"
            )
        return _watched
    kind = _KINDS.get(field.name)
    if kind is not None:
        if field.is_repeated or field.type != FieldDescriptor.TYPE_STRING:
            raise TypeError(f"{field.full_name} must be a single string: fields of this name are resources")
        return _named(field.name, kind)
    inner = field.message_type
    if inner is None or inner.GetOptions().map_entry or inner.full_name.startswith("google."):
        return None
    find = _finder(inner, above)
    return None if find is None else _nested(field, find)


def _named(name: str, kind: ResourceKind) -> _Finder:
    def find(message: Message) -> Iterator[Resource]:
        text: str = getattr(message, name)
        if not text:
            return
        if kind is not ResourceKind.SUBJECT:
            yield Resource(kind, text)
            return
        try:
            yield subject(Subject.parse(text))
        except InvalidSubject:
            return

    return find


def _watched(message: Any) -> Iterator[Resource]:
    texts = message.subjects or (EVERYTHING,)
    for text in texts[:MOST_RESOURCES]:  # what watches more is refused
        if is_pattern(text):
            yield Resource(ResourceKind.PATTERN, text)
        else:
            try:
                yield subject(Subject.parse(text))
            except InvalidSubject:
                continue


def _nested(field: FieldDescriptor, inner: _Finder) -> _Finder:
    name, repeated = field.name, field.is_repeated

    def find(message: Message) -> Iterator[Resource]:
        if repeated:
            for item in getattr(message, name):
                yield from inner(item)
        elif message.HasField(name):
            yield from inner(getattr(message, name))

    return find
