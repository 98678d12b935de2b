"""The quick proof: what it proves, and what it must not prove. It must never contradict the prover."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llm_schema_engines.formats.engine import SchemaSource
from llm_schema_engines.model.compatibility import (
    CompareOptions,
    Comparison,
    Verdict,
    WriterModel,
)

from .build import ENGINE, reference, source

YES = Comparison(Verdict.YES)
DIALECTS = ("draft-07", "2019-09", "2020-12")

NUMBER, TEXT, NULL = {"type": "number"}, {"type": "string"}, {"type": "null"}
TALLER = {"properties": {"a": {"maxLength": 2}}, "required": ["a"], "type": "object"}
A, B = "#/definitions/a", "#/definitions/b"
TALL = {"properties": {"a": {"maxLength": 1}}, "required": ["a", "b"], "type": "object"}

PLAIN: list[tuple[str, Any, Any]] = [
    ("everything reads anything", TEXT, True),
    ("an empty schema reads anything", TEXT, {}),
    ("nothing writes nothing", False, TEXT),
    ("no value has this type", {"type": "string", "enum": [1]}, {"type": "null", "minimum": 3}),
    ("integer is a number", {"type": "integer"}, NUMBER),
    ("more types", TEXT, {"type": ["null", "string"]}),
    ("integers among numbers", {"type": ["integer", "null"]}, {"type": ["number", "null"]}),
    ("the type of a constant", {"const": 1}, {"type": "integer"}),
    ("the type of a constant with a fraction of nothing", b'{"const": 1.0}', {"type": "integer"}),
    ("the types of values", {"enum": ["a", None]}, {"type": ["string", "null"]}),
    ("values without their type do not count", {"type": "string", "enum": ["a", None]}, TEXT),
    ("more values", {"enum": ["a", 1]}, {"enum": [1, "b", "a"]}),
    ("a constant among values", {"const": {"a": [1, None]}}, {"enum": [{"a": [1, None]}, 2]}),
    ("order of members", b'{"const": {"a": 1, "b": 2}}', b'{"const": {"b": 2, "a": 1}}'),
    ("numbers are equal by value", b'{"const": 1}', b'{"enum": [1.0]}'),
    ("exact numbers", b'{"const": 0.1}', b'{"enum": [0.10, 2]}'),
    ("large numbers", b'{"const": 123456789012345678901}', b'{"enum": [123456789012345678901]}'),
    ("lower minimum", {"minimum": 2}, {"minimum": 1}),
    ("a minimum above an excluded one", {"minimum": 2}, {"exclusiveMinimum": 1}),
    ("an excluded minimum at one that is not", {"exclusiveMinimum": 1}, {"minimum": 1}),
    ("the greater of two minimums", {"minimum": 1, "exclusiveMinimum": 5}, {"minimum": 5}),
    ("higher maximum", {"maximum": 1}, {"maximum": 2}),
    ("an excluded maximum at one that is not", {"exclusiveMaximum": 1}, {"maximum": 1}),
    ("bounds with fractions", b'{"maximum": 0.3}', b'{"maximum": 0.30000000000000001}'),
    ("bounds beyond the fast reader", b'{"maximum": 9007199254740993}', b'{"maximum": 9007199254740993.0}'),
    ("bounds are for numbers", TEXT, {"type": "string", "minimum": 5}),
    ("multiples", {"multipleOf": 6}, {"multipleOf": 3}),
    ("the same fractional step", b'{"multipleOf": 0.1, "type": "number"}', b'{"multipleOf": 0.1}'),
    ("shorter", {"minLength": 2, "maxLength": 3}, {"minLength": 1, "maxLength": 4}),
    ("no least length", {"maxLength": 3}, {"minLength": 0}),
    ("the same pattern", {"pattern": "^a", "maxLength": 3}, {"pattern": "^a"}),
    ("the same format", {"format": "date", "maxLength": 3}, {"format": "date"}),
    ("lengths are for texts", {"type": "integer"}, {"type": ["integer", "string"], "pattern": "^a"}),
    ("fewer items", {"minItems": 2, "maxItems": 3}, {"minItems": 1, "maxItems": 4}),
    ("wider items", {"items": {"maxLength": 1}}, {"items": {"maxLength": 2}}),
    ("any items", {"items": {"maxLength": 1}}, {"items": True}),
    ("unique is narrower", {"uniqueItems": True}, {"uniqueItems": False}),
    ("still unique", {"uniqueItems": True, "maxItems": 5}, {"uniqueItems": True}),
    ("one item is unique", {"maxItems": 1}, {"uniqueItems": True}),
    ("the same contents", {"contains": TEXT, "minItems": 2}, {"contains": TEXT}),
    ("less is required", {"required": ["a", "b"]}, {"required": ["b"]}),
    ("a wider property", TALL, TALLER),
    ("one more property, closed", {"properties": {"a": TEXT}, "additionalProperties": False},
     {"properties": {"a": TEXT, "b": TEXT}, "additionalProperties": False}),
    ("a closed object opens", {"properties": {"a": TEXT}, "additionalProperties": False}, {"type": ["null", "object", "string", "number", "array", "boolean"]}),
    ("a property dropped", {"properties": {"a": TEXT}}, {"properties": {}}),
    ("a property becomes additional", {"properties": {"a": {"maxLength": 1}}, "additionalProperties": {"maxLength": 2}},
     {"additionalProperties": {"maxLength": 2}}),
    ("additional becomes a property", {"additionalProperties": {"maxLength": 1}},
     {"properties": {"a": {"maxLength": 2}}, "additionalProperties": {"maxLength": 1}}),
    ("the same patterns of names", {"patternProperties": {"^x": TEXT}, "properties": {"a": {"maxLength": 1}}, "additionalProperties": False},
     {"patternProperties": {"^x": TEXT}, "properties": {"a": {"maxLength": 2}}, "additionalProperties": False}),
    ("patterns are dropped, and the object is open", {"patternProperties": {"^x": TEXT}}, {"properties": {}}),
    ("required names are properties", {"required": ["a", "b"]}, {"minProperties": 2}),
    ("more properties", {"maxProperties": 2, "minProperties": 1}, {"maxProperties": 3}),
    ("the same names", {"propertyNames": {"maxLength": 3}, "minProperties": 1}, {"propertyNames": {"maxLength": 3}}),
    ("the same needs", {"dependentRequired": {"a": ["b"]}, "required": ["c"]}, {"dependentRequired": {"a": ["b"]}}),
    ("the same exclusion", {"not": TEXT, "minimum": 3}, {"not": TEXT}),
    ("the same condition", {"if": TEXT, "then": {"minLength": 1}, "title": "x"}, {"if": TEXT, "then": {"minLength": 1}}),
    ("the writer's further demands", {"type": "string", "not": {"const": "a"}, "allOf": [{"minLength": 1}]}, TEXT),
    ("becomes nullable", TEXT, {"anyOf": [TEXT, NULL]}),
    ("a nullable grows", {"anyOf": [{"type": "string", "maxLength": 1}, NULL]}, {"anyOf": [TEXT, NULL]}),
    ("a union as a list of types", {"anyOf": [TEXT, NULL]}, {"type": ["string", "null"]}),
    ("a list of alternatives inside an object", {"properties": {"a": {"oneOf": [NULL, TEXT]}}}, {"properties": {"a": {"anyOf": [NULL, NUMBER, TEXT]}}}),
    ("exclusive by type", {"oneOf": [TEXT, NULL]}, {"oneOf": [TEXT, NULL, {"type": "object"}]}),
    ("exclusive by value", {"oneOf": [{"const": "a"}, {"const": "b"}]}, {"oneOf": [{"const": "b"}, {"const": "a"}, {"const": "c"}]}),
    ("the same alternatives", {"oneOf": [TEXT, {"minLength": 2}], "title": "x"}, {"oneOf": [TEXT, {"minLength": 2}]}),
    ("all of several", {"minLength": 3, "maxLength": 4}, {"allOf": [{"minLength": 2}, {"maxLength": 5}]}),
    ("annotations", {"title": "a", "default": 1.5, "type": "string"}, {"description": "b", "examples": [True], "x-order": 3, "type": "string"}),
    ("definitions that nobody uses", {"$defs": {"a": TEXT}, "type": "string"}, {"$defs": {"a": NULL}, "type": "string"}),
    ("an address of its own", {"$id": "https://a.co/1", "minimum": 3}, {"$id": "https://a.co/2", "minimum": 2}),
    ("wider names under a pattern", {"patternProperties": {"^x": {"maxLength": 1}}, "properties": {"xa": {"maxLength": 2}}},
     {"patternProperties": {"^x": {"maxLength": 2}}, "properties": {"xa": {"maxLength": 3}}}),
    ("more patterns of the writer's", {"patternProperties": {"^x": TEXT, "^y": NULL}}, {"patternProperties": {"^x": TEXT}}),
    ("a wider definition", {"properties": {"p": {"$ref": A}}, "definitions": {"a": {"maxLength": 1}}},
     {"properties": {"p": {"$ref": A}}, "definitions": {"a": {"maxLength": 2}}}),
    ("a definition written out", {"$ref": A, "title": "x", "definitions": {"a": {"items": {"$ref": B}}, "b": TEXT}}, {"items": TEXT}),
    ("a part becomes a definition", {"items": {"maxLength": 1}}, {"items": {"$ref": A}, "definitions": {"a": {"maxLength": 1}}}),
    ("beside a reference", {"items": {"$ref": A, "minimum": 3}, "definitions": {"a": TEXT}}, {"items": TEXT}),
    ("beside a reference, with parts of its own", {"items": {"$ref": A, "allOf": [{"minimum": 3}]}, "definitions": {"a": TEXT}}, {"items": TEXT}),
    ("a definition renamed", {"items": {"$ref": A}, "definitions": {"a": TEXT}}, {"items": {"$ref": B}, "definitions": {"b": TEXT}}),
    ("a reference as data", {"const": {"$ref": A}}, {"enum": [{"$ref": A}, 1]}),
    ("a part that always applies", {"allOf": [{"maxLength": 1}, {"type": "string"}]}, {"maxLength": 2}),
    ("a property named like a keyword", {"properties": {"type": TEXT, "enum": NULL}}, {"properties": {"type": TEXT}}),
]  # fmt: skip

BLIND: list[tuple[str, Any, Any]] = [
    ("true is not 1", {"const": True}, {"const": 1}),
    ("1 is not true", {"enum": [1]}, {"enum": [True, 2]}),
    ("false is not 0 inside", {"const": [0]}, {"const": [False]}),
    ("equal but for true and 1", {"properties": {"a": {"const": 1}}}, {"properties": {"a": {"const": True}}}),
    ("numbers that round alike", b'{"const": 9007199254740993}', b'{"const": 9007199254740992.0}'),
    ("fractions that round alike", b'{"const": 0.1}', b'{"const": 0.1000000000000000055}'),
    ("large integers that round alike", b'{"const": 123456789012345678901}', b'{"const": 123456789012345678902}'),
    ("bounds that round alike", b'{"maximum": 0.30000000000000001}', b'{"maximum": 0.3}'),
    ("a number is not an integer", NUMBER, {"type": "integer"}),
    ("a value with a fraction", {"const": 1.5}, {"type": "integer"}),
    ("anything is not a text", {}, TEXT),
    ("anything is not nothing", True, False),
    ("values are not checked against other keywords", {"enum": ["abc"]}, {"enum": ["abc"], "maxLength": 3}),
    ("all booleans are not two values", {"type": "boolean"}, {"enum": [True, False]}),
    ("both const and enum decide", {"const": 1}, {"const": 1, "enum": [2]}),
    ("a constant that is not the writer's, among values that are", {"const": 1}, {"const": 2, "enum": [1, 2]}),
    ("higher minimum", {"minimum": 1}, {"minimum": 2}),
    ("an excluded bound", {"minimum": 1}, {"exclusiveMinimum": 1}),
    ("an excluded upper bound", {"maximum": 1}, {"exclusiveMaximum": 1}),
    ("no bound", {"type": "integer"}, {"maximum": 10}),
    ("no multiple", {"multipleOf": 4}, {"multipleOf": 3}),
    ("fractional multiples need the prover", {"multipleOf": 0.1}, {"multipleOf": 0.01}),
    ("longer", {"maxLength": 4}, {"maxLength": 3}),
    ("another pattern", {"pattern": "^a$"}, {"pattern": "^a"}),
    ("unique", {"maxItems": 2}, {"uniqueItems": True}),
    ("narrower items", {"items": {"maxLength": 2}}, {"items": {"maxLength": 1}}),
    ("items of any kind", {}, {"items": TEXT}),
    ("contents with other counts", {"contains": TEXT, "minContains": 0}, {"contains": TEXT}),
    ("required", {"properties": {"a": TEXT}}, {"required": ["a"]}),
    ("a new optional property of an open object", {}, {"properties": {"a": TEXT}}),
    ("a name of the writer's meets additionalProperties", {"properties": {"a": NUMBER}, "additionalProperties": TEXT},
     {"additionalProperties": TEXT}),
    ("a name of the reader's meets the writer's additionalProperties", {"additionalProperties": NUMBER},
     {"properties": {"a": TEXT}}),
    ("an open object closes", {"properties": {"a": TEXT}}, {"properties": {"a": TEXT}, "additionalProperties": False}),
    ("patterns let names in", {"patternProperties": {"^x": NUMBER}, "additionalProperties": TEXT},
     {"additionalProperties": TEXT}),
    ("patterns let a named property in", {"patternProperties": {"^a": NUMBER}, "additionalProperties": False},
     {"patternProperties": {"^a": NUMBER}, "properties": {"ab": TEXT}, "additionalProperties": False}),
    ("a pattern of the reader's", {"properties": {"xa": NUMBER}}, {"patternProperties": {"^x": TEXT}}),
    ("fewer required names than demanded", {"required": ["a"]}, {"minProperties": 2}),
    ("a repeated name is one", {"properties": {"a": TEXT}, "minProperties": 1}, {"minProperties": 2}),
    ("unevaluated depends on the whole", {"items": {"unevaluatedItems": False}}, {"title": "x", "items": {"unevaluatedItems": False}}),
    ("unevaluated depends on its neighbours", {"properties": {"a": TEXT, "b": TEXT}, "unevaluatedProperties": False},
     {"properties": {"a": TEXT}, "unevaluatedProperties": False}),
    ("exclusion widens what it holds", {"not": {"minLength": 3}}, {"not": {"minLength": 2}}),
    ("then without its condition", {"then": TEXT, "if": {"minLength": 1}}, {"then": TEXT, "if": {"minLength": 2}}),
    ("alternatives that may both match", {"minLength": 3}, {"oneOf": [{"minLength": 3}, {"minLength": 2}]}),
    ("integers are numbers too", {"type": "integer"}, {"oneOf": [{"type": "integer"}, NUMBER]}),
    ("equal numbers in two alternatives", b'{"const": 1}', b'{"oneOf": [{"const": 1}, {"const": 1.0}]}'),
    ("a union loses a branch", {"anyOf": [TEXT, NULL]}, {"anyOf": [TEXT, NUMBER]}),
    ("keywords unknown to the reader's dialect", {}, {"frobnicate": True}),
    ("a pattern that lets more in", {"patternProperties": {"^x": TEXT}, "additionalProperties": False},
     {"patternProperties": {"^y": TEXT}, "additionalProperties": False}),
    ("a narrower pattern", {"patternProperties": {"^x": TEXT}}, {"patternProperties": {"^x": NULL}}),
    ("a pattern less, closed", {"patternProperties": {"^x": TEXT, "^y": NULL}, "additionalProperties": False},
     {"patternProperties": {"^x": TEXT}, "additionalProperties": False}),
    ("recursion", {"items": {"$ref": A}, "definitions": {"a": {"items": {"$ref": A}}}}, {"items": True, "title": "x", "uniqueItems": True}),
    ("the root itself", {"items": {"$ref": "#"}}, {"items": {"$ref": "#"}, "title": "x"}),
    ("a reference elsewhere", {"items": {"$ref": "https://a.co/b"}}, {"items": {"$ref": "https://a.co/b"}, "title": "x"}),
    ("a pointer with escapes", {"items": {"$ref": "#/definitions/a~1b"}, "definitions": {"a/b": TEXT}}, {"title": "x"}),
    ("a pointer into a definition", {"items": {"$ref": "#/definitions/a/items"}, "definitions": {"a/items": TEXT, "a": {"items": NULL}}},
     {"items": TEXT}),
    ("the same reference to other things", {"items": {"$ref": A}, "definitions": {"a": TEXT}}, {"items": {"$ref": A}, "definitions": {"a": NULL}}),
    ("a narrower definition inside another", {"items": {"$ref": B}, "definitions": {"a": {}, "b": {"items": {"$ref": A}}}},
     {"items": {"$ref": B}, "definitions": {"a": TEXT, "b": {"items": {"$ref": A}}}}),
    ("a reference", {"$ref": "#/$defs/a", "$defs": {"a": TEXT}}, {"$ref": "#/$defs/a", "$defs": {"a": NUMBER}}),
    ("a reference in disguise", b'{"$r\\u0065f": "#/$defs/x", "$defs": {"x": {"type": "string"}}}',
     b'{"$r\\u0065f": "#/$defs/x", "$defs": {"x": {"type": "null"}}}'),
    ("an anchor", {"$defs": {"a": {"$anchor": "a"}}}, {"title": "x"}),
    ("an address inside", {"properties": {"a": {"$id": "https://a.co/"}}}, {"title": "x"}),
    ("a dialect inside", {"properties": {"a": {"$schema": "http://json-schema.org/draft-07/schema#"}}}, {"title": "x"}),
    ("two dialects", {"$schema": "https://json-schema.org/draft/2019-09/schema"},
     {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "x"}),
    ("an unknown dialect", {"$schema": "https://example.com/"}, {"title": "x"}),
    ("not a schema", 3, {"title": "x"}),
    ("not JSON", b"{", {"title": "x"}),
]  # fmt: skip


def ask(
    writer: Any, reader: Any, *, options: CompareOptions | None = None, **schema_options: str
) -> Comparison | None:
    return ENGINE.quick_proof(
        source(reader, **schema_options), source(writer, **schema_options), options or CompareOptions()
    )


@pytest.mark.parametrize(("writer", "reader"), [row[1:] for row in PLAIN], ids=[row[0] for row in PLAIN])
@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("model", WriterModel)
def test_what_is_plain_is_what_the_prover_says(
    writer: Any, reader: Any, dialect: str, model: WriterModel
) -> None:
    options = CompareOptions(writer_model=model)
    sides = source(reader, dialect=dialect), source(writer, dialect=dialect)

    assert ENGINE.quick_proof(*sides, options) == ENGINE.compare(*sides, options) == YES


@pytest.mark.parametrize(("writer", "reader"), [row[1:] for row in BLIND], ids=[row[0] for row in BLIND])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_everything_else_is_left_to_the_prover(writer: Any, reader: Any, dialect: str) -> None:
    assert ask(writer, reader, dialect=dialect) is None


def test_lists_of_items_have_other_names_in_each_dialect() -> None:
    old, new = ({"items": [TEXT, NULL], "additionalItems": False, "maxItems": n} for n in (2, 3))
    fixed, fixed_wider = ({"prefixItems": [TEXT, NULL], "items": False, "maxItems": n} for n in (2, 3))

    assert ask(old, new, dialect="draft-07") == ask(old, new, dialect="2019-09") == YES
    assert ask(fixed, fixed_wider, dialect="2020-12") == YES
    assert ask(old, {**new, "additionalItems": NULL, "items": [TEXT]}, dialect="draft-07") is None
    assert ask({**old, "additionalItems": TEXT}, {**new, "additionalItems": NULL}, dialect="draft-07") is None
    assert ask({"items": TEXT}, {"items": [TEXT]}, dialect="draft-07") is None
    assert ask({"items": [TEXT], "additionalItems": NULL}, {"items": TEXT}, dialect="draft-07") is None
    assert ask({"prefixItems": [NULL], "items": TEXT}, {"items": TEXT}, dialect="2020-12") is None
    assert ask({"items": TEXT}, {"prefixItems": [NULL], "items": TEXT}, dialect="2020-12") is None


@pytest.mark.parametrize(
    ("dialect", "policy", "asserted"),
    [("draft-07", "DIALECT", True), ("2020-12", "DIALECT", False), ("2020-12", "ASSERT", True), ("draft-07", "IGNORE", False)],
)  # fmt: skip
def test_a_format_counts_where_it_is_asserted(dialect: str, policy: str, asserted: bool) -> None:
    answer = ask({"format": "date"}, {"format": "email"}, dialect=dialect, format_policy=policy)

    assert answer == (None if asserted else YES)


def test_the_same_text_under_two_policies_is_not_the_same() -> None:
    text = {"not": {"format": "email"}}
    asserting, ignoring = (source(text, format_policy=policy) for policy in ("ASSERT", "IGNORE"))

    assert ENGINE.quick_proof(ignoring, asserting, CompareOptions()) is None
    assert ENGINE.compare(ignoring, asserting, CompareOptions()).verdict is Verdict.NO


def test_content_keywords_count_in_draft_7_only() -> None:
    old, new = {"type": "string"}, {"type": "string", "contentEncoding": "base64"}

    assert ask(old, new, dialect="draft-07") is None
    assert ask(new, {**new, "title": "x"}, dialect="draft-07") == YES
    assert ask(old, new, dialect="2020-12") == YES


MALFORMED: list[dict[str, Any]] = [
    {"minLength": "3"}, {"type": "text"}, {"required": "a"}, {"enum": 1}, {"minimum": True}, {"properties": []},
    {"anyOf": {}}, {"items": 3}, {"title": 5}, {"$defs": {"a": {"type": 1}}}, {"uniqueItems": 1}, {"multipleOf": 0},
]  # fmt: skip


@pytest.mark.parametrize("broken", MALFORMED, ids=json.dumps)
def test_a_stored_schema_that_breaks_the_metaschema_has_no_answer(broken: dict[str, Any]) -> None:
    assert ask(broken, {"type": ["string", "null"]}) is None
    assert ask({"type": "string"}, {**broken, "$comment": "x"}) is None
    assert ask(broken, {**broken, "description": "x"}) is None


def test_defaults_are_for_the_prover_because_it_tells_of_them() -> None:
    assert ask(TEXT, TEXT, options=CompareOptions(apply_defaults=True)) is None


def test_schemas_that_use_others_have_no_answer() -> None:
    other = reference("r", {"type": "string"})
    using, plain = source({"title": "x"}, other), source({"title": "x"})

    assert ENGINE.quick_proof(using, plain, CompareOptions()) is None
    assert ENGINE.quick_proof(plain, using, CompareOptions()) is None


def nested(keyword: str, depth: int, leaf: Any) -> Any:
    for _ in range(depth):
        leaf = {keyword: leaf}
    return leaf


@pytest.mark.parametrize(("depth", "answer"), [(25, YES), (40, None), (400, None)])
def test_deep_nesting_has_no_answer(depth: int, answer: Comparison | None) -> None:
    old, new = nested("items", depth, {"maxLength": 1}), nested("items", depth, {"maxLength": 2})

    assert ask(old, new) == answer


def test_deep_values_have_no_answer() -> None:
    deep = b'{"const": ' + b"[" * 900 + b"]" * 900 + b"%s}"
    old, new = SchemaSource(deep % b""), SchemaSource(deep % b', "title": "x"')

    assert ENGINE.quick_proof(new, old, CompareOptions()) is None


def test_unions_in_unions_use_up_the_steps() -> None:
    def union(depth: int, length: int) -> Any:
        leaf: Any = {"maxLength": length}
        for i in range(depth):
            leaf = {"anyOf": [leaf, {"minLength": 5, "maxLength": 20 + i}]}
        return leaf

    assert ask(union(2, 1), union(2, 2)) == YES
    assert ask(union(12, 1), union(12, 0)) is None


def test_hostile_texts_have_no_answer() -> None:
    anything = SchemaSource(b"true")
    for content in (
        b"[" * 5_000,
        b'{"a":' * 3_000,
        b'{"const": ' + b"9" * 5_000 + b"}",
        b"\xff",
        b"",
        b"NaN",
    ):
        assert ENGINE.quick_proof(anything, SchemaSource(content), CompareOptions()) is None
