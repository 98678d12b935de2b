"""The rules of schema resolution (Avro 1.12), one row each: what a reader type and a writer type must fulfil.

A rule looks at one (reader, writer) pair. What is inside (items, fields, branches) is the business of pairs.py. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from ....model.compatibility import Severity
from ..schema.nodes import Enum, Field, Fixed, Named, Node, Record, title
from .finding import Finding
from .logical import decimal_mismatch, default_fault, logical_changed, logical_mismatch

PROMOTIONS: Mapping[str, frozenset[str]] = {
    "int": frozenset({"long", "float", "double"}),
    "long": frozenset({"float", "double"}),
    "float": frozenset({"double"}),
    "string": frozenset({"bytes"}),
    "bytes": frozenset({"string"}),
}
"""Writer's type -> the other types that a reader may read it as."""

Find = Callable[[Node, Node], Iterator[Finding]]


@dataclass(frozen=True, slots=True)
class ResolutionRule:
    """A rule of schema resolution. `stops`: when it is broken, what is inside the two types is not compared."""

    id: str
    sentence: str
    find: Find
    severity: Severity = Severity.ERROR
    stops: bool = False


def reads_kind(reader: Node, writer: Node) -> bool:
    """Whether the two types are of one kind or the writer's is promoted to the reader's. Neither is a union."""
    return reader.kind == writer.kind or reader.kind in PROMOTIONS.get(writer.kind, ())


def same_name(reader: Named, writer: Named) -> bool:
    """Whether the unqualified names are equal or a reader's alias is the writer's full name."""
    return reader.short == writer.short or writer.name in reader.aliases


def matches(reader: Node, writer: Node) -> bool:
    """Whether kinds and names match; what is inside is not looked at."""
    if isinstance(reader, Named) and isinstance(writer, Named):
        return reader.kind == writer.kind and same_name(reader, writer)
    return reads_kind(reader, writer)


def writer_fields(member: Field, writer: Record) -> list[Field]:
    """The writer's fields that the reader's field matches: by its name, then by its aliases."""
    names = dict.fromkeys((member.name, *member.aliases))
    return [found for name in names if (found := writer.by_name.get(name)) is not None]


def type_mismatch(reader: Node, writer: Node) -> Iterator[Finding]:
    if not reads_kind(reader, writer):
        yield Finding("", title(reader), title(writer), f"{title(writer)} cannot be read as {title(reader)}")


def name_mismatch(reader: Node, writer: Node) -> Iterator[Finding]:
    if isinstance(reader, Named) and isinstance(writer, Named) and not same_name(reader, writer):
        yield Finding(
            "/name", reader.name, writer.name,
            f"the names differ: {writer.name!r} was written, {reader.name!r} is read; "
            f"an alias {writer.name!r} of the reader's type would join them",
        )  # fmt: skip


def size_mismatch(reader: Node, writer: Node) -> Iterator[Finding]:
    if isinstance(reader, Fixed) and isinstance(writer, Fixed) and reader.size != writer.size:
        yield Finding(
            "/size", str(reader.size), str(writer.size),
            f"{writer.name} has {writer.size} bytes in the writer's schema and {reader.size} in the reader's",
        )  # fmt: skip


def symbol_missing(reader: Node, writer: Node) -> Iterator[Finding]:
    if isinstance(reader, Enum) and isinstance(writer, Enum) and reader.default is None:
        missing = [symbol for symbol in writer.symbols if symbol not in reader.symbol_set]
        if missing:
            yield Finding(
                "/symbols", _list(reader.symbols), _list(writer.symbols),
                f"the reader's {reader.name} lacks {_list(missing)} and has no default symbol", missing[0],
            )  # fmt: skip


def symbol_defaulted(reader: Node, writer: Node) -> Iterator[Finding]:
    if isinstance(reader, Enum) and isinstance(writer, Enum) and reader.default is not None:
        missing = [symbol for symbol in writer.symbols if symbol not in reader.symbol_set]
        if missing:
            yield Finding(
                "/symbols", _list(reader.symbols), _list(writer.symbols),
                f"the reader sees {reader.default!r} instead of {_list(missing)}",
            )  # fmt: skip


def default_missing(reader: Node, writer: Node) -> Iterator[Finding]:
    if isinstance(reader, Record) and isinstance(writer, Record):
        for member in reader.fields:
            if member.name in writer.by_name or member.has_default:
                continue
            if not writer_fields(member, writer):
                yield Finding(
                    f"/fields/{member.index}", member.name, "",
                    f"the field {member.name!r} of {reader.name} is not written and has no default",
                )  # fmt: skip


def default_unfit(reader: Node, writer: Node) -> Iterator[Finding]:
    if isinstance(reader, Record) and isinstance(writer, Record):
        for member in reader.fields:
            if not member.has_default or writer_fields(member, writer):
                continue
            if wrong := default_fault(member.type, member.default):
                yield Finding(
                    f"/fields/{member.index}/default", json.dumps(member.default)[:200], "",
                    f"the field {member.name!r} of {reader.name} is not written, and its default is no value of its logical "
                    f"type: {wrong}; give it another default",
                )  # fmt: skip


def alias_ambiguous(reader: Node, writer: Node) -> Iterator[Finding]:
    if isinstance(reader, Record) and isinstance(writer, Record):
        for member in reader.fields:
            if member.aliases and len(found := writer_fields(member, writer)) > 1:
                names = _list([f.name for f in found])
                yield Finding(
                    f"/fields/{member.index}/aliases", member.name, names,
                    f"the field {member.name!r} and its aliases stand for several written fields: {names}",
                )  # fmt: skip


def bytes_as_text(reader: Node, writer: Node) -> Iterator[Finding]:
    if reader.kind == "string" and writer.kind == "bytes":
        yield Finding("", "string", "bytes", "bytes that are not UTF-8 cannot be read as a string", b"\xff")


def _list(names: list[str] | tuple[str, ...]) -> str:
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")


def _reported_elsewhere(reader: Node, writer: Node) -> Iterator[Finding]:
    """Reported by compare.py, which knows which branches are readable."""
    return iter(())


BRANCH_MISSING = ResolutionRule(
    "AVRO_UNION_BRANCH_MISSING",
    "Every type that the writer's union holds is read by a branch of the reader's.",
    _reported_elsewhere,
)

RULES: tuple[ResolutionRule, ...] = (
    ResolutionRule("AVRO_TYPE_MISMATCH", "The reader's type is the writer's or one that it is promoted to.", type_mismatch, stops=True),
    ResolutionRule("AVRO_NAME_MISMATCH", "Named types have the same unqualified name, or the reader's has the writer's as an alias.",
         name_mismatch, stops=True),
    ResolutionRule("AVRO_FIXED_SIZE_MISMATCH", "A fixed has the same size on both sides.", size_mismatch),
    ResolutionRule("AVRO_ENUM_SYMBOL_MISSING", "The reader's enum has every symbol of the writer's, or a default.", symbol_missing),
    ResolutionRule("AVRO_FIELD_DEFAULT_MISSING", "A field that only the reader has needs a default.", default_missing),
    ResolutionRule("AVRO_FIELD_DEFAULT_UNFIT", "The default of a field that only the reader has is of the field's logical type.",
         default_unfit),
    ResolutionRule("AVRO_FIELD_ALIAS_AMBIGUOUS", "A reader's field stands for one field of the writer.", alias_ambiguous),
    ResolutionRule("AVRO_DECIMAL_MISMATCH", "Decimals have the same scale, and the reader's at least the writer's precision.",
         decimal_mismatch),
    ResolutionRule("AVRO_LOGICAL_TYPE_MISMATCH", "Data of the writer is of the reader's logical type, in the same unit.",
         logical_mismatch),
    ResolutionRule("AVRO_BYTES_READ_AS_STRING", "Bytes that are read as a string are UTF-8.", bytes_as_text, Severity.WARNING),
    ResolutionRule("AVRO_LOGICAL_TYPE_CHANGED", "Both sides give a value the same meaning.", logical_changed, Severity.WARNING),
    ResolutionRule("AVRO_ENUM_SYMBOL_DEFAULTED", "The reader's enum knows the symbols that are written.", symbol_defaulted,
         Severity.INFO),
)  # fmt: skip

_BY_KIND: Mapping[str, tuple[str, ...]] = {
    "record": (
        "AVRO_NAME_MISMATCH",
        "AVRO_FIELD_DEFAULT_MISSING",
        "AVRO_FIELD_DEFAULT_UNFIT",
        "AVRO_FIELD_ALIAS_AMBIGUOUS",
    ),
    "enum": ("AVRO_NAME_MISMATCH", "AVRO_ENUM_SYMBOL_MISSING", "AVRO_ENUM_SYMBOL_DEFAULTED"),
    "fixed": (
        "AVRO_NAME_MISMATCH",
        "AVRO_FIXED_SIZE_MISMATCH",
        "AVRO_DECIMAL_MISMATCH",
        "AVRO_LOGICAL_TYPE_MISMATCH",
        "AVRO_LOGICAL_TYPE_CHANGED",
    ),
    "bytes": ("AVRO_DECIMAL_MISMATCH", "AVRO_LOGICAL_TYPE_MISMATCH", "AVRO_LOGICAL_TYPE_CHANGED"),
    **dict.fromkeys(("string", "int", "long"), ("AVRO_LOGICAL_TYPE_MISMATCH", "AVRO_LOGICAL_TYPE_CHANGED")),
}
_BY_ID = {rule.id: rule for rule in RULES}
OTHER_KINDS = tuple(
    _BY_ID[i]
    for i in (
        "AVRO_TYPE_MISMATCH",
        "AVRO_BYTES_READ_AS_STRING",
        "AVRO_LOGICAL_TYPE_MISMATCH",
        "AVRO_LOGICAL_TYPE_CHANGED",
    )
)
SAME_KIND: Mapping[str, tuple[ResolutionRule, ...]] = {
    kind: tuple(_BY_ID[i] for i in ids) for kind, ids in _BY_KIND.items()
}
"""The rules that two types of one kind can break; two types of different kinds can break OTHER_KINDS."""


def rules_for(reader: Node, writer: Node) -> tuple[ResolutionRule, ...]:
    """The rules that two types, neither a union, can break."""
    return SAME_KIND.get(reader.kind, ()) if reader.kind == writer.kind else OTHER_KINDS
