"""Random schemas, edits of schemas, and data, all driven by a hypothesis random so that failures replay."""

from __future__ import annotations

import copy
from random import Random
from typing import Any
from uuid import UUID

from llm_schema_engines.formats.avro.schema.nodes import (
    Array,
    Enum,
    Fixed,
    Logical,
    Map,
    Node,
    Record,
    Union,
)
from llm_schema_engines.formats.avro.schema.values import SmallestValues, UnionValue, Value

PRIMITIVES = ("null", "boolean", "int", "long", "float", "double", "bytes", "string")
SIMPLE_DEFAULTS: dict[str, list[Any]] = {
    "null": [None], "boolean": [True, False], "int": [0, -5, 2**31 - 1], "long": [0, 2**62], "float": [0.5, 3],
    "double": [-1.5, 7], "bytes": ["", "\u00ff"], "string": ["", "é"],
}  # fmt: skip

LOGICAL: tuple[dict[str, Any], ...] = (
    *({"type": "int", "logicalType": name} for name in ("date", "time-millis")),
    *({"type": "long", "logicalType": name} for name in (
        "time-micros", "timestamp-millis", "timestamp-micros", "timestamp-nanos", "local-timestamp-millis")),
    *({"type": "string", "logicalType": name} for name in ("uuid", "fortnight")),
    {"type": "bytes", "logicalType": "big-decimal"},
    *({"type": "bytes", "logicalType": "decimal", "precision": p, "scale": s} for p, s in ((2, 0), (4, 2), (6, 2))),
)  # fmt: skip


def decimal(random: Random) -> dict[str, Any]:
    """A decimal that a fixed of one byte can hold."""
    return {"logicalType": "decimal", "precision": random.randint(1, 2), "scale": random.randint(0, 1)}


class Maker:
    """Builds one schema: `namespaces` decides whether names have some."""

    def __init__(self, random: Random, *, namespaces: bool = False) -> None:
        self.random = random
        self._namespaces = namespaces
        self._count = 0
        self._made: list[str] = []

    def schema(self, depth: int = 3) -> Any:
        """A record at the root, as most schemas have."""
        return self._record(depth)

    def _type(self, depth: int) -> Any:
        kinds = ["primitive", "primitive", "enum", "fixed", "logical", "known"]
        if depth > 0:
            kinds += ["record", "record", "array", "map", "union", "union"]
        kind = self.random.choice(kinds)
        if kind == "known":
            return self.random.choice(self._made) if self._made else "int"
        return getattr(self, f"_{kind}")(depth)

    def _primitive(self, depth: int) -> Any:
        return self.random.choice(PRIMITIVES)

    def _logical(self, depth: int) -> Any:
        return dict(self.random.choice(LOGICAL))

    def _name(self, kind: str) -> dict[str, Any]:
        self._count += 1
        name: dict[str, Any] = {"type": kind, "name": f"N{self._count}"}
        if self._namespaces and self.random.random() < 0.5:
            name["namespace"] = self.random.choice(["a", "b.c"])
        return name

    def _enum(self, depth: int) -> Any:
        symbols = self.random.sample("ABCDEF", self.random.randint(1, 4))
        out = {**self._name("enum"), "symbols": symbols}
        if self.random.random() < 0.3:
            out["default"] = self.random.choice(symbols)
        return out

    def _fixed(self, depth: int) -> Any:
        size = self.random.randint(0, 4)
        logical = self.random.random() < 0.3 and size
        return {**self._name("fixed"), "size": size, **(decimal(self.random) if logical else {})}

    def _array(self, depth: int) -> Any:
        return {"type": "array", "items": self._type(depth - 1)}

    def _map(self, depth: int) -> Any:
        return {"type": "map", "values": self._type(depth - 1)}

    def _union(self, depth: int) -> Any:
        branches = [self._type(depth - 1) for _ in range(self.random.randint(1, 3))]
        return unique(["null", *branches] if self.random.random() < 0.6 else branches)

    def _record(self, depth: int) -> Any:
        out = {**self._name("record"), "fields": []}
        if "namespace" not in out and not self._namespaces:
            self._made.append(out["name"])  # names without namespace can be used from everywhere
        out["fields"] = [self.field(f"f{i}", depth) for i in range(self.random.randint(0, 4))]
        return out

    def field(self, name: str, depth: int) -> Any:
        kind = self._type(depth - 1)
        if isinstance(kind, str) and kind not in PRIMITIVES:
            kind = ["null", kind]  # a record within itself without a way out has no data
        out = {"name": name, "type": kind}
        simple = kind[0] if isinstance(kind, list) and kind else kind
        if isinstance(simple, str) and simple in SIMPLE_DEFAULTS and self.random.random() < 0.5:
            out["default"] = self.random.choice(SIMPLE_DEFAULTS[simple])
        return out


def unique(branches: list[Any]) -> list[Any]:
    """The branches without nested unions and without repeated types."""
    out: dict[str, Any] = {}
    for branch in branches:
        if not isinstance(branch, list):
            key = branch if isinstance(branch, str) else branch.get("name", branch["type"])
            out.setdefault(key, branch)
    return list(out.values())


def edit(schema: Any, random: Random) -> Any:
    """A copy with one to three changes such as authors make; it may have become invalid."""
    out = copy.deepcopy(schema)
    for _ in range(random.randint(1, 3)):
        places = _places(out)
        if places:
            _change(random.choice(places), random)
    return out


def _places(schema: Any) -> list[Any]:
    """All objects and arrays of a schema that can be changed in place."""
    found: list[Any] = []
    stack = [schema]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            found.append(item)
            stack.extend(item.get(key) for key in ("type", "items", "values", "fields"))
        elif isinstance(item, list):
            found.append(item)
            stack.extend(item)
    return found


def _change(place: Any, random: Random) -> None:
    maker = Maker(random)
    if isinstance(place, list):
        kinds = [
            i
            for i in place
            if not (isinstance(i, dict) and "type" in i and "name" in i and "fields" not in i)
        ]
        if place and random.random() < 0.5:
            place.pop(random.randrange(len(place)))
        elif all(
            not isinstance(i, dict) or i.get("type") in ("record", "enum", "fixed", "array", "map")
            for i in kinds
        ):
            place.append(random.choice(PRIMITIVES))
        return
    if "fields" in place:
        _change_record(place, maker)
    elif "symbols" in place:
        action = random.randrange(4)
        if action == 0:
            place["symbols"] = random.sample("ABCDEFG", random.randint(1, 5))
            place.pop("default", None)
        elif action == 1:
            place["default"] = random.choice(place["symbols"])
        elif action == 2:
            _rename(place, random)
        else:
            random.shuffle(place["symbols"])
    elif "size" in place:
        place["size"] = random.randint(0, 4)
    elif "items" in place:
        place["items"] = random.choice(PRIMITIVES)
    elif "values" in place:
        place["values"] = random.choice(PRIMITIVES)
    elif "name" in place:
        _change_field(place, random)


def _change_record(place: dict[str, Any], maker: Maker) -> None:
    random, fields = maker.random, place["fields"]
    action = random.randrange(4)
    if action == 0:
        fields.insert(random.randint(0, len(fields)), maker.field(f"g{random.randrange(3)}", 1))
    elif action == 1 and fields:
        fields.pop(random.randrange(len(fields)))
    elif action == 2:
        random.shuffle(fields)
    else:
        _rename(place, random)


def _rename(place: dict[str, Any], random: Random) -> None:
    if random.random() < 0.7:
        place["aliases"] = [place["name"]]
    place["name"] = f"M{random.randrange(100)}"


def _change_field(place: dict[str, Any], random: Random) -> None:
    action = random.randrange(6)
    kind = place["type"]
    place.pop("default", None)
    if action == 0 and isinstance(kind, str):
        place["type"] = random.choice(PRIMITIVES)
    elif action == 5:
        place["type"] = _another_logical_type(kind, random)
    elif action == 1 and not isinstance(kind, list) and kind != "null":
        place["type"] = ["null", kind]
    elif action == 2 and isinstance(kind, list) and kind:
        place["type"] = random.choice(kind)
    elif action == 3:
        if random.random() < 0.7:
            place["aliases"] = [place["name"]]
        place["name"] = f"h{random.randrange(3)}"
    elif isinstance(kind, str) and kind in SIMPLE_DEFAULTS:
        place["default"] = random.choice(SIMPLE_DEFAULTS[kind])


def _another_logical_type(kind: Any, random: Random) -> Any:
    """Another logical type of the same or a promoted type, or none; what has none is returned as it is."""
    plain = kind.get("type") if isinstance(kind, dict) else kind
    family = {
        "int": ("int", "long"),
        "long": ("long",),
        "string": ("string", "bytes"),
        "bytes": ("bytes", "string"),
    }
    wanted = family.get(plain, ()) if isinstance(plain, str) else ()
    return random.choice([*(dict(t) for t in LOGICAL if t["type"] in wanted), *wanted] or [kind])


def datum(node: Node, random: Random, smallest: SmallestValues, depth: int = 6) -> Value:
    """A random value of a type; past `depth` the smallest."""
    if depth <= 0:
        return smallest.build(node, [10_000])
    if isinstance(node, Record):
        return {f.name: datum(f.type, random, smallest, depth - 1) for f in node.fields}
    if isinstance(node, Union):
        usable = [i for i, branch in enumerate(node.branches) if smallest.exists(branch)]
        index = random.choice(usable)
        return UnionValue(index, datum(node.branches[index], random, smallest, depth - 1))
    if isinstance(node, Array):
        return [
            datum(node.items, random, smallest, depth - 2)
            for _ in range(_count(node.items, random, smallest))
        ]
    if isinstance(node, Map):
        count = _count(node.values, random, smallest)
        return {f"k{i}": datum(node.values, random, smallest, depth - 2) for i in range(count)}
    if isinstance(node, Enum):
        return random.choice(node.symbols)
    if isinstance(node, Fixed):
        return _number(node.logical, node.size, random) if node.logical else random.randbytes(node.size)
    if node.logical is not None and (valid := _of_logical_type(node.logical, random)) is not None:
        return valid
    return {
        "null": lambda: None,
        "boolean": lambda: random.random() < 0.5,
        "int": lambda: random.choice([0, -1, 63, 64, -(2**31), 2**31 - 1]),
        "long": lambda: random.choice([0, -64, -65, 2**53, -(2**63), 2**63 - 1]),
        "float": lambda: random.choice([0.0, -1.5, 2.0**100]),
        "double": lambda: random.choice([0.0, 0.1, -1e300]),
        "bytes": lambda: random.randbytes(random.randrange(70)),
        "string": lambda: random.choice(["", "a", "é" * 40, "\U0001f600"]),
    }[node.kind]()


def _of_logical_type(logical: Logical, random: Random) -> Value:
    """A value of a logical type that does not have every value of its underlying type; None for others."""
    if logical.name == "uuid":
        return str(UUID(bytes=random.randbytes(16)))
    if logical.name in ("time-millis", "time-micros"):
        return random.choice([0, 1, 86_399_999])
    return _number(logical, 0, random) if logical.name == "decimal" else None


def _number(logical: Logical, size: int, random: Random) -> bytes:
    """A decimal in its bytes, `size` of them; 0: as few as needed."""
    most = 10**logical.precision - 1
    number = random.choice([0, 1, -1, most, -most])
    return number.to_bytes(size or number.bit_length() // 8 + 1, "big", signed=True)


def _count(node: Node, random: Random, smallest: SmallestValues) -> int:
    return random.randrange(3) if smallest.exists(node) else 0
