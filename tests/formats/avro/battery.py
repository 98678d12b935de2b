"""Schemas that Avro 1.12 allows or forbids, one row each: a name, the text or value, and the rule that it breaks.

Rule None: valid. Verdicts are read from the specification; where it is silent, the row says what we chose.
"""

from __future__ import annotations

import json
from typing import Any

Row = tuple[str, Any, str | None]


def record(*fields: Any, **more: Any) -> dict[str, Any]:
    return {"type": "record", "name": "R", "fields": list(fields), **more}


def field(kind: Any = "int", **more: Any) -> dict[str, Any]:
    return {"name": "f", "type": kind, **more}


def default(kind: Any, value: Any) -> dict[str, Any]:
    return record(field(kind, default=value))


def enum(*symbols: Any, **more: Any) -> dict[str, Any]:
    return {"type": "enum", "name": "E", "symbols": list(symbols), **more}


def fixed(size: Any, **more: Any) -> dict[str, Any]:
    return {"type": "fixed", "name": "F", "size": size, **more}


def decimal(precision: Any, scale: Any = 0, kind: str = "bytes") -> dict[str, Any]:
    return {"type": kind, "logicalType": "decimal", "precision": precision, "scale": scale}


def nested(depth: int) -> Any:
    schema: Any = "int"
    for _ in range(depth):
        schema = {"type": "array", "items": schema}
    return schema


INNER = record(field("int"), {"name": "g", "type": "string", "default": "x"}, name="I")
E1, F2 = enum("A", "B"), fixed(2)

TEXTS: list[Row] = [
    ("empty text", "", "AVRO_SYNTAX"),
    ("white space only", "  \n ", "AVRO_SYNTAX"),
    ("truncated", '{"type": "rec', "AVRO_SYNTAX"),
    ("bare word", "int", "AVRO_SYNTAX"),
    ("trailing comma", '["int",]', "AVRO_SYNTAX"),
    ("two values", '"int" "int"', "AVRO_SYNTAX"),
    ("NaN", '{"type": "int", "x": NaN}', "AVRO_SYNTAX"),
    ("leading zero", '{"type":"fixed","name":"F","size":015}', "AVRO_SYNTAX"),
    ("number beyond a double", '{"type": "int", "x": 1e999}', "AVRO_SYNTAX"),
    ("half a surrogate pair", '{"type": "int", "x": "\\ud800"}', "AVRO_SYNTAX"),
    ("byte order mark", '\ufeff"int"', "AVRO_SYNTAX"),
    ("repeated key", '{"type": "int", "type": "long"}', "AVRO_KEY_REPEATED"),
    (
        "repeated key in a field",
        '{"type":"record","name":"R","fields":[{"name":"f","name":"f","type":"int"}]}',
        "AVRO_KEY_REPEATED",
    ),
    ("escaped name", '{"type":"fixed","name":"\\u0046","size":1}', None),
]

TYPES: list[Row] = [
    *((f"primitive {name}", name, None) for name in ("null", "boolean", "int", "long", "float", "double", "bytes", "string")),
    ("primitive as object", {"type": "int"}, None),
    ("primitive with an attribute", {"type": "int", "unit": "ms"}, None),
    ("a number", 5, "AVRO_TYPE_INVALID"),
    ("null", None, "AVRO_TYPE_INVALID"),
    ("true", True, "AVRO_TYPE_INVALID"),
    ("empty object", {}, "AVRO_TYPE_INVALID"),
    ("type is a number", {"type": 5}, "AVRO_TYPE_INVALID"),
    ("type is null", {"type": None}, "AVRO_TYPE_INVALID"),
    ("type is an object", {"type": {"type": "int"}}, "AVRO_TYPE_NESTED"),
    ("type is a union", {"type": ["null", "int"]}, "AVRO_TYPE_NESTED"),
    ("unknown name", "banana", "AVRO_TYPE_UNKNOWN"),
    ("unknown name as object", {"type": "banana"}, "AVRO_TYPE_UNKNOWN"),
    ("wrong case", "Int", "AVRO_TYPE_UNKNOWN"),
    ("name of a complex type as a reference", "record", "AVRO_TYPE_UNKNOWN"),
    ("union as a type name", {"type": "union"}, "AVRO_TYPE_UNKNOWN"),
    ("empty string", "", "AVRO_TYPE_UNKNOWN"),
    ("array", {"type": "array", "items": "int"}, None),
    ("array without items", {"type": "array"}, "AVRO_ITEMS_MISSING"),
    ("array of unknown", {"type": "array", "items": "banana"}, "AVRO_TYPE_UNKNOWN"),
    ("map", {"type": "map", "values": "int"}, None),
    ("map without values", {"type": "map"}, "AVRO_VALUES_MISSING"),
    ("map with items", {"type": "map", "items": "int"}, "AVRO_VALUES_MISSING"),
    ("types 60 deep", nested(60), None),
    ("types 500 deep", nested(500), "AVRO_LIMIT"),
    ("fastavro's mark of a parsed schema",
     {"__fastavro_parsed": True, "__named_schemas": {}, "type": "banana", "name": 5}, "AVRO_TYPE_UNKNOWN"),
]  # fmt: skip

NAMES: list[Row] = [
    ("record without a name", {"type": "record", "fields": []}, "AVRO_NAME_MISSING"),
    ("enum without a name", {"type": "enum", "symbols": ["A"]}, "AVRO_NAME_MISSING"),
    ("fixed without a name", {"type": "fixed", "size": 1}, "AVRO_NAME_MISSING"),
    ("name is a number", record(name=5), "AVRO_NAME_MISSING"),
    ("empty name", record(name=""), "AVRO_NAME_MISSING"),
    ("name starts with a digit", record(name="1R"), "AVRO_NAME_INVALID"),
    ("name with a dash", record(name="a-b"), "AVRO_NAME_INVALID"),
    ("name with a space", record(name="a b"), "AVRO_NAME_INVALID"),
    ("name in unicode", record(name="Größe"), "AVRO_NAME_INVALID"),
    ("name in full-width digits", record(name="R１"), "AVRO_NAME_INVALID"),
    ("name with a trailing newline", record(name="R\n"), "AVRO_NAME_INVALID"),
    ("name with two dots", record(name="a..B"), "AVRO_NAME_INVALID"),
    ("name with a trailing dot", record(name="a.B."), "AVRO_NAME_INVALID"),
    ("name with a leading dot", record(name=".B"), "AVRO_NAME_INVALID"),
    ("dotted name", record(name="a.b.C"), None),
    ("underscores and digits", record(name="_R_2"), None),
    ("primitive name", record(name="int"), "AVRO_NAME_RESERVED"),
    ("primitive name in a namespace", record(name="string", namespace="a"), "AVRO_NAME_RESERVED"),
    ("name of a complex type", record(name="array"), None),
    ("name of 255 characters", record(name="a" * 255), None),
    ("name of 256 characters", record(name="a" * 256), "AVRO_NAME_INVALID"),
    ("full name of 300 characters", record(name="a" * 150, namespace="b" * 149), "AVRO_LIMIT"),
    ("namespace", record(namespace="a.b"), None),
    ("empty namespace", record(namespace=""), None),
    ("namespace is a number", record(namespace=5), "AVRO_NAMESPACE_INVALID"),
    ("namespace is null", record(namespace=None), "AVRO_NAMESPACE_INVALID"),
    ("namespace with a dash", record(namespace="a-b"), "AVRO_NAMESPACE_INVALID"),
    ("namespace with two dots", record(namespace="a..b"), "AVRO_NAMESPACE_INVALID"),
    ("bad namespace beside a dotted name is ignored", record(name="a.B", namespace=5), None),
    ("defined twice", record(field(E1), {"name": "g", "type": E1}), "AVRO_NAME_REPEATED"),
    ("defined twice by dotted and split name",
     [record(name="a.B"), record(name="B", namespace="a")], "AVRO_NAME_REPEATED"),
    ("same short name in two namespaces", [record(name="a.B"), record(name="c.B")], None),
    ("used before its definition", record(field("E"), {"name": "g", "type": E1}), "AVRO_TYPE_UNKNOWN"),
    ("used after its definition", record(field(E1), {"name": "g", "type": "E"}), None),
    ("namespace inherited", record(field(E1), {"name": "g", "type": "n.E"}, namespace="n"), None),
    ("inner namespace is not the outer's",
     record(field(enum("A", namespace="m")), {"name": "g", "type": "E"}, namespace="n"), "AVRO_TYPE_UNKNOWN"),
    ("a type without namespace from inside one",
     record(field(enum("A", namespace="")), {"name": "g", "type": "E"}, namespace="n"), "AVRO_NAME_SCOPE"),
    ("itself", record(field(["null", "R"])), None),
    ("itself without an end (has no values, but is a schema)", record(field("R")), None),
    ("aliases", record(aliases=["Old", "other.Older"]), None),
    ("no aliases", record(aliases=[]), None),
    ("aliases is a string", record(aliases="Old"), "AVRO_ALIAS_INVALID"),
    ("aliases is null", record(aliases=None), "AVRO_ALIAS_INVALID"),
    ("alias is a number", record(aliases=[5]), "AVRO_ALIAS_INVALID"),
    ("alias with a dash", record(aliases=["a-b"]), None),
    ("alias with a trailing dot", record(aliases=["a."]), None),
    ("enum alias is empty", enum("A", aliases=[""]), None),
    ("alias of 256 characters", record(aliases=["a" * 256]), "AVRO_LIMIT"),
    ("fields that are aliases of each other",
     record(field(aliases=["g"]), {"name": "g", "type": "int", "aliases": ["f"]}), None),
    ("a type without namespace inside one", record(field(enum("A", namespace="")), namespace="n"), None),
    ("the empty namespace holds inside",
     record(field(record(field(fixed(1)), name="I", namespace="")), {"name": "g", "type": "I"}, namespace="n"), "AVRO_NAME_SCOPE"),
    ("doc", record(doc="what it is"), None),
    ("doc is a number", record(doc=5), "AVRO_DOC_INVALID"),
]  # fmt: skip

FIELDS: list[Row] = [
    ("no fields", record(), None),
    ("fields missing", {"type": "record", "name": "R"}, "AVRO_FIELDS_INVALID"),
    ("fields is an object", {"type": "record", "name": "R", "fields": {}}, "AVRO_FIELDS_INVALID"),
    ("fields is null", {"type": "record", "name": "R", "fields": None}, "AVRO_FIELDS_INVALID"),
    ("field is a string", record("f"), "AVRO_FIELD_INVALID"),
    ("field without a type", record({"name": "f"}), "AVRO_FIELD_INVALID"),
    ("field without a name", record({"type": "int"}), "AVRO_NAME_MISSING"),
    ("field name is a number", record({"name": 5, "type": "int"}), "AVRO_NAME_MISSING"),
    ("field name is empty", record({"name": "", "type": "int"}), "AVRO_NAME_INVALID"),
    ("field name with a dash", record({"name": "a-b", "type": "int"}), "AVRO_NAME_INVALID"),
    ("field name with a dot", record({"name": "a.b", "type": "int"}), "AVRO_NAME_INVALID"),
    ("field name is a primitive's", record({"name": "int", "type": "int"}), None),
    ("field twice", record(field(), field("long")), "AVRO_FIELD_REPEATED"),
    ("fields that differ in case", record(field(), {"name": "F", "type": "int"}), None),
    ("order", record(field(order="ignore")), None),
    ("order unknown", record(field(order="upwards")), "AVRO_ORDER_INVALID"),
    ("order is null", record(field(order=None)), "AVRO_ORDER_INVALID"),
    ("field aliases", record(field(aliases=["old"])), None),
    ("field aliases is a string", record(field(aliases="old")), "AVRO_ALIAS_INVALID"),
    ("field alias with a dot", record(field(aliases=["a.b"])), None),
    ("field alias is null", record(field(aliases=[None])), "AVRO_ALIAS_INVALID"),
    ("field doc is a list", record(field(doc=[])), "AVRO_DOC_INVALID"),
    ("custom attributes", record(field(**{"x-unit": {"a": [1]}}), x=1), None),
    ("error record", {"type": "error", "name": "E", "fields": []}, None),
]  # fmt: skip

SHAPES: list[Row] = [
    ("enum", E1, None),
    ("enum without symbols (silent; a type without values)", enum(), None),
    ("symbols missing", {"type": "enum", "name": "E"}, "AVRO_SYMBOLS_INVALID"),
    ("symbols is a string", {"type": "enum", "name": "E", "symbols": "AB"}, "AVRO_SYMBOLS_INVALID"),
    ("symbol is a number", enum(5), "AVRO_SYMBOLS_INVALID"),
    ("symbol is null", enum(None), "AVRO_SYMBOLS_INVALID"),
    ("symbol with a dash", enum("a-b"), "AVRO_SYMBOL_INVALID"),
    ("symbol with a dot", enum("a.b"), "AVRO_SYMBOL_INVALID"),
    ("symbol is empty", enum(""), "AVRO_SYMBOL_INVALID"),
    ("symbol in unicode", enum("É"), "AVRO_SYMBOL_INVALID"),
    ("symbol twice", enum("A", "A"), "AVRO_SYMBOL_REPEATED"),
    ("2,001 symbols", enum(*(f"S{i}" for i in range(2001))), "AVRO_LIMIT"),
    ("enum default", enum("A", "B", default="B"), None),
    ("enum default is no symbol", enum("A", default="B"), "AVRO_ENUM_DEFAULT_INVALID"),
    ("enum default is a number", enum("A", default=0), "AVRO_ENUM_DEFAULT_INVALID"),
    ("fixed", F2, None),
    ("fixed of nothing", fixed(0), None),
    ("size missing", {"type": "fixed", "name": "F"}, "AVRO_SIZE_INVALID"),
    ("size negative", fixed(-1), "AVRO_SIZE_INVALID"),
    ("size is a float", fixed(2.0), "AVRO_SIZE_INVALID"),
    ("size is a string", fixed("2"), "AVRO_SIZE_INVALID"),
    ("size is true", fixed(True), "AVRO_SIZE_INVALID"),
    ("size of 2^40", fixed(2**40), "AVRO_LIMIT"),
    ("union", ["null", "int", "string"], None),
    ("empty union (silent; a type without values)", [], None),
    ("union of one", ["int"], None),
    ("union in a union", ["null", ["int"]], "AVRO_UNION_NESTED"),
    ("primitive twice", ["int", "int"], "AVRO_UNION_REPEATED"),
    ("primitive twice, once as an object", ["int", {"type": "int"}], "AVRO_UNION_REPEATED"),
    ("two logical types of one primitive",
     [{"type": "int", "logicalType": "date"}, {"type": "int", "logicalType": "time-millis"}], "AVRO_UNION_REPEATED"),
    ("two arrays", [{"type": "array", "items": "int"}, {"type": "array", "items": "long"}], "AVRO_UNION_REPEATED"),
    ("two maps", [{"type": "map", "values": "int"}, {"type": "map", "values": "long"}], "AVRO_UNION_REPEATED"),
    ("a named type twice", record(field(E1), {"name": "g", "type": ["E", "E"]}), "AVRO_UNION_REPEATED"),
    ("two named types of one kind", [record(name="A"), record(name="B"), E1, F2], None),
    ("unknown branch", ["null", "banana"], "AVRO_TYPE_UNKNOWN"),
]  # fmt: skip

DEFAULTS: list[Row] = [
    ("null", default("null", None), None),
    ("null is 0", default("null", 0), "AVRO_DEFAULT_INVALID"),
    ("boolean", default("boolean", True), None),
    ("boolean is 1", default("boolean", 1), "AVRO_DEFAULT_INVALID"),
    ("boolean is a string", default("boolean", "true"), "AVRO_DEFAULT_INVALID"),
    ("int", default("int", -(2**31)), None),
    ("int is true", default("int", True), "AVRO_DEFAULT_INVALID"),
    ("int is 1.0", default("int", 1.0), "AVRO_DEFAULT_INVALID"),
    ("int is a string", default("int", "1"), "AVRO_DEFAULT_INVALID"),
    ("int is null", default("int", None), "AVRO_DEFAULT_INVALID"),
    ("int beyond 32 bits", default("int", 2**31), "AVRO_DEFAULT_INVALID"),
    ("long", default("long", 2**63 - 1), None),
    ("long beyond 64 bits", default("long", 2**63), "AVRO_DEFAULT_INVALID"),
    ("float", default("float", 1.5), None),
    ("float is an integer", default("float", 1), None),
    ("float is a string", default("float", "1.5"), "AVRO_DEFAULT_INVALID"),
    ("float beyond its range", default("float", 1e300), "AVRO_DEFAULT_INVALID"),
    ("double is an integer", default({"type": "double"}, 1), None),
    ("double is false", default("double", False), "AVRO_DEFAULT_INVALID"),
    ("bytes", default("bytes", "\u00ff\u0000"), None),
    ("bytes beyond U+00FF", default("bytes", "\u0100"), "AVRO_DEFAULT_INVALID"),
    ("bytes is a list", default("bytes", [1]), "AVRO_DEFAULT_INVALID"),
    ("string", default("string", "é"), None),
    ("string is a number", default("string", 1), "AVRO_DEFAULT_INVALID"),
    ("enum", default(E1, "A"), None),
    ("enum is no symbol", default(E1, "C"), "AVRO_DEFAULT_INVALID"),
    ("enum is no symbol, though the enum has a default", default(enum("A", default="A"), "C"), "AVRO_DEFAULT_INVALID"),
    ("fixed", default(F2, "\u0000\u00ff"), None),
    ("fixed of a wrong length", default(F2, "abc"), "AVRO_DEFAULT_INVALID"),
    ("array", default({"type": "array", "items": "int"}, [1, 2]), None),
    ("array with a bad item", default({"type": "array", "items": "int"}, [1, "2"]), "AVRO_DEFAULT_INVALID"),
    ("array is an object", default({"type": "array", "items": "int"}, {}), "AVRO_DEFAULT_INVALID"),
    ("map", default({"type": "map", "values": "int"}, {"a": 1}), None),
    ("map with a bad value", default({"type": "map", "values": "int"}, {"a": None}), "AVRO_DEFAULT_INVALID"),
    ("map is an array", default({"type": "map", "values": "int"}, []), "AVRO_DEFAULT_INVALID"),
    ("record", default(INNER, {"f": 1, "g": "y"}), None),
    ("record without a member that has a default", default(INNER, {"f": 1}), None),
    ("record without a member that has none", default(INNER, {"g": "y"}), "AVRO_DEFAULT_INVALID"),
    ("record with a bad member", default(INNER, {"f": "1"}), "AVRO_DEFAULT_INVALID"),
    ("record with an undeclared member (silent; a warning)", default(INNER, {"f": 1, "h": 2}), None),
    ("union, first branch", default(["null", "int"], None), None),
    ("union, second branch (since 1.12)", default(["null", "int"], 5), None),
    ("union, no branch", default(["null", "int"], "x"), "AVRO_DEFAULT_INVALID"),
    ("named type by reference, good", record(field(E1), {"name": "g", "type": "E", "default": "B"}), None),
    ("named type by reference, bad", record(field(E1), {"name": "g", "type": "E", "default": "C"}), "AVRO_DEFAULT_INVALID"),
    ("recursive type", record(field(["null", "R"], default={"f": {"f": None}})), None),
    ("recursive type, bad inside", record(field(["null", "R"], default={"f": {"f": 5}})), "AVRO_DEFAULT_INVALID"),
]  # fmt: skip

LOGICAL: list[Row] = [
    ("decimal", decimal(4, 2), None),
    ("decimal without precision is ignored", {"type": "bytes", "logicalType": "decimal"}, None),
    ("decimal with scale over precision is ignored", decimal(2, 3), None),
    ("decimal with a negative scale is ignored", decimal(2, -1), None),
    ("decimal with a string as precision is ignored", decimal("2"), None),
    ("decimal too big for its fixed is ignored", fixed(2, logicalType="decimal", precision=9), None),
    ("decimal on a string is ignored", decimal(2, 0, "string"), None),
    ("unknown logical type is ignored", {"type": "int", "logicalType": "fortnight"}, None),
    ("logicalType is a number and ignored", {"type": "int", "logicalType": 5}, None),
    ("uuid on a fixed of 16", fixed(16, logicalType="uuid"), None),
    ("duration on a fixed of 11 is ignored", fixed(11, logicalType="duration"), None),
]  # fmt: skip

BATTERY: list[Row] = [
    *TEXTS, *TYPES, *NAMES, *FIELDS, *SHAPES, *((f"default {name}", *rest) for name, *rest in DEFAULTS), *LOGICAL,
]  # fmt: skip


def encode(name: str, schema: Any) -> bytes:
    """The bytes of a row: the rows of TEXTS are text already."""
    is_text = any(name == row[0] for row in TEXTS)
    return schema.encode() if is_text else json.dumps(schema).encode()
