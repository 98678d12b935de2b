"""The comments of a compiled file by the element that they belong to. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.message import Message

ElementPath = tuple[int | str, ...]
"""Identifies an element whatever the order of declarations: field numbers of descriptor.proto, each followed by the
name of the element there, such as (4, "Order", 2, "id") for field `id` of message `Order`."""


def extract(file: FileDescriptorProto) -> Mapping[ElementPath, tuple[str, ...]]:
    """The comment lines before and behind each commented element, with runs of white space as one space."""
    found: dict[ElementPath, tuple[str, ...]] = {}
    for location in file.source_code_info.location:
        if not (
            location.leading_comments or location.trailing_comments or location.leading_detached_comments
        ):
            continue
        texts = [*location.leading_detached_comments, location.leading_comments, location.trailing_comments]
        lines = tuple(_squeeze(line) for text in texts for line in text.splitlines() if line.strip())
        if lines:
            place = _place(file, location.path)
            if place is not None:
                found[place] = found.get(place, ()) + lines
    return found


def _squeeze(line: str) -> str:
    return " ".join(line.split())


def _place(file: FileDescriptorProto, path: Sequence[int]) -> ElementPath | None:
    """The element that a source-info path leads to; None for parts of an element (its type, its number ...)."""
    element: Message = file
    place: list[int | str] = []
    steps = list(path)
    while steps:
        number = steps.pop(0)
        field = element.DESCRIPTOR.fields_by_number.get(number)
        if field is None:
            return None
        place.append(number)
        if not steps:
            # `syntax` and `package` carry the head comments of a file; other bare values are parts of an element.
            return tuple(place) if element is file else None
        index = steps.pop(0)
        values = getattr(element, field.name) if field.is_repeated else ()
        if index >= len(values):
            return None
        if field.type != FieldDescriptor.TYPE_MESSAGE:
            place.append(values[index])
            continue
        element = values[index]
        name = getattr(element, "name", None)
        if not isinstance(name, str):
            return None
        place.append(name)
    return tuple(place)
