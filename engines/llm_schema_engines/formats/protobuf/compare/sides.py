"""The two schemas of a comparison, and which of their types and fields correspond. Pure.

Types of the schema's own file correspond by name inside the package, or by full name where one side has moved a type to
another file. Types reached through fields correspond by the field's number, whatever their names are and whichever files
declare them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import NamedTuple, TypeVar

from ..ir import EnumType, Field, MessageType, Method, Schema
from ..json_known import ANY
from ..names import join

MAX_PAIRS = 20_000
"""Most pairs of messages that one comparison looks at: fields can pair every message with every other one."""

MAX_FIELDS = 500_000
"""Most fields in all these pairs together."""


T = TypeVar("T", MessageType, EnumType)


class PathStep(NamedTuple):
    """How a pair of messages is reached: field `number` of the pair `parent`; a root has no parent."""

    parent: tuple[str, str] | None
    number: int


class ComparisonTooLarge(ValueError):
    """The comparison would look at more than MAX_PAIRS pairs of messages or MAX_FIELDS fields of them."""


class FieldPair(NamedTuple):
    """Two fields of the same number that differ, with the messages that declare them."""

    reader_message: MessageType
    writer_message: MessageType
    reader: Field
    writer: Field

    @property
    def path(self) -> str:
        return join(self.reader_message.name, self.reader.name)


class Sides:
    """`reader` and `writer`; Buf's rules call them new and old."""

    def __init__(self, reader: Schema, writer: Schema) -> None:
        self.reader = reader
        self.writer = writer
        self._budget = MAX_FIELDS

    @cached_property
    def reached(self) -> Mapping[tuple[str, str], PathStep]:
        """Every pair (reader's message, writer's message) that data can lead to, and how.

        A pair is reached from the first top-level message that leads to it; nested messages that no top-level one
        leads to are roots themselves. So are the messages of rpcs and, where a field is an Any, all that it may hold.
        """
        found: dict[tuple[str, str], PathStep] = {}
        for reader, writer in sorted(self._roots(), key=lambda pair: pair[1].depth):
            self._reach((reader.name, writer.name), found)
        if any(writer == ANY for _, writer in found):
            for name, message in self.writer.messages.items():
                if name in self.reader.messages and not message.map_entry:
                    self._reach((name, name), found)
        return found

    def _roots(self) -> Iterator[tuple[MessageType, MessageType]]:
        yield from self._own_pairs(
            self.reader.own_messages(), self.writer.own_messages(), self.reader.messages
        )
        for _, theirs, mine in self.methods:
            if mine is not None:
                for read, written in ((mine.request, theirs.request), (mine.response, theirs.response)):
                    if read in self.reader.messages and written in self.writer.messages:
                        yield self.reader.messages[read], self.writer.messages[written]

    @staticmethod
    def _own_pairs(
        mine: Mapping[str, T], theirs: Mapping[str, T], everything: Mapping[str, T]
    ) -> Iterator[tuple[T, T]]:
        """The types `theirs` of the writer's own file beside those of the same name inside the package in the reader's own,
        or else in any of its files."""
        for name, written in theirs.items():
            read = mine.get(name) or everything.get(written.name)
            if read is not None:
                yield read, written

    def _reach(self, root: tuple[str, str], found: dict[tuple[str, str], PathStep]) -> None:
        """Adds the pairs that the fields of `root` lead to; raises ComparisonTooLarge."""
        if root in found:
            return
        readers, writers = self.reader.messages, self.writer.messages
        found[root] = PathStep(None, 0)
        stack = [root]
        while stack:
            pair = stack.pop()
            fields = writers[pair[1]].fields
            self._budget -= len(fields)
            if self._budget < 0:
                raise ComparisonTooLarge
            for number, type_name in readers[pair[0]].uses:
                field = fields.get(number)
                if field is None or field.type_name not in writers or type_name not in readers:
                    continue
                inner = (type_name, field.type_name)
                if inner not in found:
                    if len(found) >= MAX_PAIRS:
                        raise ComparisonTooLarge
                    found[inner] = PathStep(pair, number)
                    stack.append(inner)

    @cached_property
    def read_fields(self) -> tuple[tuple[MessageType, MessageType, Field, Field], ...]:
        """The fields that both sides of a reached pair declare under one number and that may be read differently:
        (reader's message, writer's message, reader's field, writer's field)."""
        found = []
        for pair in self.reached:
            reader, writer = self.reader.messages[pair[0]], self.writer.messages[pair[1]]
            mine = reader.fields
            if mine == writer.fields:
                typed = [number for number, _ in writer.uses]
                found += [(reader, writer, mine[number], writer.fields[number]) for number in typed]
                continue
            for number, theirs in writer.fields.items():
                field = mine.get(number)
                if field is not None and (field != theirs or theirs.type_name):
                    found.append((reader, writer, field, theirs))
        return tuple(found)

    @cached_property
    def _named_pairs(self) -> tuple[tuple[MessageType, MessageType], ...]:
        """The messages whose declarations correspond: (reader's, writer's). Those of the writer's own file, and those of
        any file that data leads to and that have one name on both sides; the entries of maps too."""
        found = {
            (reader.name, writer.name): (reader, writer)
            for reader, writer in self._own_pairs(
                self.reader.own_messages(entries=True),
                self.writer.own_messages(entries=True),
                self.reader.messages,
            )
        }
        readers, writers = self.reader.messages, self.writer.messages
        for pair in self.reached:
            if pair not in found and self.same_type(*pair):
                found[pair] = (readers[pair[0]], writers[pair[1]])
        return tuple(found.values())

    @cached_property
    def messages(self) -> tuple[tuple[MessageType, MessageType], ...]:
        """The messages whose declarations correspond, in whichever files: (reader's, writer's)."""
        return tuple(pair for pair in self._named_pairs if not pair[1].map_entry)

    @cached_property
    def fields(self) -> tuple[FieldPair, ...]:
        """The fields that differ in `messages` and in the entries of their maps."""
        return tuple(
            FieldPair(reader, writer, mine, theirs)
            for reader, writer in self._named_pairs
            if reader.fields != writer.fields
            for number, theirs in writer.fields.items()
            if (mine := reader.fields.get(number)) is not None and mine != theirs
        )

    @cached_property
    def unchanged_enum_fields(self) -> tuple[FieldPair, ...]:
        """The fields of `messages` that are the same on both sides and hold an enum, which may differ."""
        return tuple(
            FieldPair(reader, writer, reader.fields[number], theirs)
            for reader, writer in self.messages
            for number, _ in writer.uses
            if (theirs := writer.fields[number]).kind == "enum" and reader.fields.get(number) == theirs
        )

    @cached_property
    def enums(self) -> tuple[tuple[EnumType, EnumType], ...]:
        """The enums whose declarations correspond: (reader's, writer's). Those of the writer's own file, and those of any
        file that data can hold and that have one name on both sides."""
        found = {
            (reader.name, writer.name): (reader, writer)
            for reader, writer in self._own_pairs(
                self.own_enums(self.reader), self.own_enums(self.writer), self.reader.enums
            )
        }
        for pair in self.enum_uses:
            if pair not in found and self.same_type(*pair):
                found[pair] = (self.reader.enums[pair[0]], self.writer.enums[pair[1]])
        return tuple(found.values())

    @cached_property
    def enum_uses(self) -> Mapping[tuple[str, str], tuple[str, str, int]]:
        """For each pair of enums that data can hold, a field that does: (reader's message, writer's, number)."""
        return {
            (mine.type_name, theirs.type_name): (reader.name, writer.name, theirs.number)
            for reader, writer, mine, theirs in reversed(self.read_fields)
            if mine.kind == theirs.kind == "enum"
        }

    @cached_property
    def methods(self) -> tuple[tuple[str, Method, Method | None], ...]:
        """The rpcs of services that both have: (path, the writer's method, the reader's or None)."""
        theirs = self.own_services(self.writer)
        mine = self.own_services(self.reader)
        return tuple(
            (f"{join(self.reader.package, service)}.{name}", method, mine[service].get(name))
            for service, methods in theirs.items()
            if service in mine
            for name, method in methods.items()
        )

    @staticmethod
    def own_enums(schema: Schema) -> dict[str, EnumType]:
        return {_inside(schema, e.name): e for e in schema.enums.values() if e.file == schema.root}

    @staticmethod
    def own_services(schema: Schema) -> dict[str, Mapping[str, Method]]:
        return {
            _inside(schema, name): methods
            for name, (file, methods) in schema.services.items()
            if file == schema.root
        }

    @staticmethod
    def own_extensions(schema: Schema) -> set[str]:
        return {_inside(schema, n) for n, (file, _, _) in schema.extensions.items() if file == schema.root}

    def same_type(self, reader_type: str, writer_type: str) -> bool:
        """Whether two type names are equal, leaving out a renamed package, which has a rule of its own."""
        if reader_type == writer_type:
            return True
        return self.reader.package != self.writer.package and _own_name(
            self.reader, reader_type
        ) == _own_name(self.writer, writer_type)


def _inside(schema: Schema, full_name: str) -> str:
    return full_name[len(schema.package) + 1 :] if schema.package else full_name


def _own_name(schema: Schema, full_name: str) -> tuple[bool, str]:
    declared = schema.messages.get(full_name) or schema.enums.get(full_name)
    own = declared is not None and declared.file == schema.root
    return own, _inside(schema, full_name) if own else full_name


def in_package(schema: Schema, file: int) -> bool:
    """Whether a file of `schema` has the package of the schema itself."""
    return schema.packages[file] == schema.package
