"""Random pairs of Protobuf schemas, an old one and an edit of it, in every syntax and with all that JSON and fields can meet:
names, JSON names, oneofs, maps, closed and open enums, well-known types, extensions, imports, reserved names."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random

from llm_schema_engines.errors import InvalidSchema
from llm_schema_engines.formats.engine import SchemaSource
from tests.formats.protobuf.kit import ENGINE, reference

SCALARS = ("int32", "int64", "uint32", "uint64", "sint32", "sint64", "fixed32", "sfixed32", "fixed64", "sfixed64",
           "float", "double", "bool", "string", "bytes")  # fmt: skip
KEYS = ("string", "bool", "int32", "uint32", "int64", "uint64", "sint32", "fixed64")
WELL_KNOWN = {
    "Timestamp": "timestamp",
    "Duration": "duration",
    "FieldMask": "field_mask",
    "Struct": "struct",
    "Value": "struct",
    "ListValue": "struct",
    "NullValue": "struct",
    "Any": "any",
    "Empty": "empty",
    **dict.fromkeys(("Int64Value", "StringValue", "BoolValue", "BytesValue", "DoubleValue"), "wrappers"),
}
NAMES = ("a", "b", "a_b", "c_1", "x_y_z", "value", "d", "g")
JSON_NAMES = (*NAMES, "aB", "xYZ", "c1", "z")
SYNTAXES = ('syntax = "proto2";', 'syntax = "proto3";', 'edition = "2023";')
MESSAGES, ENUMS = ("M", "A", "B"), ("E", "C")


@dataclass(frozen=True)
class Member:
    """A field. `label`: "", "optional", "required", "repeated", or "map " with the kind of the key."""

    number: int
    name: str
    kind: str
    label: str = ""
    json_name: str = ""
    oneof: str = ""
    delimited: bool = False
    implicit: bool = False
    default: str = ""


@dataclass(frozen=True)
class MessageText:
    members: tuple[Member, ...] = ()
    reserved_numbers: tuple[int, ...] = ()
    reserved_names: tuple[str, ...] = ()
    extensions: tuple[Member, ...] = ()


@dataclass(frozen=True)
class EnumText:
    values: tuple[tuple[str, int], ...]
    closed: bool = False
    reserved_numbers: tuple[int, ...] = ()
    reserved_names: tuple[str, ...] = ()


@dataclass(frozen=True)
class SchemaText:
    syntax: str
    messages: dict[str, MessageText]
    enums: dict[str, EnumText]
    imported: frozenset[str] = field(default=frozenset())
    """Which of MESSAGES and ENUMS another file declares; all that they use is declared there too."""
    absent: frozenset[str] = field(default=frozenset())
    """What no file declares; what uses it is refused, unless an Any does."""

    def source(self) -> SchemaSource:
        """The schema as the registry hands it out. Raises InvalidSchema."""
        inner = self._reachable()
        text = self._text([n for n in (*MESSAGES, *ENUMS) if n not in inner | self.absent], bool(inner))
        uses = (reference("inner.proto", self._text(sorted(inner - self.absent), False)),) if inner else ()
        return SchemaSource(
            text.encode(), uses, artifact=ENGINE.parse(SchemaSource(text.encode(), uses)).artifact
        )

    def _reachable(self) -> set[str]:
        found, todo = set[str](), sorted(self.imported)
        while todo:
            name = todo.pop()
            if name not in found:
                found.add(name)
                body = self.messages.get(name, MessageText())
                todo += [m.kind for m in (*body.members, *body.extensions) if m.kind in (*MESSAGES, *ENUMS)]
        return found

    def _text(self, declared: list[str], imports: bool) -> str:
        used = {
            m.kind
            for name in declared
            if name in self.messages
            for m in (*self.messages[name].members, *self.messages[name].extensions)
        }
        files = sorted({file for kind, file in WELL_KNOWN.items() if f"google.protobuf.{kind}" in used})
        head = [self.syntax, "package t;", *(f'import "google/protobuf/{file}.proto";' for file in files)]
        head += ['import "inner.proto";'] if imports else []
        bodies = [
            self._message(name, self.messages[name])
            if name in self.messages
            else self._enum(name, self.enums[name])
            for name in declared
        ]
        return "\n".join([*head, *bodies])

    def _message(self, name: str, body: MessageText) -> str:
        lines = [self._member(m) for m in body.members if not m.oneof]
        for oneof in sorted({m.oneof for m in body.members} - {""}):
            inside = " ".join(self._member(m) for m in body.members if m.oneof == oneof)
            lines.append(f"oneof {oneof} {{ {inside} }}")
        lines += [f"reserved {', '.join(map(str, body.reserved_numbers))};"] if body.reserved_numbers else []
        if body.reserved_names:
            quoted = (f'"{n}"' if "edition" not in self.syntax else n for n in body.reserved_names)
            lines.append(f"reserved {', '.join(quoted)};")
        lines += ["extensions 100 to 199;"] if body.extensions else []
        text = f"message {name} {{ {' '.join(lines)} }}"
        if body.extensions:
            text += f" extend {name} {{ {' '.join(self._member(m) for m in body.extensions)} }}"
        return text

    def _member(self, m: Member) -> str:
        options = [f'json_name = "{m.json_name}"'] if m.json_name else []
        if "edition" in self.syntax:
            label = "repeated " if m.label == "repeated" else ""
            options += ["features.message_encoding = DELIMITED"] if m.delimited else []
            scalar = m.kind not in MESSAGES and not m.kind.startswith("google.")
            if m.implicit and scalar and not (m.label or m.oneof or m.default):
                options += ["features.field_presence = IMPLICIT"]
            options += ["features.field_presence = LEGACY_REQUIRED"] if m.label == "required" else []
        else:
            label = f"{m.label} " if m.label and not m.oneof else ""
            if "proto2" in self.syntax and not m.oneof:
                label = label or "optional "
            elif label == "required ":
                label = ""
        options += [f"default = {m.default}"] if m.default else []
        tail = f" [{', '.join(options)}]" if options else ""
        if m.label.startswith("map "):
            return f"map<{m.label[4:]}, {m.kind}> {m.name} = {m.number}{tail};"
        return f"{label}{m.kind} {m.name} = {m.number}{tail};"

    def _enum(self, name: str, body: EnumText) -> str:
        numbers = [number for _, number in body.values]
        lines = ["option allow_alias = true;"] if len(set(numbers)) < len(numbers) else []
        if body.closed and "edition" in self.syntax:
            lines.append("option features.enum_type = CLOSED;")
        lines += [f"{name}_{value} = {number};" for value, number in body.values]
        lines += [f"reserved {', '.join(map(str, body.reserved_numbers))};"] if body.reserved_numbers else []
        if body.reserved_names:
            prefixed = (f"{name}_{n}" for n in body.reserved_names)
            quoted = (f'"{n}"' if "edition" not in self.syntax else n for n in prefixed)
            lines.append(f"reserved {', '.join(quoted)};")
        return f"enum {name} {{ {' '.join(lines)} }}"


class PairMaker:
    """Makes schemas and edits of them from `random`."""

    def __init__(self, random: Random) -> None:
        self.random = random

    def pair(self) -> tuple[SchemaText, SchemaText]:
        """An old schema and one with one to three edits."""
        old = self.schema()
        new = old
        for _ in range(self.random.choice([1, 1, 1, 2, 3])):
            new = self.edit(new)
        return old, new

    def schema(self) -> SchemaText:
        r = self.random
        syntax = r.choice(SYNTAXES)
        return SchemaText(
            syntax,
            {name: self._message(syntax) for name in MESSAGES},
            {name: self._enum() for name in ENUMS},
            frozenset(r.sample(["A", "B", "E", "C"], r.choice([0, 0, 1, 2]))),
        )

    def _message(self, syntax: str) -> MessageText:
        r = self.random
        members = tuple(
            self.member(number, name)
            for number, name in zip(r.sample(range(1, 7), 4), r.sample(NAMES, r.randint(0, 4)), strict=False)
        )
        extensions = ()
        if "proto3" not in syntax and r.random() < 0.2:
            extensions = tuple(replace(self.member(100 + i, f"ext{r.randrange(9**5)}"), json_name="", oneof="",
                                       label=r.choice(["", "repeated"]), implicit=False) for i in range(r.randint(1, 2)))  # fmt: skip
        return MessageText(members, extensions=extensions)

    def member(self, number: int, name: str) -> Member:
        r = self.random
        kind = self.kind()
        label = r.choice(["", "", "", "optional", "required", "repeated", "repeated", "map"])
        if label == "map":
            return Member(number, name, kind, f"map {r.choice(KEYS)}")
        alone = label in ("", "optional")
        return Member(
            number,
            name,
            kind,
            label,
            json_name=r.choice(JSON_NAMES) if r.random() < 0.12 else "",
            oneof=r.choice(["", "", "o", "p"]) if alone else "",
            delimited=kind in MESSAGES and r.random() < 0.1,
            implicit=r.random() < 0.2,
            default=r.choice(["1", "7"]) if alone and kind in SCALARS[:10] and r.random() < 0.05 else "",
        )

    def kind(self) -> str:
        r = self.random
        pick = r.random()
        if pick < 0.5:
            return r.choice(SCALARS)
        if pick < 0.85:
            return r.choice(MESSAGES + ENUMS)
        return "google.protobuf." + r.choice(list(WELL_KNOWN))

    def _enum(self) -> EnumText:
        r = self.random
        numbers = [0, *r.sample([1, 2, 3, -1], r.randint(1, 3))]
        values = [(name, number) for name, number in zip("XYZW", numbers, strict=False)]
        if r.random() < 0.2:
            values.append(("V", r.choice(numbers)))
        return EnumText(tuple(values), closed=r.random() < 0.4)

    def edit(self, schema: SchemaText) -> SchemaText:
        """One change, to a message, an enum, or which file declares a type."""
        r = self.random
        pick = r.random()
        if pick < 0.08:
            return replace(schema, imported=schema.imported ^ {r.choice(["A", "B", "E", "C"])})
        if pick < 0.09:
            return replace(schema, syntax=r.choice(SYNTAXES))
        if pick < 0.11:
            return replace(schema, absent=frozenset(r.sample(sorted(schema.imported or ENUMS), 1)))
        if pick < 0.32:
            name = r.choice(ENUMS)
            return replace(schema, enums={**schema.enums, name: self._edited_enum(schema.enums[name])})
        name = r.choice(MESSAGES)
        return replace(schema, messages={**schema.messages, name: self._edited(schema.messages[name])})

    def _edited(self, body: MessageText) -> MessageText:
        r = self.random
        members = list(body.members)
        change = r.choice(["steal", "kind", "kind", "like", "like", "label", "drop", "reserve", "add", "add", "name", "json", "oneof", "number",
                           "delimited", "implicit", "default", "extension"])  # fmt: skip
        if change == "extension" and body.extensions:
            place = r.randrange(len(body.extensions))
            new = replace(body.extensions[place], kind=self.kind(), delimited=False, default="")
            return replace(body, extensions=(*body.extensions[:place], new, *body.extensions[place + 1 :]))
        if change in ("add", "steal") or not members:
            free = [n for n in range(1, 8) if n not in {m.number for m in members}]
            added = self.member(r.choice(free), r.choice([*NAMES, "e", "f"]))
            if change == "steal" and members:  # the JSON name is another field's name
                added = replace(added, name="e", json_name=r.choice(members).name)
            return replace(body, members=(*members, added))
        place = r.randrange(len(members))
        old = members.pop(place)
        if change == "drop":
            return replace(body, members=tuple(members))
        if change == "reserve":
            names = (old.name,) if r.random() < 0.8 else ()
            return replace(
                body,
                members=tuple(members),
                reserved_numbers=(*body.reserved_numbers, old.number),
                reserved_names=(*body.reserved_names, *names),
            )
        members.insert(place, self._changed(old, change))
        return replace(body, members=tuple(members))

    def _changed(self, old: Member, change: str) -> Member:
        r = self.random
        match change:
            case "kind":
                return replace(old, kind=self.kind(), delimited=False, default="")
            case "like":
                group = next((g for g in LIKE if old.kind in g), LIKE[0])
                return replace(old, kind=r.choice(group), default="")
            case "label":
                return replace(self.member(old.number, old.name), kind=old.kind, delimited=False, default="")
            case "name":
                return replace(old, name=r.choice(NAMES))
            case "json":
                return replace(old, json_name=r.choice(["", *JSON_NAMES]))
            case "oneof":
                return replace(old, oneof=r.choice(["", "o", "p"]))
            case "number":
                return replace(old, number=r.randint(1, 7))
            case "delimited":
                return replace(old, delimited=not old.delimited)
            case "implicit":
                return replace(old, implicit=not old.implicit)
        return replace(old, default=r.choice(["", "3"]))

    def _edited_enum(self, body: EnumText) -> EnumText:
        r = self.random
        values = list(body.values)
        place = r.randrange(len(values))
        match r.choice(["add", "drop", "reserve", "rename", "number", "closed", "swap"]):
            case "add":
                values.append((r.choice("PQRV"), r.choice([0, 1, 2, 3, 4, -2])))
            case "drop":
                del values[place]
            case "reserve":
                name, number = values.pop(place)
                return replace(body, values=tuple(values), reserved_numbers=(*body.reserved_numbers, number),
                               reserved_names=(*body.reserved_names, name))  # fmt: skip
            case "rename":
                values[place] = (r.choice("PQR"), values[place][1])
            case "number":
                values[place] = (values[place][0], r.choice([0, 1, 2, 3, 5]))
            case "closed":
                return replace(body, closed=not body.closed)
            case "swap":
                other = r.randrange(len(values))
                one, two = values[place], values[other]
                values[place], values[other] = (one[0], two[1]), (two[0], one[1])
        return replace(body, values=tuple(values))


LIKE = (
    ("int32", "int64", "uint32", "uint64", "bool", "E", "C"),
    ("sint32", "sint64"),
    ("fixed32", "sfixed32", "float"),
    ("fixed64", "sfixed64", "double"),
    ("string", "bytes", "A", "google.protobuf.StringValue", "google.protobuf.Empty"),
    ("A", "B", "M"),
    ("google.protobuf.Struct", "google.protobuf.Value", "google.protobuf.ListValue", "google.protobuf.Any"),
    ("google.protobuf.Timestamp", "google.protobuf.Duration"),
)
"""Kinds that are read as each other, or nearly."""


def sources(random: Random) -> tuple[SchemaSource, SchemaSource] | None:
    """An old and a new schema; None when one of them is refused."""
    old, new = PairMaker(random).pair()
    try:
        return old.source(), new.source()
    except InvalidSchema:
        return None
