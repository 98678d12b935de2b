"""Writes a model as a Protobuf schema in proto3 text. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ..protobuf.literals import quote
from ..protobuf.names import json_name
from . import names
from .losses import Losses
from .model import (
    Anything,
    Enumeration,
    Kind,
    ListOf,
    MapOf,
    Model,
    ModelField,
    ModelRecord,
    ModelUnion,
    NamedShape,
    Nullable,
    Presence,
    Scalar,
    Shape,
)
from .protobuf_names import EnumValues, distinct_fields
from .protobuf_values import ProtobufEncoder, ProtobufLayout

SCALARS: Mapping[Kind, str] = {
    Kind.BOOLEAN: "bool", Kind.INT32: "int32", Kind.INT64: "int64", Kind.UINT32: "uint32", Kind.UINT64: "uint64",
    Kind.FLOAT: "float", Kind.DOUBLE: "double", Kind.STRING: "string", Kind.BYTES: "bytes", Kind.FIXED: "bytes",
    Kind.UUID: "string", Kind.DATE: "string", Kind.DECIMAL: "string",
    Kind.INSTANT: "google.protobuf.Timestamp", Kind.NULL: "google.protobuf.Value",
}  # fmt: skip
UNCHECKED_FORMS: Mapping[Kind, str] = {
    Kind.FIXED: "the length of the bytes", Kind.UUID: "the form of the UUID", Kind.DATE: "the form of the date",
    Kind.DECIMAL: "precision and scale",
}  # fmt: skip
ZEROS = (False, 0, 0.0, "", b"")
IMPORTS = {"google.protobuf.Timestamp": "timestamp", "google.protobuf.Value": "struct"}
RESERVED = range(19_000, 20_000)
LARGEST = 2**29 - 1


def write_protobuf(model: Model, losses: Losses) -> tuple[bytes, ProtobufEncoder]:
    """The schema text, whose first message is the root, and the encoder of data that is valid under it."""
    writer = _ProtobufWriter(model, losses)
    return writer.write().encode(), ProtobufEncoder(model, writer.layout)


class _ProtobufWriter:
    def __init__(self, model: Model, losses: Losses) -> None:
        self._model = model
        self._losses = losses
        self._imports: set[str] = set()
        self._extra: list[str] = []
        self._free = names.UniqueNames()
        self._unions: dict[int, tuple[str, ...]] = {}
        self._names: dict[tuple[str, str], str] = {}
        self._symbols: dict[tuple[str, str], str] = {}
        self._oneofs: dict[str, tuple[tuple[str, ...], ...]] = {}
        root = model.record(model.root)
        self._package = _package(root.name) if root else ""
        order = sorted(model.types, key=lambda key: model.types[key] is not root)
        self._types = {key: self._free.take(self._type_name(model.types[key].name)) for key in order}
        self.layout = ProtobufLayout(self._names, self._symbols, self._unions, self._oneofs, root is None)

    def _type_name(self, full: str) -> str:
        inside = full.removeprefix(f"{self._package}.") if self._package else full
        name = names.identifier(inside.replace(".", "_"), "Type")
        return name[0].upper() + name[1:]

    def write(self) -> str:
        body: list[str] = []
        if self.layout.wrapped_root:
            self._losses.changed(self._model.root.pointer, "the root is the field `value` of a message")
            name = self._free.take("Root")
            body += [
                f"message {name} {{",
                f"  {self._declare(self._model.root, 'value', 1, 'Root')}",
                "}",
                "",
            ]
        for key, name in self._types.items():
            found = self._model.types[key]
            lines = (
                self._record(key, name, found)
                if isinstance(found, ModelRecord)
                else self._enum(key, name, found)
            )
            body += [*_comment(found.doc), *lines, ""]
            if found.aliases:
                self._losses.dropped(found.pointer, "aliases have no counterpart")
        head = ['syntax = "proto3";', ""]
        if self._package:
            head += [f"package {self._package};", ""]
        head += [f'import "google/protobuf/{name}.proto";' for name in sorted(self._imports)]
        return "\n".join([*head, *([""] if self._imports else []), *body, *self._extra])

    def _record(self, key: str, name: str, found: ModelRecord) -> Iterator[str]:
        self._drop(found.extras, found.pointer)
        if found.open:
            self._losses.dropped(found.pointer, "undeclared members of documents are not carried")
        fields = list(zip(found.fields, _field_names(found.fields), _numbers(found.fields), strict=True))
        groups = self._groups(key, found, names.UniqueNames(own for _, own, _ in fields))
        yield f"message {name} {{"
        for member, own, number in fields:
            group = groups.get(member.oneof) if _fits_oneof(member) else None
            if group is None:
                yield from self._field(key, name, member, own, number)
            elif member is group[1][0]:
                yield f"  oneof {group[0]} {{"
                for inner, inner_own, inner_number in fields:
                    if inner in group[1]:
                        yield from (
                            "  " + line for line in self._field(key, name, inner, inner_own, inner_number)
                        )
                yield "  }"
        yield "}"

    def _groups(
        self, key: str, found: ModelRecord, free: names.UniqueNames
    ) -> dict[str, tuple[str, list[ModelField]]]:
        """Oneof -> its name and its fields, those that can be in one."""
        members: dict[str, list[ModelField]] = {}
        for member in found.fields:
            if member.oneof and _fits_oneof(member):
                members.setdefault(member.oneof, []).append(member)
        for name in members:
            self._losses.narrowed(
                found.pointer, f"data with more than one field of the oneof {name!r} is refused"
            )
        self._oneofs[key] = tuple(tuple(member.name for member in group) for group in members.values())
        return {name: (free.take(names.identifier(name)), group) for name, group in members.items()}

    def _field(self, key: str, owner: str, member: ModelField, own: str, number: int) -> Iterator[str]:
        self._report_field_losses(member)
        yield from ("  " + line for line in _comment(member.doc))
        document_name = member.name if _can_be_json_name(member.name) else own
        self._names[key, member.name] = document_name
        options = f" [json_name = {quote(document_name)}]" if json_name(own) != document_name else ""
        hint = f"{owner}_{names.title_case(own)}"
        optional = self._wants_presence(member) and not (member.oneof and _fits_oneof(member))
        yield f"  {self._declare(member.shape, own, number, hint, options, optional=optional)}"

    def _wants_presence(self, member: ModelField) -> bool:
        """Whether the field must distinguish "left out" from its zero value."""
        if member.presence is Presence.DEFAULTED:
            return not self._is_zero(member)
        return member.presence is Presence.OPTIONAL

    def _is_zero(self, member: ModelField) -> bool:
        """Whether the default equals the zero value that Protobuf reads for an absent field."""
        found = self._model.enumeration(member.shape)
        if found is not None:
            return bool(found.numbers) and (found.numbers[0], found.symbols[0]) == (0, member.default)
        return (
            member.default in ([], {})
            if isinstance(member.shape, ListOf | MapOf)
            else member.default in ZEROS
        )

    def _report_field_losses(self, member: ModelField) -> None:
        self._drop(member.extras, member.pointer)
        if member.other_names:
            self._losses.dropped(member.pointer, "aliases have no counterpart")
        if not _can_be_json_name(member.name):
            self._losses.changed(member.pointer, f"the field {member.name!r} gets another name")
        if member.presence is Presence.REQUIRED:
            self._losses.dropped(member.pointer, f"{member.name!r} can be left out, which reads as its zero")
        elif member.has_default and not self._is_zero(member):
            self._losses.dropped(member.pointer, f"the default of {member.name!r}; data is written with it")
        if isinstance(member.shape, Nullable) and member.presence is not Presence.OPTIONAL:
            self._losses.changed(member.pointer, f"where {member.name!r} is null, it is left out")
        elif isinstance(member.shape, Nullable) or (
            member.presence is Presence.OPTIONAL and isinstance(member.shape, ListOf | MapOf)
        ):
            self._losses.changed(
                member.pointer, f"null, nothing and (in lists and maps) empty become one for {member.name!r}"
            )

    def _declare(
        self, shape: Shape, name: str, number: int, hint: str, options: str = "", *, optional: bool = False
    ) -> str:
        """A field declaration."""
        if isinstance(shape, Nullable):
            shape, optional = shape.inner, True
        if isinstance(shape, ListOf):
            self._drop(shape.extras, shape.pointer)
            return f"repeated {self._element(shape.item, hint)} {name} = {number}{options};"
        if isinstance(shape, MapOf):
            self._drop(shape.extras, shape.pointer)
            key = SCALARS[shape.key]
            return f"map<{key}, {self._element(shape.value, hint)}> {name} = {number}{options};"
        kind = self._element(shape, hint)
        is_message = kind.startswith(".") and self._model.enumeration(shape) is None  # those tell it anyway
        return f"{'optional ' if optional and not is_message else ''}{kind} {name} = {number}{options};"

    def _element(self, shape: Shape, hint: str) -> str:
        """The type of one singular value; unions, lists, maps and null get a message of their own."""
        if isinstance(shape, Scalar):
            self._drop(shape.extras, shape.pointer)
            if shape.kind is Kind.INSTANT and shape.unit != 9:
                self._losses.changed(shape.pointer, "a timestamp has nanoseconds")
            if shape.kind in (Kind.DATE, Kind.DECIMAL):
                self._losses.changed(shape.pointer, f"the {shape.kind} becomes its text")
            if shape.kind in UNCHECKED_FORMS:
                self._losses.dropped(shape.pointer, f"{UNCHECKED_FORMS[shape.kind]} is not carried")
            return self._use(SCALARS[shape.kind])
        if isinstance(shape, Anything):
            self._losses.narrowed(
                shape.pointer, "integers beyond 2^53 and values nested more than 40 deep are refused"
            )
            return self._use("google.protobuf.Value")
        if isinstance(shape, NamedShape):
            return self._qualified(self._types[shape.key])
        name = self._free.take(hint)
        if isinstance(shape, ModelUnion):
            self._losses.changed(shape.pointer, f"the union becomes the message {name} with a oneof")
            lines = list(self._oneof(shape, name))
        else:
            what = "null" if isinstance(shape, Nullable) else "a list or a map"
            self._losses.changed(
                shape.pointer, f"the message {name} wraps {what}, for which there is no room otherwise"
            )
            lines = [f"  {self._declare(shape, 'value', 1, name)}"]
        self._extra += [f"message {name} {{", *lines, "}", ""]
        return self._qualified(name)

    def _oneof(self, shape: ModelUnion, name: str) -> Iterator[str]:
        wanted = [self._branch_name(branch) for branch in shape.branches]
        given = distinct_fields(wanted, {"kind"})
        self._unions[id(shape)] = tuple(json_name(own) for own in given)
        if given:
            yield "  oneof kind {"
        for number, (branch, own) in enumerate(zip(shape.branches, given, strict=True), start=1):
            yield f"    {self._element(branch, f'{name}_{names.title_case(own)}')} {own} = {number};"
        if given:
            yield "  }"

    def _branch_name(self, branch: Shape) -> str:
        if isinstance(branch, NamedShape):
            return names.identifier(self._types[branch.key].lower())
        if isinstance(branch, Scalar):
            return f"{branch.kind.value}_value"
        return (
            "list_value"
            if isinstance(branch, ListOf)
            else "map_value"
            if isinstance(branch, MapOf)
            else "any_value"
        )

    def _enum(self, key: str, name: str, found: Enumeration) -> Iterator[str]:
        self._drop(found.extras, found.pointer)
        if found.default:
            self._losses.dropped(found.pointer, "the symbol that stands for unknown ones has no counterpart")
        prefix = names.identifier(name).upper() + "_"
        values = EnumValues(name, self._free)
        yield f"enum {name} {{"
        numbers = found.numbers
        if not numbers or numbers[0] != 0:
            yield f"  {values.take(prefix + 'UNSPECIFIED')} = 0;"
            self._losses.changed(
                found.pointer,
                f"{name} gets a first value {prefix}UNSPECIFIED, and its symbols that prefix",
            )
            numbers = numbers if numbers and 0 not in numbers else tuple(range(1, len(found.symbols) + 1))
        if len(set(numbers)) < len(numbers):
            yield "  option allow_alias = true;"
        renamed: list[str] = []
        for symbol, number in zip(found.symbols, numbers, strict=True):
            plain = names.identifier(symbol, "VALUE")
            plain = plain if found.numbers else plain.upper()
            own = values.take(plain if plain.startswith(prefix) else prefix + plain)
            self._symbols[key, symbol] = own
            renamed += [own] if own != symbol else []
            yield f"  {own} = {number};"
        if renamed:
            self._losses.changed(found.pointer, f"symbols are called {', '.join(renamed[:5])}")
        yield "}"

    def _use(self, kind: str) -> str:
        if kind in IMPORTS:
            self._imports.add(IMPORTS[kind])
            return f".{kind}"
        return kind

    def _qualified(self, name: str) -> str:
        return f".{self._package}.{name}" if self._package else f".{name}"

    def _drop(self, extras: Mapping[str, object], pointer: str) -> None:
        if extras:
            self._losses.dropped(pointer, f"no counterpart: {', '.join(sorted(extras))}")


def _fits_oneof(member: ModelField) -> bool:
    return member.presence is Presence.OPTIONAL and not isinstance(member.shape, ListOf | MapOf | Nullable)


def _package(full: str) -> str:
    package = full.rpartition(".")[0]
    return names.dotted(package) if package else ""


def _field_names(fields: Sequence[ModelField]) -> list[str]:
    wanted = [member.proto_name or member.name for member in fields]
    return distinct_fields(wanted, {*wanted, *(member.name for member in fields)})


def _numbers(fields: Sequence[ModelField]) -> list[int]:
    """The fields' own numbers where they are valid and unique, free ones for the others."""
    taken: set[int] = set()
    kept = []
    for member in fields:
        good = 0 < member.number <= LARGEST and member.number not in RESERVED and member.number not in taken
        kept.append(member.number if good else 0)
        taken.add(member.number)
    free = (n for n in range(1, LARGEST) if n not in taken and n not in RESERVED)
    return [number or next(free) for number in kept]


def _can_be_json_name(name: str) -> bool:
    return bool(name) and not name.startswith("[") and "\0" not in name


def _comment(doc: str) -> list[str]:
    lines = ("".join([c if c.isprintable() else " " for c in line]) for line in doc.splitlines())
    return [f"// {' '.join(line.split())}".rstrip() for line in lines]
