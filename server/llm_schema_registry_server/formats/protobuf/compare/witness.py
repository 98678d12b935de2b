"""Builds data that shows a break, and returns it only when decoding it on both sides does show it. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from google.protobuf import text_format
from google.protobuf.message import DecodeError, Message

from ....model.compatibility import Witness
from ..ir import Field, Schema
from ..kinds import KINDS
from ..pools import Compiled, missing_required
from .encode import Impossible, element, least, plain, scalar
from .reading import difference
from .rule import Evidence
from .sides import Sides

MAX_TEXT = 500
"""Characters of a witness's text."""

EDGES = (-1, 1, 2, 2**31 - 1, -(2**31), 2**32 - 1, 2**63 - 1, -(2**63), 2**64 - 1, 0)
"""Integers at which one kind ends and another goes on."""


def find_witness(sides: Sides, reader: Compiled, writer: Compiled, evidence: Evidence) -> Witness | None:
    """Bytes that the writer can write and the reader reads otherwise or not at all; None when none was found."""
    if evidence.reader is None:
        return _unnamed(reader, writer, evidence.writer)
    pair = (evidence.reader, evidence.writer)
    try:
        for body in _bodies(sides, evidence):
            root, payload = _wrap(sides, pair, body)
            found = _try(reader, writer, root, payload)
            if found is not None:
                return found
    except Impossible:
        return None
    return None


def _unnamed(reader: Compiled, writer: Compiled, name: str) -> Witness | None:
    if reader.message(name) is not None or writer.message(name) is None:
        return None
    try:
        data = least(writer.schema, name)
    except Impossible:
        return None
    return Witness(data, f"{name} {{ }} has no message of that name in the reader's schema")


def _bodies(sides: Sides, evidence: Evidence) -> Iterator[bytes]:
    """Messages of the writer's type that may show the break."""
    schema = sides.writer
    rest = least(schema, evidence.writer, but=frozenset(evidence.numbers))
    if not evidence.numbers:
        yield rest
        return
    fields = [schema.messages[evidence.writer].fields[number] for number in evidence.numbers]
    if len(fields) > 1:
        yield rest + b"".join(element(field, [plain(schema, field)]) for field in fields)
        return
    field = fields[0]
    other = sides.reader.messages[evidence.reader or ""].fields[field.number]
    for value in _values(schema, field, other):
        twice = [value, value] if field.many else [value]
        yield rest + element(field, twice)


def _values(schema: Schema, field: Field, other: Field) -> Iterator[bytes]:
    """Values of a field, those first that a reader with `other` is likely to read otherwise."""
    kind, read = KINDS[field.kind], KINDS[other.kind]
    if field.kind in ("message", "group"):
        message = schema.messages[field.type_name]
        base = least(schema, field.type_name)
        for inner in [f for f in message.fields.values() if not f.type_name][:3]:
            yield base + element(inner, [plain(schema, inner)])
        yield base
    elif field.kind == "string":
        yield from (b"\xff",) if not field.utf8 else ()
        yield from (b"a", b"\xc3\xa9")
    elif field.kind == "bytes":
        yield from (b"\xff\xfe", b"\x08\x01", b"a")
    elif kind.encoding in ("float", "double"):
        yield from (scalar(field.kind, number) for number in (1.5, -2.0))
    else:
        yield from (scalar(field.kind, n) for n in _integers(schema, field, read.low, read.high))


def _integers(schema: Schema, field: Field, low: int, high: int) -> Iterator[int]:
    """Integers that `field` can hold, those that a reader's range leaves out first."""
    kind = KINDS[field.kind]
    if field.kind == "enum":
        enum = schema.enums[field.type_name]
        numbers = list(enum.values) if enum.closed else [*enum.values, *EDGES]
    else:
        numbers = list(EDGES)
    possible = [n for n in numbers if kind.low <= n <= kind.high]
    yield from (n for n in possible if not low <= n <= high)
    yield from (n for n in possible if low <= n <= high)


def _wrap(sides: Sides, pair: tuple[str, str], body: bytes) -> tuple[tuple[str, str], bytes]:
    """`body` inside the messages that lead to `pair` from a root: the root pair and its payload."""
    step = sides.reached[pair]
    while step.parent is not None:
        pair = step.parent
        field = sides.writer.messages[pair[1]].fields[step.number]
        rest = least(sides.writer, pair[1], but=frozenset({step.number}))
        body = rest + element(field, [body])
        step = sides.reached[pair]
    return pair, body


def _try(reader: Compiled, writer: Compiled, root: tuple[str, str], payload: bytes) -> Witness | None:
    """The witness that `payload` is, if decoding it on both sides shows a break."""
    wrote, reads = writer.message(root[1]), reader.message(root[0])
    if wrote is None or reads is None:
        return None
    try:
        written = wrote.FromString(payload)
    except DecodeError:
        return None
    if not written.IsInitialized():
        return None
    sent = f"{root[1]} {{ {_text(written)} }}"
    try:
        read = reads.FromString(payload)
    except DecodeError:
        return Witness(payload, f"{sent} cannot be decoded by the reader")
    missing = missing_required(read)
    if missing:
        return Witness(payload, f"{sent} lacks {', '.join(missing[:3])}, which the reader requires")
    if difference(written, read) is None:
        return None
    return Witness(payload, f"{sent} is read as {{ {_text(read)} }}")


def _text(message: Message) -> str:
    try:
        text = text_format.MessageToString(message, as_one_line=True, print_unknown_fields=True)
    except UnicodeDecodeError:
        text = "(bytes that are not UTF-8)"
    return text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + "..."
