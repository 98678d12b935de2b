"""Random payloads of a compiled schema's messages, binary and JSON. Most are valid; whoever uses them asks a validator."""

from __future__ import annotations

import base64
import json
import math
from random import Random
from typing import Any

from google.protobuf.message import EncodeError

from llm_schema_engines.formats.protobuf.ir import MAP, REPEATED, REQUIRED, Field, MessageType
from llm_schema_engines.formats.protobuf.kinds import KINDS
from llm_schema_engines.formats.protobuf.pools import CompiledSchema
from llm_schema_engines.model.validation import Encoding

Payload = tuple[bytes, Encoding]
TEXT = ("", "a", "é", "\x00", "E_X", "1", "true", "AQI=")
DEPTH = 4
EDGES = (0, 1, 2, 3, -1, 5, 127, 128, 2**31 - 1, -(2**31), 2**31, 2**32 - 1, 2**63 - 1, -(2**63), 2**64 - 1)

WELL_KNOWN: dict[str, tuple[Any, ...]] = {
    "Timestamp": ("2024-02-29T10:00:00Z", "0001-01-01T00:00:00.5Z", "2024-01-01T00:00:00+02:00"),
    "Duration": ("1s", "-1.5s", "0s"),
    "FieldMask": ("", "a,b.c", "aB"),
    "Struct": ({}, {"a": [1, None]}),
    "Value": (None, 1, "a", [], {"a": True}),
    "ListValue": ([], [1, "a", None]),
    "Int64Value": (1, "2", -1),
    "StringValue": ("", "a"),
    "BoolValue": (True, False),
    "BytesValue": ("", "AQI="),
    "DoubleValue": (0, 1.5, "NaN"),
}


class Payloads:
    """Makes payloads of one schema's messages from `random`."""

    def __init__(self, compiled: CompiledSchema, random: Random) -> None:
        self._compiled = compiled
        self._schema = compiled.schema
        self._random = random

    def some(self, name: str, count: int) -> list[Payload]:
        """Up to that many payloads of the message of that full name, half of them JSON."""
        found: list[Payload] = []
        for _ in range(count):
            document = self.json(self._schema.messages[name], 0)
            found.append((json.dumps(document).encode(), Encoding.JSON))
            found.append((self.binary(name), Encoding.BINARY))
        return found

    def binary(self, name: str) -> bytes:
        """As `written`, or nothing; some have a byte changed, as no encoder writes it."""
        data = bytearray(self.written(name) or b"")
        if data and self._random.random() < 0.2:
            data[self._random.randrange(len(data))] = self._random.randrange(256)
        return bytes(data)

    def written(self, name: str) -> bytes | None:
        """As an encoder writes it; None where the random message has no binary form."""
        kind = self._compiled.message(name)
        assert kind is not None
        message = kind()
        self._fill(message, 0)
        try:
            return bytes(message.SerializePartialToString())
        except EncodeError:
            return None

    def _fill(self, message: Any, depth: int) -> None:
        r, described = self._random, message.DESCRIPTOR
        for f in [*described.fields, *described.file.pool.FindAllExtensions(described)]:
            wanted = f.is_required and r.random() < 0.97
            if depth > 8 or not (wanted or (depth <= DEPTH and r.random() < 0.5)):
                continue
            inner = f.message_type
            if f.is_extension:
                holder = message.Extensions
                key: Any = f
            else:
                holder, key = None, f.name
            if f.is_repeated and inner is not None and inner.GetOptions().map_entry:
                self._fill_map(getattr(message, f.name), inner, depth)
            elif inner is not None:
                value = holder[key] if holder is not None else getattr(message, key)
                for _ in range(r.randint(0, 2) if f.is_repeated else 1):
                    item = value.add() if f.is_repeated else value
                    item.SetInParent()
                    self._fill(item, depth + 1)
            elif f.is_repeated:
                value = holder[key] if holder is not None else getattr(message, key)
                value.extend(self._scalar(f) for _ in range(r.randint(0, 3)))
            elif holder is not None:
                holder[key] = self._scalar(f)
            else:
                setattr(message, key, self._scalar(f))

    def _fill_map(self, values: Any, entry: Any, depth: int) -> None:
        key, value = entry.fields_by_name["key"], entry.fields_by_name["value"]
        for _ in range(self._random.randint(0, 2)):
            name = self._scalar(key)
            if value.message_type is not None:
                self._fill(values[name], depth + 1)
            else:
                values[name] = self._scalar(value)

    def _scalar(self, f: Any) -> Any:
        r = self._random
        if f.enum_type is not None:
            numbers = list(f.enum_type.values_by_number)
            return r.choice(numbers if f.enum_type.is_closed else [*numbers, -1, 77])
        kind = f.type
        if kind == f.TYPE_STRING:
            return r.choice(TEXT)
        if kind == f.TYPE_BYTES:
            return r.choice([*(t.encode() for t in TEXT), b"\xff", b"\x08\x01"])
        if kind == f.TYPE_BOOL:
            return r.random() < 0.5
        if kind in (f.TYPE_FLOAT, f.TYPE_DOUBLE):
            return r.choice([0.0, 1.5, math.inf, math.nan, -2.0])
        return r.choice(integers(_KIND_NAMES[kind]))

    def json(self, message: MessageType, depth: int) -> dict[str, Any]:
        """A JSON object of a message, with all the forms that its fields may take."""
        r = self._random
        out: dict[str, Any] = {}
        taken: set[str] = set()
        for f in message.fields.values():
            if f.oneof in taken and r.random() < 0.97:
                continue
            wanted = f.cardinality == REQUIRED and r.random() < 0.97
            if not (wanted and depth < 8) and not (depth <= DEPTH and r.random() < 0.5):
                continue
            taken |= {f.oneof} - {""}
            key = f.name if f.name.startswith("[") or r.random() < 0.4 else f.json_name
            out[key] = None if r.random() < 0.05 else self._value(f, depth)
        return out

    def _value(self, f: Field, depth: int) -> Any:
        r = self._random
        if f.cardinality == MAP:
            entry = self._schema.messages[f.type_name].fields
            return {
                self._key(entry[1].kind): self._single(entry[2], depth + 1) for _ in range(r.randint(0, 2))
            }
        if f.cardinality == REPEATED:
            return [self._single(f, depth + 1) for _ in range(r.randint(0, 2))]
        return self._single(f, depth + 1)

    def _key(self, kind: str) -> str:
        if kind == "string":
            return self._random.choice(TEXT)
        if kind == "bool":
            return self._random.choice(["true", "false"])
        return str(self._random.choice(integers(kind)))

    def _single(self, f: Field, depth: int) -> Any:
        r = self._random
        if f.kind == "enum":
            if f.type_name == "google.protobuf.NullValue":
                return r.choice([None, "NULL_VALUE", 0])
            values = self._schema.enums[f.type_name].values
            number = r.choice(list(values))
            return r.choice(
                [
                    number,
                    r.choice(values[number]),
                    r.choice(values[number]),
                    77 if r.random() < 0.3 else number,
                ]
            )
        if f.kind in ("message", "group"):
            return self._message(f.type_name, depth)
        if f.kind == "string":
            return r.choice(TEXT)
        if f.kind == "bytes":
            return base64.b64encode(r.choice([b"", b"a", b"\xff\xfe", b"\x08\x01"])).decode()
        if f.kind == "bool":
            return r.random() < 0.5
        if f.kind in ("float", "double"):
            return r.choice([0, 1.5, "NaN", "Infinity", "-1e3", 1e300 if f.kind == "double" else 1e30])
        value = r.choice(integers(f.kind))
        return r.choice([value, str(value), float(value) if abs(value) < 2**31 else value])

    def _message(self, name: str, depth: int) -> Any:
        r = self._random
        short = name.rpartition(".")[2]
        if name.startswith("google.protobuf."):
            if short in WELL_KNOWN:
                return r.choice(WELL_KNOWN[short])
            if short == "Empty":
                return {}
            held = r.choice([n for n, m in self._schema.messages.items() if not m.map_entry])
            if held.rpartition(".")[2] in WELL_KNOWN and held.startswith("google.protobuf."):
                return {"@type": f"x/{held}", "value": self._message(held, depth + 1)}
            if depth > DEPTH or held == name:
                return {}
            return {
                "@type": f"type.googleapis.com/{held}",
                **self.json(self._schema.messages[held], depth + 1),
            }
        return self.json(self._schema.messages[name], depth)


def integers(kind: str) -> list[int]:
    """The edges that an integer of that kind can hold."""
    low, high = KINDS[kind].low, KINDS[kind].high
    return [n for n in EDGES if low <= n <= high]


_KIND_NAMES = {3: "int64", 4: "uint64", 5: "int32", 6: "fixed64", 7: "fixed32", 13: "uint32", 15: "sfixed32", 16: "sfixed64",
               17: "sint32", 18: "sint64"}  # fmt: skip
"""FieldDescriptor.TYPE_* -> kind."""
