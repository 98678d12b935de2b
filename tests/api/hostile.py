"""Hostile values for each kind of field, as gRPC and as JSON carry them, generated from the descriptors.

A case puts one hostile value into one field of a request that is right otherwise. Over gRPC that is done in bytes: a value
that is appended to a serialized message replaces the one before it, and may be what no client library would write.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from google.protobuf.descriptor import Descriptor, FieldDescriptor

LONG = 300_000
TEXTS = (
    "",
    " ",
    "\t",
    "a b ",
    "\x00",
    "a\x00b",
    "\x01\x1f",
    "\x7f\x85",
    "\u200e\u202eabc\u2066",
    "\ufeff",
    "\ufffe\uffff",
    "\U0010ffff",
    "a\U0010ffff",
    "\u0130\u00df\ufb03",
    "e\u0301",
    "*",
    "?",
    "*" * 200,
    "*?" * 100 + "x",
    "**a**b**c",
    "%",
    "_",
    "\\",
    "%_\\%",
    "'; DROP TABLE versions; --",
    '"',
    "a'b\"c",
    "$1",
    ":x",
    "{}",
    '{"a": 1}',
    "[1]",
    "null",
    "a OR b*",
    'a NEAR("b")',
    "-a",
    '"a',
    "^(a+)+$",
    ".",
    "..",
    "/",
    "a/b",
    "../../etc/passwd",
    ".a:b",
    ".:",
    ":.",
    ":.:a",
    ":.a:",
    ":.a:b:c",
    ":..:x",
    "latest",
    "-1",
    "0",
    "1",
    "v1",
    "1.9",
    "1e3",
    "1" * 40,
    "0x10",
    "\u0661",
    "^",
    "~",
    "^99999999999",
    "999999999.999999999.999999999",
    "1.0.0-" + "a" * 100,
    "x" * 256,
    "x" * 5000,
    "\u00e9" * 255,
    "x" * LONG,
    "http://json-schema.org/draft-07/schema#",
    "a.proto",
    "../a.proto",
    "WyJhIiwxXQ",
    "WyJcdWQ4MDAiLDFd",
    "WyJhIiw5OTk5OTk5OTk5OTk5OV0",
    "WzEsImEiLDFd",
    "W1tbW1tbW1tb",
    "ffffffff.ffffffffffffffff",
    "00000000-0000-0000-0000-000000000000",
    "0190a0b0-c0d0-7000-8000-000000000000",
)
NOT_UTF8 = (b"\xff", b"\xed\xa0\x80", b"a\xc3", b"\xf4\x90\x80\x80", b"\xc0\x80")
CONTENTS = (
    b"",
    b"{}",
    b"true",
    b"null",
    b"[",
    b"{",
    b"\x00",
    b"\xff\xfe",
    b"NaN",
    b"1e30",
    b"-1e30",
    b"1e99999999999999999999",
    b'{"a": 1e400}',
    b'{"a": 1e99999999999999999999}',
    b'{"a": -0.0, "a": 1}',
    b'{"minimum": 1e99999999999999999999}',
    b'{"minLength": 400000000}',
    b'{"maxLength": 9223372036854775808}',
    b'{"type": "string", "pattern": "^(a+)+$"}',
    b'{"$ref": "#"}',
    b'{"$id": "\\u0000"}',
    b'{"a": "\\ud800"}',
    b'{"\\ud800": 1}',
    b'{"title": "\\ud800"}',
    b'{"enum": ["\\ud800", "\\u0000"]}',
    b'{"description": "\\u0000"}',
    b'"\\ud83d"',
    b"9" * 5000,
    b"[" * 5000,
    b'{"a":' * 5000,
    b'"' + b"x" * 20_000,
    b'{"type": "record", "name": "R", "fields": []}',
    b'{"type": "record", "name": "R", "fields": [{"name": "a", "type": "int", "default": 1e30}]}',
    b'{"type": "fixed", "name": "F", "size": 9223372036854775808}',
    b'{"type": "bytes", "logicalType": "decimal", "precision": 1e30}',
    b'syntax = "proto3"; message M { int32 a = 536870912; }',
    b'syntax = "proto3"; message M { string a = 1; } // \xe2\x80\xae',
    b'syntax = "proto3"; import "a.proto"; message M {}',
    b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"\x08\x80",
    b" " * LONG,
)
DOUBLES = (float("nan"), float("inf"), float("-inf"), -1.0, -0.0, 5e-324, 1.7e308, 3600.0)
INTEGERS = (0, 1, 2, 5, 51, 100, 1001, -1, 2**31 - 1, 2**31, -(2**31), 2**32, 2**62, 2**63 - 1, -(2**63))
JSON_VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1.5,
    1.9,
    -0.0,
    1e300,
    10**30,
    2**31,
    -(2**63) - 1,
    "\ud800",
    "a\udfff\ud800b",
    [],
    ["a"],
    [None],
    [[1]],
    [{"a": 1}],
    ["\ud800"],
    {},
    {"a": 1},
    {"": None},
    {"\ud800": "a"},
    {"name": None},
    {"a": {"b": {"c": []}}},
)
RAW_JSON = (
    "NaN",
    "Infinity",
    "-Infinity",
    "1e400",
    "1e99999999999999999999",
    "01",
    "[1,]",
    "{'a': 1}",
    '"\\x"',
)
"""What stands for a value and is no JSON."""
BASE64 = ("!!!!", "e30", "e3", "e", "====", "e30=e30=", "e3\n0=", "e\u0660==", "-_-_", "{}")
NUMBERS = ("1e3", "1e30", "0x10", "\u0661", "1_000", " 1", "+1", "1.0", "1.5", "NaN", "--1", "1" * 5000)
ENUMS = (
    "ACTIVE",
    "json",
    "JSON ",
    "SCHEMA_TYPE_JSON\x00",
    "1.9",
    "-1",
    "99",
    "2147483648",
    "\u0661",
    "UNSPECIFIED",
)
DURATIONS = (
    "1s",
    "0s",
    "-1s",
    "4611686018427387904s",
    "315576000001s",
    "1e3s",
    "1.5s",
    "0.0000000001s",
    "s",
    "1",
    "NaNs",
)
TIMESTAMPS = ("0000-00-00T00:00:00Z", "9999-12-31T23:59:59Z", "10000-01-01T00:00:00Z", "2026-01-01", "1e9")

Path = tuple[FieldDescriptor, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """A field, and the fields of the messages around it."""

    path: Path

    @property
    def field(self) -> FieldDescriptor:
        return self.path[-1]

    @property
    def name(self) -> str:
        return ".".join(f.name for f in self.path)

    @property
    def names(self) -> frozenset[str]:
        return frozenset(f.name for f in self.path)


def places(kind: Descriptor, above: Path = ()) -> Iterator[Place]:
    """Each field of a message, also within messages, map entries, durations and timestamps; a message that is within itself once."""
    entered = {f.message_type.full_name for f in above if f.message_type is not None}
    for field in kind.fields:
        path = (*above, field)
        yield Place(path)
        if field.message_type is not None and field.message_type.full_name not in entered:
            yield from places(field.message_type, path)


def encodings(place: Place) -> Iterator[bytes]:
    """What to append to a serialized request, one hostile value each."""
    for one in _values(place.field):
        yield _within(place.path, one)
    if place.field.is_repeated:
        yield _within(place.path, next(iter(_values(place.field))) * 12_000)
    yield _within(place.path, _tag(place.field, 2) + _varint(7) + b"junk\xff\xff\xff")


def _values(field: FieldDescriptor) -> Iterator[bytes]:
    match field.type:
        case FieldDescriptor.TYPE_STRING:
            yield from (_bytes(field, text.encode()) for text in TEXTS)
            yield from (_bytes(field, junk) for junk in NOT_UTF8)
        case FieldDescriptor.TYPE_BYTES:
            yield from (_bytes(field, content) for content in CONTENTS)
        case FieldDescriptor.TYPE_MESSAGE:
            yield from (_bytes(field, content) for content in (b"", b"\xff", b"\x08"))
        case FieldDescriptor.TYPE_INT32 | FieldDescriptor.TYPE_INT64:
            yield from (_tag(field, 0) + _varint(n) for n in INTEGERS)
        case FieldDescriptor.TYPE_DOUBLE:
            yield from (_tag(field, 1) + struct.pack("<d", number) for number in DOUBLES)
        case FieldDescriptor.TYPE_ENUM | FieldDescriptor.TYPE_BOOL:
            yield from (_tag(field, 0) + _varint(n) for n in (*range(20), *INTEGERS))
        case other:
            raise TypeError(f"{field.full_name}: no hostile values for fields of type {other}")


def _within(path: Path, inner: bytes) -> bytes:
    for field in reversed(path[:-1]):
        inner = _bytes(field, inner)
    return inner


def _bytes(field: FieldDescriptor, content: bytes) -> bytes:
    return _tag(field, 2) + _varint(len(content)) + content


def _tag(field: FieldDescriptor, wire_type: int) -> bytes:
    return _varint(field.number << 3 | wire_type)


def _varint(number: int) -> bytes:
    number &= 2**64 - 1
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def json_texts(field: FieldDescriptor) -> Iterator[str]:
    """JSON texts of hostile values, also of the wrong type, and texts that are no JSON."""
    yield from RAW_JSON
    yield from (json.dumps(value) for value in (*JSON_VALUES, *texts(field)))
    yield json.dumps(["a"] * 12_000)
    yield json.dumps({f"k{n}": "v" for n in range(12_000)})


def texts(field: FieldDescriptor) -> tuple[str, ...]:
    """Hostile texts for a field, as query parameters and JSON strings carry them."""
    if field.enum_type is not None:
        return ENUMS
    match field.type:
        case FieldDescriptor.TYPE_STRING:
            return TEXTS
        case FieldDescriptor.TYPE_BYTES:
            return BASE64
        case FieldDescriptor.TYPE_BOOL:
            return ("true", "TRUE", "1", "yes", "", "\x00")
        case FieldDescriptor.TYPE_MESSAGE:
            known = {"google.protobuf.Duration": DURATIONS, "google.protobuf.Timestamp": TIMESTAMPS}
            return known.get(field.message_type.full_name if field.message_type else "", ("", "{}"))
        case _:
            return NUMBERS


def escaped(field: FieldDescriptor) -> Iterator[str]:
    """Texts for a place in a URL: percent-encoded, and raw where a client that encodes nothing would send them."""
    for text in texts(field):
        if len(text) < 10_000:
            yield quote(text, safe="")
    yield from (
        "%ff",
        "%ED%A0%80",
        "%C3",
        "%",
        "%zz",
        "%00",
        "\u00e9",
        "a\u00e9\U0010ffff",
        "a+b",
        "a%2Fb",
        "a;b",
        "a%26b",
    )
