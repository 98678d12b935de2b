"""What may be registered as a JSON Schema, and what each refusal says."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from llm_schema_engines.formats.json_schema import JsonSchemaEngine, JsonSchemaLimits
from llm_schema_registry_server.errors import InvalidSchema, SchemaIssue

from .build import ENGINE, reference, source


def issues(
    schema: Any, *references: Any, engine: JsonSchemaEngine = ENGINE, **options: str
) -> tuple[SchemaIssue, ...]:
    with pytest.raises(InvalidSchema) as caught:
        engine.parse(source(schema, *references, **options))
    return caught.value.issues


@pytest.mark.parametrize(
    ("content", "rule", "place"),
    [
        (b"", "json/syntax", (1, 1)),
        (b"   \n", "json/syntax", (1, 1)),
        (b'{"type": ', "json/syntax", (1, 10)),
        (b'{"a": 1,}', "json/syntax", (1, 9)),
        (b'{"type": "string"} x', "json/syntax", (1, 20)),
        (b"\xef\xbb\xbf{}", "json/bom", (1, 1)),
        (b'{"title": "\n\xff"}', "json/utf-8", (2, 1)),
        (b'{"minimum": NaN}', "json/number", (0, 0)),
        (b'{"minimum": -Infinity}', "json/number", (0, 0)),
        (b'{"maximum": 1e99999999999}', "json/number", (0, 0)),
        (b'{"maximum": ' + b"9" * 5000 + b"}", "json/number", (0, 0)),
        (b'{"title": "\\ud800"}', "json/surrogate", (0, 0)),
        (b"[" * 100_000, "json/depth", (0, 0)),
        (b'{"a":' * 500 + b"1" + b"}" * 500, "json/depth", (0, 0)),
        (b'{"properties": {"a": {},\n  "a": {}}}', "json/duplicate-key", (2, 3)),
        (b'"string"', "json/metaschema", (0, 0)),
        (b"[]", "json/metaschema", (0, 0)),
        (b"null", "json/metaschema", (0, 0)),
    ],
)
def test_text_that_is_not_an_acceptable_document_is_refused_with_its_place(
    content: bytes, rule: str, place: tuple[int, int]
) -> None:
    (issue,) = issues(content)

    assert (issue.rule, (issue.line, issue.column)) == (rule, place)


def test_a_duplicate_key_is_named_by_pointer() -> None:
    (issue,) = issues(b'{"$defs": {"a/b": {"x": 1, "y": [{"k": 1, "k": 2}]}}}')

    assert issue.pointer == "/$defs/a~1b/y/0/k"


def test_every_fault_against_the_metaschema_is_listed_with_pointer_line_and_column() -> None:
    found = issues(b'{"type": "strin",\n "properties": {"a": {"minimum": "1"},\n  "b": {"required": "x"}}}')

    assert {(i.pointer, i.line, i.column) for i in found} == {
        ("/type", 1, 10),
        ("/properties/a/minimum", 2, 34),
        ("/properties/b/required", 3, 21),
    }


@pytest.mark.parametrize(
    "uri",
    [
        "http://json-schema.org/draft-03/schema#",
        "http://json-schema.org/hyper-schema#",
        "https://example.com/my-metaschema",
        "draft-99",
    ],
)
def test_a_dialect_that_is_not_on_the_list_is_refused_with_the_list(uri: str) -> None:
    (issue,) = issues({"$schema": uri})

    assert issue.rule == "json/dialect"
    assert "draft-07" in issue.message


@pytest.mark.parametrize(
    ("declared", "default", "uri"),
    [
        ("http://json-schema.org/draft-07/schema#", "", "http://json-schema.org/draft-07/schema#"),
        ("http://json-schema.org/draft-04/schema#", "", "http://json-schema.org/draft-04/schema#"),
        ("http://json-schema.org/draft-06/schema", "", "http://json-schema.org/draft-06/schema#"),
        ("http://json-schema.org/schema#", "draft-07", "https://json-schema.org/draft/2020-12/schema"),
        ("http://json-schema.org/draft-07/schema/", "", "http://json-schema.org/draft-07/schema#"),
        (None, "draft-04", "http://json-schema.org/draft-04/schema#"),
        ("https://json-schema.org/draft-07/schema", "2020-12", "http://json-schema.org/draft-07/schema#"),
        ("http://json-schema.org/draft/2019-09/schema#", "", "https://json-schema.org/draft/2019-09/schema"),
        (None, "draft-07", "http://json-schema.org/draft-07/schema#"),
        (None, "", "https://json-schema.org/draft/2020-12/schema"),
    ],
)
def test_the_dialect_in_force_is_recorded(declared: str | None, default: str, uri: str) -> None:
    schema = {} if declared is None else {"$schema": declared}

    assert ENGINE.parse(source(schema, dialect=default)).options["dialect"] == uri


@pytest.mark.parametrize(
    "target",
    [
        "#/$defs/missing",
        "#missing",
        "other.json",
        "http://127.0.0.1:9/schema.json",
        "file:///etc/passwd",
        "https://example.com/x.json#/a",
        "urn:example:x",
    ],
)
def test_a_reference_out_of_the_closed_world_is_refused_and_never_fetched(target: str) -> None:
    (issue,) = issues({"properties": {"a": {"$ref": target}}})

    assert (issue.rule, issue.pointer) == ("json/reference", "/properties/a/$ref")


def test_references_resolve_by_name_by_id_and_through_each_other() -> None:
    street = reference("street.json", {"$id": "https://example.com/street", "type": "string"})
    address = reference(
        "https://example.com/address.json", {"properties": {"street": {"$ref": "street.json"}}}, street
    )
    schema = {
        "properties": {
            "home": {"$ref": "https://example.com/address.json"},
            "street": {"$ref": "https://example.com/street"},
        }
    }

    parsed = ENGINE.parse(source(schema, address))

    validator = ENGINE.compile_validator(source(schema, address))
    assert parsed.dependencies == ("https://example.com/address.json",)
    assert not validator.validate(b'{"home": {"street": 1}}').valid
    assert not validator.validate(b'{"street": 1}').valid
    assert validator.validate(b'{"home": {"street": "x"}, "street": "y"}').valid


def test_unused_references_are_no_dependencies() -> None:
    assert ENGINE.parse(source({"type": "string"}, reference("a.json", {}))).dependencies == ()


def test_two_references_that_mean_different_schemas_at_one_address_are_refused() -> None:
    found = issues(
        {"$ref": "a.json"}, reference("a.json", {"type": "string"}), reference("a.json", {"type": "number"})
    )

    assert found[0].rule == "json/identifier"


TWO = ({"type": "string"}, {"type": "integer"})


@pytest.mark.parametrize(
    ("schema", "pointer"),
    [
        ({"$defs": {"a": {"$anchor": "x", **TWO[0]}, "b": {"$anchor": "x", **TWO[1]}}}, "/$defs/b"),
        ({"$defs": {"a": {"$dynamicAnchor": "x", **TWO[0]}, "b": {"$anchor": "x", **TWO[1]}}}, "/$defs/b"),
        ({"$defs": {"a": {"$anchor": "x", "const": 1}, "b": {"$anchor": "x", "const": True}}}, "/$defs/b"),
        ({"$defs": {"a": {"$id": "x", **TWO[0]}, "b": {"allOf": [{"$id": "x", **TWO[1]}]}}}, "/$defs/b/allOf/0"),
        ({"$id": "http://e.com/x", "$defs": {"b": {"$id": "x", **TWO[1]}}}, "/$defs/b"),
        ({"$schema": "http://json-schema.org/draft-07/schema#",
          "definitions": {"a": {"$id": "#n", **TWO[0]}, "b": {"$id": "#n", **TWO[1]}}}, "/definitions/b"),
        ({"$schema": "http://json-schema.org/draft-04/schema#",
          "definitions": {"a": {"id": "#n", **TWO[0]}, "b": {"id": "#n", **TWO[1]}}}, "/definitions/b"),
        ({"$id": "http://json-schema.org/draft-07/schema", "type": "string"}, ""),
        ({"$id": "HTTP://JSON-schema.org:80/draft-07/%73chema", "type": "string"}, ""),
        ({"$id": "http://e.com", "$defs": {"a": {"$id": "/x", **TWO[0]}, "b": {"$id": "HTTP://E.com:80/%78", **TWO[1]}}}, "/$defs/b"),
    ],
)  # fmt: skip
def test_one_identifier_with_two_meanings_is_refused_with_both_places(schema: Any, pointer: str) -> None:
    (issue,) = issues(schema)

    assert (issue.rule, issue.pointer) == ("json/identifier", pointer)


def test_equal_schemas_may_share_an_identifier() -> None:
    held = {"$id": "http://e.com/x", "type": "string"}

    assert ENGINE.parse(source({"$defs": {"a": held, "b": held}, "$ref": "http://e.com/x"}))
    assert ENGINE.parse(source({"$defs": {"a": held}, "$ref": "x"}, reference("x", held)))
    other = {"$defs": {"a": {"$id": "http://e.com/y", "$anchor": "x"}, "b": {"$anchor": "x", "type": "null"}}}
    assert ENGINE.parse(source(other))


def test_two_versions_of_one_schema_under_two_references_are_refused() -> None:
    one = reference("common@1", {"$id": "http://e.com/common", "type": "string"})
    other = reference("common@2", {"$id": "http://e.com/common", "type": "integer"})
    left = reference("left", {"$ref": "common@1"}, one)
    right = reference("right", {"$ref": "common@2"}, other)
    schema = {"properties": {"l": {"$ref": "left"}, "r": {"$ref": "right"}}}

    (issue,) = issues(schema, left, right)

    assert issue.rule == "json/identifier"
    assert "'left'" in issue.message
    assert "'right'" in issue.message


@pytest.mark.parametrize("schema", [{"$ref": "#"}, {"allOf": [{"anyOf": [{"$ref": "#"}]}]}])
def test_a_schema_that_refers_to_itself_without_consuming_data_is_refused(schema: Any) -> None:
    assert issues(schema)[0].rule == "json/reference-loop"


def test_recursion_through_data_is_fine() -> None:
    ENGINE.parse(source({"properties": {"child": {"$ref": "#"}}}))


def bomb(levels: int) -> dict[str, Any]:
    defs: dict[str, Any] = {
        f"t{i}": {"allOf": [{"$ref": f"#/$defs/t{i + 1}"}, {"$ref": f"#/$defs/t{i + 1}"}]}
        for i in range(levels)
    }
    return {"$ref": "#/$defs/t0", "$defs": {**defs, f"t{levels}": {"type": "string"}}}


def test_a_reference_bomb_is_refused_by_counting() -> None:
    assert issues(bomb(25))[0].rule == "json/evaluation-paths"


def test_a_long_chain_of_references_is_refused() -> None:
    chain = {f"t{i}": {"$ref": f"#/$defs/t{i + 1}"} for i in range(4000)}

    assert issues({"$ref": "#/$defs/t0", "$defs": {**chain, "t4000": {}}})[0].rule == "json/reference-chain"


@pytest.mark.parametrize(
    ("pattern", "word"),
    [
        ("(", "not a regular expression"),
        ("a\\", "not a regular expression"),
        ("[a\\", "not a regular expression"),
        (r"(a)\1", "back-reference"),
        ("(?<=a)b", "look-around"),
        (r"((a{100}){100}){100}", "more than 200000 states"),
        ("a" * 2000, "limit is 1000"),
    ],
)
def test_a_pattern_without_a_linear_time_bound_is_refused_where_it_stands(pattern: str, word: str) -> None:
    found = issues({"properties": {"a": {"patternProperties": {pattern: {}}}}})

    assert len(found) == 1
    assert word in found[0].message
    assert found[0].pointer.startswith("/properties/a/patternProperties/")


def test_many_patterns_that_compile_to_much_are_refused_before_they_are_compiled() -> None:
    schema = {"anyOf": [{"pattern": f"^.{{1,{1500 + i}}}$"} for i in range(200)]}

    (issue,) = issues(schema)

    assert issue.rule == "json/pattern-weight"
    assert issue.pointer.startswith("/anyOf/1")


def test_a_pattern_that_engines_read_differently_is_a_warning() -> None:
    (warning,) = ENGINE.parse(source({"pattern": r"^\<a\>$"})).warnings

    assert (warning.rule, warning.pointer) == ("json/pattern-portability", "/pattern")


@pytest.mark.parametrize(
    ("pattern", "word"),
    [
        (r"\<a", "word boundaries"),
        (r"a\z", "anchors"),
        (r"\bé", "beyond ASCII"),
        (r"\Ba", "beyond ASCII"),
        ("(?i)a", "flag"),
        ("(?i:a)", "flag"),
        ("(?P<n>a)", "(?<name>"),
        ("[]a]", "first in brackets"),
        ("[^]a]", "first in brackets"),
        (r"\x{41}", r"\u{...}"),
        (r"\pL", r"\p{L}"),
        (r"[\PL]", r"\p{L}"),
        ("a**", "after a quantifier"),
        ("a{2}{3}", "after a quantifier"),
        ("a???", "after a quantifier"),
    ],
)
def test_what_ecma_262_reads_otherwise_is_warned_about(pattern: str, word: str) -> None:
    (warning,) = ENGINE.parse(source({"pattern": pattern})).warnings

    assert word in warning.message


@pytest.mark.parametrize(
    "pattern",
    ["a+", r"\++", "[a++]", "[*+]+", "(?:a?)+", r"[\-<>]", r"\\<", "(?<n>a)", "[[:alpha:]]", "[a&&b]"],
)
def test_what_ecma_262_reads_alike_is_not_warned_about(pattern: str) -> None:
    found = [w.message for w in ENGINE.parse(source({"pattern": pattern})).warnings]

    assert found == []


@pytest.mark.parametrize("pattern", ["a++b", "a*+", "a?+", "(a{2}+)", "[a]++"])
def test_a_quantifier_of_a_quantifier_is_refused(pattern: str) -> None:
    (issue,) = issues({"pattern": pattern})

    assert issue.rule == "json/pattern"
    assert "ECMA-262" in issue.message


@pytest.mark.parametrize(
    ("limits", "schema", "rule"),
    [
        ({"schema_bytes": 10}, {"type": "string"}, "json/size"),
        ({"schema_nodes": 5}, {"enum": [1, 2, 3, 4, 5]}, "json/nodes"),
        ({"keywords_per_object": 2}, {"a": 1, "b": 2, "c": 3}, "json/keywords"),
        ({"patterns": 1}, {"patternProperties": {"a": {}, "b": {}}}, "json/patterns"),
        (
            {"references_in_schema": 1},
            {"$defs": {"x": {}}, "items": {"$ref": "#/$defs/x"}, "contains": {"$ref": "#/$defs/x"}},
            "json/references",
        ),
    ],
)
def test_every_limit_is_enforced_and_named(limits: dict[str, int], schema: Any, rule: str) -> None:
    engine = JsonSchemaEngine(replace(JsonSchemaLimits(), **limits))

    (issue,) = issues(schema, engine=engine)

    assert issue.rule == rule
    assert str(next(iter(limits.values()))) in issue.message


def test_an_unknown_format_policy_is_refused() -> None:
    assert issues({}, format_policy="SOMETIMES")[0].rule == "json/format-policy"


def test_stored_schemas_are_read_even_when_todays_rules_would_refuse_them() -> None:
    schema = {"$ref": "gone.json", "properties": {"a": {"pattern": "(?<=x)y"}}}

    parsed = ENGINE.parse(source(schema), strict=False)

    assert parsed.names == ("a",)


def test_names_for_search_are_properties_definitions_and_titles_once_each() -> None:
    schema = {
        "title": "Order",
        "properties": {"id": {}, "lines": {"items": {"properties": {"id": {}, "sku": {"title": "SKU"}}}}},
        "$defs": {"money": {}},
    }

    assert set(ENGINE.parse(source(schema)).names) == {"Order", "id", "lines", "sku", "SKU", "money"}


def test_issues_survive_the_way_between_processes() -> None:
    import pickle

    with pytest.raises(InvalidSchema) as caught:
        ENGINE.parse(source({"type": 1}))

    assert pickle.loads(pickle.dumps(caught.value)).issues == caught.value.issues


def test_at_most_a_hundred_issues_are_listed() -> None:
    schema = {"properties": {f"p{i}": {"minimum": "x"} for i in range(300)}}

    assert len(issues(json.dumps(schema).encode())) == 100
