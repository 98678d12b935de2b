"""Builds data that shows a breaking change; data is returned only when decoding it on both sides confirms it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import count

from google.protobuf import json_format, text_format
from google.protobuf.message import DecodeError, Message

from ....model.compatibility import Witness
from ..decoded import missing_required, not_text
from ..ir import MAP, Field
from ..json_data import JsonChecker, load
from ..kinds import KINDS
from ..pools import CompiledSchema
from .encode import NoSampleMessage, SampleMessages, element, scalar
from .reading import difference
from .rule import Evidence
from .sides import Sides

MAX_TEXT = 500
"""Characters of each message in a witness's text."""

EDGES = (-1, 1, 2, 2**31 - 1, -(2**31), 2**32 - 1, 2**63 - 1, -(2**63), 2**64 - 1, 0)
"""Integers at the ends of the ranges of integer kinds."""

Root = tuple[str, str]  # the reader's and the writer's name of the message that a payload is


class Witnesses:
    """Finds witnesses for the breaking changes of one comparison. Each text begins with the name of the message."""

    def __init__(self, sides: Sides, reader: CompiledSchema, writer: CompiledSchema) -> None:
        self._sides = sides
        self._reader = reader
        self._writer = writer
        self._samples = SampleMessages(writer.schema)

    def find(self, evidence: Evidence) -> Witness | None:
        """Data that the writer can write and the reader decodes differently or not at all; None when none was found."""
        try:
            if evidence.reader is None:
                return self._unknown_message(evidence.writer)
            for body in self._bodies(evidence, evidence.reader):
                root, payload = self._wrap((evidence.reader, evidence.writer), body)
                found = self._try_json(root, payload) if evidence.json else self._try(root, payload)
                if found is not None:
                    return found
        except NoSampleMessage:
            return None
        return None

    def _unknown_message(self, name: str) -> Witness | None:
        if self._reader.message(name) is not None or self._writer.message(name) is None:
            return None
        data = self._samples.minimal(name)
        return Witness(data, f"{name} {{ }} has no message of that name in the reader's schema")

    def _bodies(self, evidence: Evidence, reader: str) -> Iterator[bytes]:
        """Messages of the writer's type that may show the breaking change."""
        samples = self._samples
        rest = samples.minimal(evidence.writer, without=frozenset(evidence.numbers))
        if not evidence.numbers:
            yield rest
            return
        fields = [self._sides.writer.messages[evidence.writer].fields[number] for number in evidence.numbers]
        read = self._sides.reader.messages[reader].fields
        if len(fields) > 1:
            values = [self._seen_value(field, read.get(field.number, field)) for field in fields]
            yield rest + b"".join(
                element(field, [value]) for field, value in zip(fields, values, strict=True)
            )
            return
        field = fields[0]
        other = read.get(field.number, field)
        chosen = [scalar("enum", evidence.value)] if evidence.value is not None else None
        for value in chosen or self._values(field, other):
            yield rest + element(field, [value, self._two_elements(field, value)] if field.many else [value])

    def _seen_value(self, field: Field, other: Field) -> bytes:
        """A value that is set for both: no zero, which a field without presence leaves out, and known to a closed enum. An open one may
        hold any number, also where all that it names is zero, as google.protobuf.NullValue does."""
        if field.kind != "enum" or other.kind != "enum":
            return self._samples.sample_value(field)
        mine, theirs = self._sides.reader.enums[other.type_name], self._sides.writer.enums[field.type_name]
        numbers = list(theirs.values) if theirs.closed else [*theirs.values, *mine.values]
        known = [number for number in numbers if not mine.closed or number in mine.values]
        any_other = 0 if mine.closed or theirs.closed else 1
        return scalar("enum", next((number for number in known if number), any_other))

    def _two_elements(self, field: Field, value: bytes) -> bytes:
        """The second element of a repeated field: `value` again, in a map with another key."""
        if field.cardinality != MAP:
            return value
        key = self._sides.writer.messages[field.type_name].fields[1]
        other = b"b" if key.kind == "string" else scalar(key.kind, 0)
        return value + element(key, [other])

    def _values(self, field: Field, other: Field) -> Iterator[bytes]:
        """Values of a field, first those that a reader with `other` is likely to decode differently."""
        kind, read = KINDS[field.kind], KINDS[other.kind]
        if field.kind in ("message", "group"):
            base = self._samples.minimal(field.type_name)
            for inner in self._fields_by_interest(field, other)[:3]:
                with suppress(NoSampleMessage):
                    yield base + element(inner, [self._samples.sample_value(inner)])
            yield base
        elif field.kind == "string":
            yield from (b"a", b"\xc3\xa9")
        elif field.kind == "bytes":
            yield from (b"\xff\xfe", b"\x08\x01", b"a")
        elif kind.encoding in ("float", "double"):
            yield from (scalar(field.kind, number) for number in (1.5, -2.0))
        elif field.kind == "bool" and other.kind == "enum":
            known = self._sides.reader.enums[other.type_name].values
            yield scalar("bool", next(n for n in count(1) if n not in known))
        else:
            yield from (scalar(field.kind, n) for n in self._integers(field, read.low, read.high))

    def _fields_by_interest(self, field: Field, other: Field) -> Sequence[Field]:
        """The fields of the writer's message: first those unknown to the reader's, scalars before messages."""
        fields = self._sides.writer.messages[field.type_name].fields.values()
        read = self._sides.reader.messages.get(other.type_name)
        known = read.fields if read is not None else {}
        return sorted(fields, key=lambda f: (f.number in known, bool(f.type_name)))

    def _integers(self, field: Field, low: int, high: int) -> Iterator[int]:
        """Integers that `field` can hold, first those outside the reader's range `low` to `high`."""
        kind = KINDS[field.kind]
        if field.kind == "enum":
            enum = self._sides.writer.enums[field.type_name]
            numbers = list(enum.values) if enum.closed else [*enum.values, *EDGES]
        else:
            numbers = list(EDGES)
        possible = [n for n in numbers if kind.low <= n <= kind.high][:MAX_VALUES]
        yield from (n for n in possible if not low <= n <= high)
        yield from (n for n in possible if low <= n <= high)

    def _wrap(self, pair: Root, body: bytes) -> tuple[Root, bytes]:
        """`body` inside the messages that lead to `pair` from a root: the root and its payload."""
        step = self._sides.reached.get(pair)
        if step is None:
            raise NoSampleMessage(pair[1])  # entries of maps that no field of the same number leads to
        while step.parent is not None:
            pair = step.parent
            field = self._sides.writer.messages[pair[1]].fields[step.number]
            rest = self._samples.minimal(pair[1], without=frozenset({step.number}))
            body = rest + element(field, [body])
            step = self._sides.reached[pair]
        return pair, body

    def _written(self, root: Root, payload: bytes) -> Message | None:
        """The payload as the writer decodes it; None when the writer cannot have written it."""
        kind = self._writer.message(root[1])
        if kind is None:
            return None
        try:
            message = kind.FromString(payload)
        except DecodeError:
            return None
        return message if message.IsInitialized() and next(not_text(message), None) is None else None

    def _try(self, root: Root, payload: bytes) -> Witness | None:
        """`payload` as a witness, if decoding it on both sides shows a difference."""
        written, reads = self._written(root, payload), self._reader.message(root[0])
        if written is None or reads is None:
            return None
        sent = f"{root[1]} {{ {_text(written)} }}"
        try:
            read = reads.FromString(payload)
        except DecodeError:
            return Witness(payload, f"{sent} cannot be decoded by the reader")
        missing = missing_required(read)
        if missing:
            return Witness(payload, f"{sent} lacks {', '.join(missing[:3])}, which the reader requires")
        no_text = next(not_text(read), None)
        if no_text is not None:
            return Witness(payload, f"{sent} holds bytes at {no_text} that are no text for the reader")
        if difference(written, read) is None:
            return None
        return Witness(payload, f"{sent} is read as {{ {_text(read)} }}")

    def _try_json(self, root: Root, payload: bytes) -> Witness | None:
        """The JSON form of `payload` as a witness, if a strict reader refuses it."""
        written = self._written(root, payload)
        if written is None:
            return None
        try:
            text = json_format.MessageToJson(written, indent=None, descriptor_pool=self._writer.pool)
        except (json_format.Error, ValueError, TypeError):
            return None  # an Any of nothing, a time out of range ...: it has no JSON form
        data = text.encode()
        issues = JsonChecker(self._sides.reader).check(load(data), root[0], strict=True, max_issues=1)
        if not issues:
            return None
        return Witness(data, f"{root[1]} {_short(text)} is refused by a strict reader: {issues[0].message}")


MAX_VALUES = 100
"""Values of one field that are tried."""


def _text(message: Message) -> str:
    try:
        return _short(text_format.MessageToString(message, as_one_line=True, print_unknown_fields=True))
    except UnicodeDecodeError:
        return "(bytes that are not UTF-8)"


def _short(text: str) -> str:
    return text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + "..."
