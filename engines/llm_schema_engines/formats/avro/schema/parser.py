"""The strict parser: makes nodes of a JSON value, and an issue with its place of every broken rule (Avro 1.12, "Schema
Declaration"). Pure.

It goes on after an issue with a placeholder, so that an author sees all issues at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..limits import AvroLimits
from . import issues as rule
from . import names
from .defaults import DefaultChecker, is_non_finite, show
from .issues import Issues, LinkedPath
from .logical import logical
from .nodes import (
    PRIMITIVES,
    Array,
    Enum,
    Field,
    Fixed,
    Map,
    Named,
    Node,
    Primitive,
    Record,
    Union,
    tag,
)
from .text import Json

ORDERS = ("ascending", "descending", "ignore")
PLACEHOLDER = Primitive("null")
"""Takes the place of a type that could not be parsed. Never returned to callers: its issue makes `parse` fail."""


class Parser:
    """Parses one schema text. `known` are the types that its references define, by full name.

    After `parse`: `defined` holds the types that the text defines, `used` the known ones that it names, and `recursive`
    says whether a record is named inside itself.
    """

    def __init__(self, limits: AvroLimits, found: Issues, known: Mapping[str, Named]) -> None:
        self.defined: dict[str, Named] = {}
        self.used: set[str] = set()
        self.recursive = False
        self._open_records: set[str] = set()
        self._limits = limits
        self._found = found
        self._known = known
        self._types = 0
        self._fields = 0
        self._defaults_to_check: list[tuple[Field, LinkedPath]] = []

    def parse(self, schema: Json) -> Node:
        """The root node. Raises IssueLimitReached when there are too many issues."""
        root = self._type(schema, "", None, 1)
        if root is not PLACEHOLDER:
            self._check_defaults()
        return root

    def _type(self, schema: Json, namespace: str, at: LinkedPath, depth: int) -> Node:
        if type(schema) is str:
            return PRIMITIVES.get(schema) or self._named(schema, namespace, at)
        self._types += 1
        if self._types > self._limits.types:
            return self._limit_exceeded(
                at, f"the schema spells out more than {self._limits.types} types (setting avro.types)"
            )
        if depth > self._limits.schema_depth:
            return self._limit_exceeded(
                at, f"types are nested more than {self._limits.schema_depth} deep (setting avro.schema_depth)"
            )
        if type(schema) is list:
            return self._union(schema, namespace, at, depth)
        if type(schema) is not dict:
            return self._fault(rule.TYPE_INVALID, at, f"{show(schema)} is not a type")
        name = schema.get("type")
        if type(name) is not str:
            return self._nested_type(schema, name, namespace, at, depth)
        if name in PRIMITIVES:
            return PRIMITIVES[name] if len(schema) == 1 else self._primitive(name, schema, at)
        make = _COMPLEX.get(name)
        if make is not None:
            return make(self, schema, namespace, at, depth)
        return self._named(name, namespace, (at, "type"))

    def _nested_type(
        self, schema: Mapping[str, Json], inner: Json, namespace: str, at: LinkedPath, depth: int
    ) -> Node:
        if "type" not in schema:
            return self._fault(rule.TYPE_INVALID, at, "the object has no type")
        if not isinstance(inner, dict | list):
            return self._fault(rule.TYPE_INVALID, (at, "type"), f"{show(inner)} is not the name of a type")
        self._found.add(
            rule.TYPE_NESTED,
            (at, "type"),
            "the type of a type object is a name; write the inner type directly",
        )
        return self._type(inner, namespace, (at, "type"), depth + 1)

    def _named(self, name: str, namespace: str, at: LinkedPath) -> Node:
        full = names.full_name(name, namespace)
        node = self._lookup(full)
        if node is None and full != name and (node := self._lookup(name)) is not None:
            # Java falls back to the null namespace; the specification does not.
            self._found.add(
                rule.NAME_SCOPE, at, f"{name!r} means {full!r} here, which is not defined; the known type "
                f"{name!r} has no namespace and cannot be named from inside one",
            )  # fmt: skip
        if node is not None:
            return node
        other = names.similar(full, {**self._known, **self.defined})
        way_out = f"did you mean {other!r}?" if other else "define it before its first use or add a reference"
        return self._fault(rule.TYPE_UNKNOWN, at, f"the type {full!r} is not defined; {way_out}")

    def _lookup(self, full: str) -> Node | None:
        node = self.defined.get(full)
        if node is None and (node := self._known.get(full)) is not None:
            self.used.add(full)
        elif full in self._open_records:
            self.recursive = True
        return node

    def _primitive(self, name: str, source: Mapping[str, Json], at: LinkedPath) -> Node:
        node = Primitive(name, source)
        self._logical(node, source, at)
        return node

    def _logical(self, node: Node, source: Mapping[str, Json], at: LinkedPath) -> None:
        if "logicalType" in source:
            node.logical, ignored = logical(node, source, self._limits.decimal_precision)
            if ignored:
                self._found.warn(rule.LOGICAL_IGNORED, (at, "logicalType"), f"{ignored}; it is ignored")

    def _array(self, schema: Mapping[str, Json], namespace: str, at: LinkedPath, depth: int) -> Node:
        if "items" not in schema:
            return self._fault(rule.ITEMS_MISSING, at, "the array has no items")
        node = Array(schema, self._type(schema["items"], namespace, (at, "items"), depth + 1))
        self._logical(node, schema, at)
        return node

    def _map(self, schema: Mapping[str, Json], namespace: str, at: LinkedPath, depth: int) -> Node:
        if "values" not in schema:
            return self._fault(rule.VALUES_MISSING, at, "the map has no values")
        node = Map(schema, self._type(schema["values"], namespace, (at, "values"), depth + 1))
        self._logical(node, schema, at)
        return node

    def _union(self, schema: list[Json], namespace: str, at: LinkedPath, depth: int) -> Node:
        branches: list[Node] = []
        seen: set[str] = set()
        for i, item in enumerate(schema):
            place = (at, i)
            branch = self._type(item, namespace, place, depth + 1)
            if branch is PLACEHOLDER:
                continue
            if isinstance(branch, Union):
                self._found.add(
                    rule.UNION_NESTED, place, "a union cannot directly contain a union; merge them"
                )
            elif tag(branch) in seen:
                self._found.add(rule.UNION_REPEATED, place, f"the union has more than one {tag(branch)!r}")
            seen.add(tag(branch))
            branches.append(branch)
        return Union(tuple(branches))

    def _define(self, schema: Mapping[str, Json], make: Callable[[Mapping[str, Json], str], Named], namespace: str,
                at: LinkedPath) -> tuple[Named, str]:  # fmt: skip
        """A node under its full name, and the namespace that holds inside it."""
        name = schema.get("name")
        if not isinstance(name, str) or not name:
            found = "has no name" if "name" not in schema else f"has the name {show(name)}"
            self._found.add(rule.NAME_MISSING, at, f"the {schema['type']} {found}; it needs one")
            return make(schema, "?"), namespace
        if "." not in name and "namespace" in schema:
            namespace = self._namespace(schema["namespace"], namespace, (at, "namespace"))
        full = names.full_name(name, namespace)
        if fault := names.fault(name, self._limits.name_length, dotted=True):
            self._found.add(rule.NAME_INVALID, (at, "name"), f"the name {show(name)} {fault}")
        elif len(full) > self._limits.name_length:
            self._found.add(rule.LIMIT, (at, "name"),
                            f"the full name is {len(full)} characters long; the limit is {self._limits.name_length} (setting avro.name_length)")  # fmt: skip
        elif names.is_primitive(full):
            self._found.add(rule.NAME_RESERVED, (at, "name"), f"{name!r} is the name of a primitive type")
        node = make(schema, full)
        if full in self.defined or full in self._known:
            where = "in this schema" if full in self.defined else "by a reference"
            self._found.add(rule.NAME_REPEATED, (at, "name"), f"{full!r} is already defined {where}")
        self.defined.setdefault(full, node)
        namespace = names.namespace_of(full)
        aliases = self._aliases(schema, at, dotted=True)
        node.aliases = tuple(dict.fromkeys(names.full_name(alias, namespace) for alias in aliases))
        self._doc(schema, at)
        return node, namespace

    def _namespace(self, given: Json, around: str, at: LinkedPath) -> str:
        if given is None:
            self._found.add(
                rule.NAMESPACE_INVALID, at, "the namespace is null; leave it out or make it a string"
            )
            return around
        if not isinstance(given, str):
            self._found.add(rule.NAMESPACE_INVALID, at, f"the namespace {show(given)} is not a string")
            return around
        if given and (fault := names.fault(given, self._limits.name_length, dotted=True)):
            self._found.add(rule.NAMESPACE_INVALID, at, f"the namespace {show(given)} {fault}")
        return given

    def _aliases(self, schema: Mapping[str, Json], at: LinkedPath, *, dotted: bool) -> tuple[str, ...]:
        given = schema.get("aliases")
        if given is None and "aliases" not in schema:
            return ()
        if not isinstance(given, list):
            self._found.add(rule.ALIAS_INVALID, (at, "aliases"), f"aliases are an array, not {show(given)}")
            return ()
        out: list[str] = []
        for i, alias in enumerate(given):
            if not isinstance(alias, str):
                self._found.add(
                    rule.ALIAS_INVALID, ((at, "aliases"), i), f"the alias {show(alias)} is not a string"
                )
                continue
            if len(alias) > (longest := self._limits.name_length):
                self._found.add(
                    rule.LIMIT, ((at, "aliases"), i),
                    f"the alias {show(alias)} is {len(alias)} characters long; the limit is {longest} (setting avro.name_length)",
                )  # fmt: skip
            elif fault := names.fault(alias, longest, dotted=dotted):
                self._found.warn(
                    rule.ALIAS_NO_NAME, ((at, "aliases"), i),
                    f"the alias {show(alias)} stands for nothing: a name {fault}",
                )  # fmt: skip
            out.append(alias)
        return tuple(out)

    def _doc(self, schema: Mapping[str, Json], at: LinkedPath) -> None:
        if "doc" in schema and not isinstance(schema["doc"], str):
            self._found.add(rule.DOC_INVALID, (at, "doc"), f"doc is {show(schema['doc'])}, not a string")

    def _fixed(self, schema: Mapping[str, Json], namespace: str, at: LinkedPath, depth: int) -> Node:
        node, _ = self._define(schema, Fixed, namespace, at)
        assert isinstance(node, Fixed)
        size = schema.get("size")
        if type(size) is not int or size < 0:
            found = f"the size {show(size)} is not one" if "size" in schema else "it has none"
            place = (at, "size") if "size" in schema else at
            self._found.add(
                rule.SIZE_INVALID, place, f"a fixed needs a size, an integer of at least 0; {found}"
            )
        elif size > self._limits.fixed_bytes:
            self._limit_exceeded(
                (at, "size"),
                f"the size is {size} bytes; the limit is {self._limits.fixed_bytes} (setting avro.fixed_bytes)",
            )
        else:
            node.size = size
        self._logical(node, schema, at)
        return node

    def _enum(self, schema: Mapping[str, Json], namespace: str, at: LinkedPath, depth: int) -> Node:
        node, _ = self._define(schema, Enum, namespace, at)
        assert isinstance(node, Enum)
        given = schema.get("symbols")
        if not isinstance(given, list):
            return self._fault(rule.SYMBOLS_INVALID, at, "an enum needs symbols, an array of names")
        if len(given) > self._limits.symbols:
            return self._limit_exceeded(
                (at, "symbols"),
                f"the enum has {len(given)} symbols; the limit is {self._limits.symbols} (setting avro.symbols)",
            )
        symbols: dict[str, None] = {}
        for i, symbol in enumerate(given):
            place = ((at, "symbols"), i)
            if not isinstance(symbol, str):
                self._found.add(rule.SYMBOLS_INVALID, place, f"the symbol {show(symbol)} is not a string")
                continue
            if fault := names.fault(symbol, self._limits.name_length, dotted=False):
                self._found.add(rule.SYMBOL_INVALID, place, f"the symbol {show(symbol)} {fault}")
            if symbol in symbols:
                self._found.add(rule.SYMBOL_REPEATED, place, f"the symbol {symbol!r} stands there twice")
            symbols[symbol] = None
        node.symbols, node.symbol_set = tuple(symbols), frozenset(symbols)
        self._logical(node, schema, at)
        if "default" in schema:
            default = schema["default"]
            if isinstance(default, str) and default in symbols:
                node.default = default
            else:
                self._found.add(
                    rule.ENUM_DEFAULT_INVALID, (at, "default"), f"{show(default)} is not a symbol"
                )
        return node

    def _record(self, schema: Mapping[str, Json], namespace: str, at: LinkedPath, depth: int) -> Node:
        node, inside = self._define(schema, Record, namespace, at)
        assert isinstance(node, Record)
        node.is_error = schema["type"] == "error"
        given = schema.get("fields")
        if not isinstance(given, list):
            return self._fault(rule.FIELDS_INVALID, at, "a record needs fields, an array")
        self._fields += len(given)
        if self._fields > self._limits.fields:
            return self._limit_exceeded(
                (at, "fields"),
                f"the schema has more than {self._limits.fields} fields (setting avro.fields); split it with references",
            )
        fields: list[Field] = []
        by_name: dict[str, Field] = {}
        self._open_records.add(node.name)
        place = (at, "fields")
        for i, item in enumerate(given):
            member = self._field(item, len(fields), inside, (place, i), depth)
            if member is None:
                continue
            if member.name in by_name:
                self._found.add(
                    rule.FIELD_REPEATED, ((place, i), "name"),
                    f"{node.name} has two fields named {member.name!r}",
                )  # fmt: skip
            by_name.setdefault(member.name, member)
            fields.append(member)
        self._open_records.discard(node.name)
        node.fields, node.by_name = tuple(fields), by_name
        self._logical(node, schema, at)
        return node

    def _field(self, schema: Json, index: int, namespace: str, at: LinkedPath, depth: int) -> Field | None:
        if not isinstance(schema, dict):
            self._found.add(rule.FIELD_INVALID, at, f"{show(schema)} is not a field, which is an object")
            return None
        name = schema.get("name")
        if not isinstance(name, str):
            self._found.add(rule.NAME_MISSING, at, "the field needs a name, a string")
            name = f"?{index}"
        elif fault := names.fault(name, self._limits.name_length, dotted=False):
            self._found.add(rule.NAME_INVALID, (at, "name"), f"the field name {show(name)} {fault}")
        if "type" not in schema:
            self._found.add(rule.FIELD_INVALID, at, f"the field {show(name)} has no type")
            return None
        kind = schema["type"]
        node: Node | None = (
            PRIMITIVES.get(kind) if type(kind) is str else None
        )  # as _type would, for most fields
        if node is None:
            node = self._type(kind, namespace, (at, "type"), depth + 1)
        aliases = self._aliases(schema, at, dotted=False) if "aliases" in schema else ()
        if "order" in schema and schema["order"] not in ORDERS:
            self._found.add(
                rule.ORDER_INVALID,
                (at, "order"),
                f"{show(schema['order'])} is not one of {', '.join(ORDERS)}",
            )
        if "doc" in schema and not isinstance(schema["doc"], str):
            self._doc(schema, at)
        has_default = "default" in schema
        member = Field(name, index, node, aliases, has_default, schema.get("default"), schema)
        if has_default and node is not PLACEHOLDER:
            self._defaults_to_check.append((member, at))
        return member

    def _check_defaults(self) -> None:
        """Runs last: the type of a default may be defined after it."""
        defaults = DefaultChecker()
        for member, at in self._defaults_to_check:
            if is_non_finite(member.type, member.default):
                continue
            if fault := defaults.fault(member.type, member.default):
                self._found.add(
                    rule.DEFAULT_INVALID, (at, "default"), f"the default of {member.name!r}: {fault}"
                )
            elif defaults.extras:
                undeclared = ", ".join(dict.fromkeys(defaults.extras[:5]))
                self._found.warn(
                    rule.DEFAULT_EXTRA,
                    (at, "default"),
                    f"the default of {member.name!r} has undeclared {undeclared}",
                )
            defaults.extras.clear()

    def _fault(self, broken: rule.SchemaTextRule, at: LinkedPath, message: str) -> Node:
        self._found.add(broken, at, message)
        return PLACEHOLDER

    def _limit_exceeded(self, at: LinkedPath, message: str) -> Node:
        """A limit is passed: nothing after it is looked at."""
        self._found.add(rule.LIMIT, at, message)
        raise rule.IssueLimitReached


_COMPLEX: Mapping[str, Callable[[Parser, Mapping[str, Json], str, LinkedPath, int], Node]] = {
    "record": Parser._record,
    "error": Parser._record,
    "enum": Parser._enum,
    "fixed": Parser._fixed,
    "array": Parser._array,
    "map": Parser._map,
}
