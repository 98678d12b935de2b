"""Makes the classes of a pool's messages in an order that keeps the runtime's recursion shallow. Pure.

The runtime makes the classes of a message's field types while it makes that of the message, recursively: a chain of a
thousand types would exhaust the stack. Made from the leaves upward, only types in cycles still nest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

MAX_CLASS_NESTING = 150
"""Most classes that the runtime may have to make recursively; each takes two of the interpreter's thousand frames."""


def make_classes(roots: Sequence[Descriptor]) -> Mapping[str, type[Message]]:
    """The classes of `roots` and of all messages that they need, by full name."""
    return {d.full_name: GetMessageClass(d) for d in _leaves_first(roots)}


def class_nesting(roots: Sequence[Descriptor]) -> int:
    """How deep `make_classes` would make the runtime recurse."""
    made: set[str] = set()
    deepest = 0
    for descriptor in _leaves_first(roots):
        if descriptor.full_name in made:
            continue
        made.add(descriptor.full_name)
        stack = [_required_messages(descriptor)]
        while stack:
            deepest = max(deepest, len(stack))
            needed = next((d for d in stack[-1] if d.full_name not in made), None)
            if needed is None:
                stack.pop()
            else:
                made.add(needed.full_name)
                stack.append(_required_messages(needed))
    return deepest


def declared(pool: DescriptorPool, file: str) -> list[Descriptor]:
    """All messages that a file declares, nested ones too."""
    found: list[Descriptor] = [*pool.FindFileByName(file).message_types_by_name.values()]
    place = 0
    while place < len(found):
        found += found[place].nested_types
        place += 1
    return found


def _required_messages(descriptor: Any) -> Iterator[Any]:
    """The messages whose classes the runtime makes with that of `descriptor`."""
    for field in descriptor.fields:
        if field.message_type is not None:
            yield field.message_type
    for extension in descriptor.extensions:
        yield extension.containing_type
        if extension.message_type is not None:
            yield extension.message_type


def _leaves_first(messages: Sequence[Descriptor]) -> list[Descriptor]:
    """Each message after those that it requires, except where they require it too."""
    seen: set[str] = set()
    ordered: list[Descriptor] = []
    for root in messages:
        if root.full_name in seen:
            continue
        seen.add(root.full_name)
        stack = [(root, _required_messages(root))]
        while stack:
            descriptor, needs = stack[-1]
            needed = next((d for d in needs if d.full_name not in seen), None)
            if needed is None:
                stack.pop()
                ordered.append(descriptor)
            else:
                seen.add(needed.full_name)
                stack.append((needed, _required_messages(needed)))
    return ordered
