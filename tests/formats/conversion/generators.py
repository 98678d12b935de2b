"""Random JSON Schemas and .proto texts, each with a maker of documents that are valid under it."""

from __future__ import annotations

import base64
from collections.abc import Callable
from random import Random
from typing import Any

Make = Callable[[], Any]
NAMES = (
    "id",
    "user_name",
    "max-tokens",
    "Größe",
    "2nd",
    "a.b",
    "type",
    "x",
    "content",
    "class",
    "from",
    "a_b",
    "a-b",
)
WORDS = ("", "text", "ü", "null", "true", "12", "2026-01-02", "a\nb", "\U0001f600")
INTEGERS = ({}, {"minimum": 0}, {"minimum": 0, "maximum": 10}, {"minimum": -5, "maximum": 2**31 - 1},
            {"minimum": 0, "maximum": 2**32 - 1}, {"minimum": 0, "maximum": 2**64 - 1})  # fmt: skip


class JsonSchemas:
    """Makes one schema of draft 2020-12 with definitions, recursion included."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.definitions: dict[str, Any] = {}
        self._makers: dict[str, Make] = {}
        self._deep = 0

    def schema(self) -> tuple[dict[str, Any], Make]:
        kind = self._object(3) if self.random.random() < 0.8 else self._any_kind(3)
        out, make = kind
        if self.definitions:
            out = {**out, "$defs": self.definitions}
        return {"$schema": "https://json-schema.org/draft/2020-12/schema", **out}, make

    def _any_kind(self, depth: int) -> tuple[dict[str, Any], Make]:
        simple = [
            self._string,
            self._integer,
            self._number,
            self._boolean,
            self._enum,
            self._anything,
            self._format,
        ]
        nested = [self._array, self._object, self._map, self._any_of, self._reference, self._nullable]
        return self.random.choice(simple if depth <= 0 else simple + nested)(depth - 1)

    def _string(self, depth: int) -> tuple[dict[str, Any], Make]:
        return {"type": "string"}, lambda: self.random.choice(WORDS)

    def _integer(self, depth: int) -> tuple[dict[str, Any], Make]:
        limits = self.random.choice(INTEGERS)
        low, high = limits.get("minimum", -(2**70)), limits.get("maximum", 2**70)
        return {"type": "integer", **limits}, lambda: self.random.choice(
            [low, high, max(low, 0), min(high, max(low, 7))]
        )

    def _number(self, depth: int) -> tuple[dict[str, Any], Make]:
        return {"type": "number"}, lambda: self.random.choice([0, 1, -1.5, 1e300, 0.1])

    def _boolean(self, depth: int) -> tuple[dict[str, Any], Make]:
        return {"type": "boolean"}, lambda: self.random.random() < 0.5

    def _enum(self, depth: int) -> tuple[dict[str, Any], Make]:
        values = self.random.choice(
            [["red", "green"], ["a-b", "a_b", "1"], ["x", None], [1, 2.5, "x"], ["", "ü"], [True]]
        )
        return {"enum": values}, lambda: self.random.choice(values)

    def _anything(self, depth: int) -> tuple[dict[str, Any], Make]:
        return {}, lambda: self.random.choice([None, 1, "x", [1, [None]], {"a": {"b": []}}, 2**60, True])

    def _format(self, depth: int) -> tuple[dict[str, Any], Make]:
        schema, values = self.random.choice(
            [
                ({"format": "date-time"}, ["2026-01-02T03:04:05Z", "1969-12-31T23:59:59.5-01:30", "no"]),
                ({"format": "date"}, ["2026-02-28", "0001-01-01", "2026-02-30"]),
                ({"format": "uuid"}, ["123e4567-e89b-12d3-a456-426614174000", "x"]),
                ({"contentEncoding": "base64"}, ["", "AAE=", "/+8="]),
                ({"format": "email"}, ["a@b.c", "x"]),
            ]
        )
        return {"type": "string", **schema}, lambda: self.random.choice(values)

    def _array(self, depth: int) -> tuple[dict[str, Any], Make]:
        items, make = self._any_kind(depth)
        return {"type": "array", "items": items}, lambda: [make() for _ in range(self.random.randrange(3))]

    def _map(self, depth: int) -> tuple[dict[str, Any], Make]:
        values, make = self._any_kind(depth)
        return {"type": "object", "additionalProperties": values}, lambda: {
            key: make() for key in self.random.sample(NAMES, self.random.randrange(3))
        }

    def _object(self, depth: int) -> tuple[dict[str, Any], Make]:
        chosen = self.random.sample(NAMES, self.random.randint(1, 4))
        members = {name: self._any_kind(depth - 1) for name in chosen}
        required = [name for name in chosen if self.random.random() < 0.5]
        closed = self.random.random() < 0.5
        out: dict[str, Any] = {
            "type": "object",
            "properties": {n: s for n, (s, _) in members.items()},
            "required": required,
        }
        if closed:
            out["additionalProperties"] = False
        for name in chosen:
            if out["properties"][name] == {"type": "string"} and self.random.random() < 0.5:
                out["properties"][name] = {"type": "string", "default": "unset"}

        def make() -> Any:
            value = {n: m() for n, (_, m) in members.items() if n in required or self.random.random() < 0.5}
            if not closed and self.random.random() < 0.2:
                value["undeclared"] = 1
            return value

        return out, make

    def _any_of(self, depth: int) -> tuple[dict[str, Any], Make]:
        branches = [self._any_kind(depth) for _ in range(self.random.randint(1, 3))]
        return {self.random.choice(["anyOf"]): [s for s, _ in branches]}, lambda: self.random.choice(
            branches
        )[1]()

    def _nullable(self, depth: int) -> tuple[dict[str, Any], Make]:
        inner, make = self._any_kind(depth)
        if isinstance(inner.get("type"), str):
            inner = {**inner, "type": [inner["type"], "null"]}
        else:
            inner = {"anyOf": [{"type": "null"}, inner]}
        return inner, lambda: None if self.random.random() < 0.5 else make()

    def _reference(self, depth: int) -> tuple[dict[str, Any], Make]:
        """A definition; one in three refers to itself."""
        if self.definitions and self.random.random() < 0.3:
            name = self.random.choice(list(self._makers) or [""])
            if name:
                return {"$ref": f"#/$defs/{name}"}, lambda: self._makers[name]()
        name = f"D{len(self.definitions)}"
        self.definitions[name] = {}
        schema, inner = self._object(depth)
        if self.random.random() < 0.3:
            schema["properties"]["self"] = {"$ref": f"#/$defs/{name}"}

        def make() -> Any:
            value = inner()
            if "self" in schema["properties"] and self._deep < 3 and self.random.random() < 0.5:
                self._deep += 1
                value["self"] = make()
                self._deep -= 1
            return value

        self.definitions[name] = schema
        self._makers[name] = make
        return {"$ref": f"#/$defs/{name}"}, make


class ProtoTexts:
    """Makes one .proto text in proto3 and documents in Protobuf's JSON."""

    SCALARS = (
        "double",
        "float",
        "int32",
        "int64",
        "uint32",
        "uint64",
        "sint32",
        "fixed64",
        "bool",
        "string",
        "bytes",
    )

    def __init__(self, random: Random) -> None:
        self.random = random
        self._makers: dict[str, Make] = {
            "Leaf": self._leaf,
            "Color": lambda: self.random.choice(["COLOR_NONE", "COLOR_RED", 2]),
        }

    def text(self) -> tuple[str, Make]:
        lines, makers = [], {}
        for number in range(1, self.random.randint(2, 7)):
            name = self.random.choice(["id", "user_name", "a_b_c", "f"]) + str(number)
            line, make = self._field(name, number)
            lines.append(line)
            makers[name] = make
        body = "\n".join(f"  {line}" for line in lines)
        text = f"""syntax = "proto3";
package shop.v1;
import "google/protobuf/timestamp.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/wrappers.proto";
import "google/protobuf/duration.proto";
message Root {{
{body}
  oneof choice {{ string left = 50; Leaf right = 51; }}
  Root next = 52;
}}
message Leaf {{ int32 size = 1; optional string name = 2; repeated Leaf more = 3; }}
enum Color {{ COLOR_NONE = 0; COLOR_RED = 1; COLOR_BLUE = 2; }}
"""

        def make(depth: int = 2) -> Any:
            value = {
                _camel(n) if self.random.random() < 0.7 else n: m()
                for n, m in makers.items()
                if self.random.random() < 0.7
            }
            if self.random.random() < 0.3:
                value["left"] = "x"
            elif self.random.random() < 0.3:
                value["right"] = self._leaf()
            if depth and self.random.random() < 0.3:
                value["next"] = make(depth - 1)
            return value

        return text, make

    def _leaf(self) -> Any:
        value: dict[str, Any] = {}
        if self.random.random() < 0.5:
            value["size"] = 3
        if self.random.random() < 0.5:
            value["name"] = ""
        if self.random.random() < 0.3:
            value["more"] = [{}, {"size": -1}]
        return value

    def _field(self, name: str, number: int) -> tuple[str, Make]:
        kind, make = self._type()
        form = self.random.randrange(4)
        if form == 0:
            return f"repeated {kind} {name} = {number};", lambda: [
                make() for _ in range(self.random.randrange(3))
            ]
        if form == 1:
            key, spell = self.random.choice(
                [("string", "k"), ("int32", "-3"), ("bool", "true"), ("uint64", "18446744073709551615")]
            )
            return (
                f"map<{key}, {kind}> {name} = {number};",
                lambda: {spell: make()} if self.random.random() < 0.7 else {},
            )
        label = "optional " if form == 2 else ""
        return f"{label}{kind} {name} = {number};", make

    def _type(self) -> tuple[str, Make]:
        kind = self.random.choice(
            [*self.SCALARS, "Leaf", "Color", "google.protobuf.Timestamp", "google.protobuf.Value", "google.protobuf.Struct",
             "google.protobuf.Int64Value", "google.protobuf.Duration"]
        )  # fmt: skip
        return kind, self._makers.get(kind) or (lambda: self.random.choice(VALUES[kind]))


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.title() for part in rest)


VALUES: dict[str, list[Any]] = {
    "double": [0, 1.5, "1e10", -1e300, "NaN"], "float": [0, 0.5, "-Infinity"], "int32": [0, -1, 2**31 - 1, "7"],
    "int64": ["0", "-9223372036854775808", 5], "uint32": [0, 2**32 - 1], "uint64": ["18446744073709551615", 1],
    "sint32": [-1], "fixed64": ["1"], "bool": [True, False], "string": list(WORDS),
    "bytes": [base64.b64encode(b"\xff\x00a").decode(), "", "_-8"],
    "google.protobuf.Timestamp": ["2026-01-02T03:04:05Z", "1960-01-01T00:00:00.123456789Z", "0001-01-01T00:00:00Z"],
    "google.protobuf.Value": [1, "x", [1, None], {"a": []}, True], "google.protobuf.Struct": [{}, {"a": 1, "b": [None]}],
    "google.protobuf.Int64Value": ["5", 0], "google.protobuf.Duration": ["1.5s", "0s"],
}  # fmt: skip
