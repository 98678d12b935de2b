"""Every lint rule finds what it is for, where it is, and nothing in what is right."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest

import llm_schema_engines as engines
from llm_schema_engines import LINT_RULES, LintReport, Severity
from llm_schema_engines.linter import subschema
from llm_schema_engines.protoc.in_process import InProcessProtoc
from tests.api.server import ROOT

D7, D19 = "http://json-schema.org/draft-07/schema#", "https://json-schema.org/draft/2019-09/schema"


def _record(*fields: str, name: str = "a.b.R", **more: Any) -> str:
    return json.dumps({"type": "record", "name": name, "fields": [json.loads(f) for f in fields], **more})


def _proto(body: str, package: str = "shop.v1", syntax: str = "proto3") -> str:
    return f'syntax = "{syntax}"; ' + (f"package {package}; " if package else "") + body


FIELD = '{"name": "x", "type": "int"}'
E3 = "{ E_UNSPECIFIED = 0; E_A = 1; }"
CASES: dict[str, tuple[list[tuple[str, list[str]]], list[str]]] = {
    "json/unsatisfiable": (
        [
            ('{"type": "string", "enum": [1]}', [""]),
            ('{"allOf": [{"type": "string"}, {"type": "integer"}]}', [""]),
            ('{"type": "object", "required": ["a"], "properties": {"a": false}}', [""]),
        ],
        ["{}", "false", '{"type": "string"}', '{"not": {"type": "string"}}'],
    ),
    "json/word-of-openapi": (
        [('{"type": "string", "nullable": true}', ["/nullable"]), ('{"items": {"example": 1}}', ["/items/example"])],
        ['{"type": ["string", "null"], "examples": ["a"]}', '{"properties": {"nullable": true, "example": true}}'],
    ),
    "json/unknown-format": (
        [('{"format": "emial"}', ["/format"]), ('{"properties": {"a": {"format": "int32"}}}', ["/properties/a/format"])],
        ['{"format": "email"}', '{"format": "uuid"}', '{"properties": {"format": true}}'],
    ),
    "json/accepts-everything": (
        [('{"$defs": {"a": {"type": "string"}}}', [""])],
        ["{}", '{"$defs": {"a": {"type": "string"}}, "$ref": "#/$defs/a"}'],
    ),
    "json/unreachable-definition": (
        [('{"$ref": "#/$defs/a", "$defs": {"a": {"type": "string"}, "b": {"type": "null"}}}', ["/$defs/b"])],
        [
            '{"$ref": "#/$defs/a", "$defs": {"a": {"items": {"$ref": "#/$defs/b"}}, "b": {"type": "null"}}}',
            '{"$defs": {"a": true}}',
        ],
    ),
    "json/required-forbidden": (
        [('{"properties": {"a": true}, "required": ["a", "b"], "additionalProperties": false}', ["/required/1"])],
        [
            '{"properties": {"a": true}, "required": ["b"]}',
            '{"patternProperties": {"^b": true}, "required": ["b"], "additionalProperties": false}',
        ],
    ),
    "json/empty-range": (
        [
            ('{"minimum": 2, "maximum": 1.5}', ["/minimum"]),
            ('{"items": {"minLength": 3, "maxLength": 2}}', ["/items/minLength"]),
            ('{"required": ["a", "b"], "maxProperties": 1}', ["/maxProperties"]),
        ],
        ['{"minimum": 1, "maximum": 1.0}', '{"minLength": 2}', '{"required": ["a"], "maxProperties": 1}'],
    ),
    "json/misspelled-keyword": (
        [
            ('{"propertes": {"a": true}}', ["/propertes"]),
            ('{"properties": {"a": {"maxLenght": 3, "descripton": "x"}}}', ["/properties/a/maxLenght", "/properties/a/descripton"]),
        ],
        [
            '{"properties": {"propertes": true, "requird": true}}',
            '{"x-propertes": 1, "enumNames": ["a"], "unit": "ms", "example": 1, "nullable": true}',
            '{"default": {"propertes": 1}}',
        ],
    ),
    "json/keyword-of-other-dialect": (
        [
            (json.dumps({"$schema": D7, "prefixItems": [True]}), ["/prefixItems"]),
            (json.dumps({"$schema": D7, "unevaluatedProperties": False}), ["/unevaluatedProperties"]),
            ('{"additionalItems": false}', ["/additionalItems"]),
            ('{"divisibleBy": 3, "extends": {}, "disallow": ["null"]}', ["/divisibleBy", "/extends", "/disallow"]),
            (json.dumps({"$schema": D7, "items": {"divisibleBy": 3}}), ["/items/divisibleBy"]),
        ],
        ['{"prefixItems": [true], "definitions": {}, "dependencies": {}}', json.dumps({"$schema": D7, "$defs": {}})],
    ),
    "json/ref-siblings": (
        [(json.dumps({"$schema": D7, "items": {"$ref": "#", "maxLength": 3}}), ["/items/maxLength"])],
        [
            '{"items": {"$ref": "#", "maxLength": 3}}',
            json.dumps({"$schema": D7, "items": {"$ref": "#", "title": "T", "description": "d"}}),
        ],
    ),
    "json/keyword-never-applies": (
        [
            ('{"type": "string", "minimum": 1}', ["/minimum"]),
            ('{"type": ["array", "null"], "properties": {}}', ["/properties"]),
        ],
        [
            '{"type": "integer", "minimum": 1}',
            '{"type": ["string", "null"], "maxLength": 1}',
            '{"minimum": 1, "maxLength": 1}',
        ],
    ),
    "json/required-undeclared": (
        [('{"properties": {"name": true}, "required": ["nmae"]}', ["/required/0"])],
        [
            '{"required": ["a"]}',
            '{"properties": {"a": true}, "anyOf": [{"properties": {"b": true}, "required": ["a"]}]}',
            '{"properties": {"a": true}, "required": ["b"], "allOf": [{"properties": {"b": true}}]}',
            '{"properties": {"a": true}, "patternProperties": {"^b": true}, "required": ["b"]}',
        ],
    ),
    "json/value-of-other-type": (
        [
            ('{"type": "string", "enum": ["a", 1]}', ["/enum/1"]),
            ('{"properties": {"v": {"type": "integer", "const": 1.5}}}', ["/properties/v/const"]),
        ],
        ['{"type": ["string", "null"], "enum": ["a", null]}', '{"type": "integer", "const": 1.0}', '{"enum": [1, "a"]}'],
    ),
    "json/duplicate-enum": (
        [
            ('{"enum": ["a", "b", "a"]}', ["/enum/2"]),
            (json.dumps({"$schema": D7, "enum": [1, 1.0, {"a": [1]}, {"a": [1.0]}]}), ["/enum/1", "/enum/3"]),
        ],
        ['{"enum": [1, true, "1", 0, false, null, [], {}]}'],
    ),
    "json/invalid-default": (
        [('{"properties": {"n": {"type": "integer", "default": "1"}}}', ["/properties/n/default"])],
        [
            '{"properties": {"n": {"type": "integer", "default": 1}}}',
            '{"properties": {"n": {"$ref": "#/$defs/n", "default": 1}}, "$defs": {"n": {"type": "string"}}}',
        ],
    ),
    "json/invalid-example": (
        [('{"maximum": 5, "examples": [1, 9]}', ["/examples/1"])],
        ['{"maximum": 5, "examples": [1, 5]}', "{}"],
    ),
    "json/missing-dialect": (
        [('{"type": "string"}', [""])],
        [json.dumps({"$schema": D19, "items": {"type": "string"}}), "true"],
    ),
    "json/open-object": (
        [('{"properties": {"a": {"properties": {"b": true}}}}', ["", "/properties/a"])],
        [
            '{"properties": {"a": true}, "additionalProperties": true}',
            '{"type": "object"}',
            '{"properties": {"a": true}, "unevaluatedProperties": false, "allOf": [{"properties": {"b": true}}]}',
        ],
    ),
    "json/missing-description": (
        [('{"properties": {"a": {"type": "string"}, "b": {"description": "B"}}}', ["/properties/a"])],
        ['{"properties": {"a": {"description": "A"}, "b": {"$ref": "#"}, "c": true}}'],
    ),
    "avro/missing-namespace": (
        [(_record(FIELD, name="R"), [""])],
        [
            _record(FIELD),
            _record('{"name": "e", "type": {"type": "enum", "name": "E", "symbols": ["A"]}}', name="R", namespace="a.b"),
            '"string"',
        ],
    ),
    "avro/nullable-without-default": (
        [
            (_record('{"name": "x", "type": ["null", "int"]}'), ["/fields/0"]),
            (_record(FIELD, '{"name": "y", "type": ["int", "null"]}'), ["/fields/1"]),
        ],
        [_record('{"name": "x", "type": ["null", "int"], "default": null}'), _record('{"name": "x", "type": ["int", "string"]}'),
         _record('{"name": "x", "type": ["int", "null"], "default": 1}')],
    ),
    "avro/alias-of-itself": (
        [
            (_record('{"name": "x", "type": "int", "aliases": ["y", "x"]}'), ["/fields/0/aliases/1"]),
            (_record(FIELD, aliases=["a.b.R"]), ["/aliases/0"]),
            (_record(FIELD, aliases=["R"]), ["/aliases/0"]),
        ],
        [_record(FIELD, aliases=["a.c.R", "S"])],
    ),
    "avro/enum-without-default": (
        [('{"type": "enum", "name": "a.E", "symbols": ["A"]}', [""])],
        ['{"type": "enum", "name": "a.E", "symbols": ["A"], "default": "A"}'],
    ),
    "avro/field-without-default": (
        [(_record(FIELD), ["/fields/0"])],
        [_record('{"name": "x", "type": "int", "default": 1}')],
    ),
    "avro/missing-doc": (
        [(_record(FIELD), ["", "/fields/0"])],
        [_record('{"name": "x", "type": "int", "doc": "X"}', doc="R")],
    ),
    "PACKAGE_DEFINED": ([(_proto("message M {}", ""), [""])], [_proto("message M {}")]),
    "PACKAGE_LOWER_SNAKE_CASE": (
        [(_proto("message M {}", "shop.Orders"), ["shop.Orders"])],
        [_proto("message M {}", "shop_two.v1beta1"), _proto("message M {}", "")],
    ),
    "PACKAGE_VERSION_SUFFIX": (
        [(_proto("message M {}", "shop"), ["shop"])],
        [_proto("message M {}", p) for p in ("shop.v1", "shop.v2beta1", "shop.v1alpha", "")],
    ),
    "MESSAGE_PASCAL_CASE": (
        [(_proto("message Good { message bad_one {} }"), ["shop.v1.Good.bad_one"])],
        [_proto("message Good { map<string, int32> some_map = 1; } message HTTPCall {}")],
    ),
    "FIELD_LOWER_SNAKE_CASE": (
        [(_proto("message M { int32 badName = 1; int32 Worse = 2; }"), ["shop.v1.M.badName", "shop.v1.M.Worse"])],
        [_proto("message M { int32 good_name = 1; int32 v2 = 2; map<string, int32> counts = 3; }"),
         _proto("message M { optional group Part = 1 { optional int32 a = 1; } }", syntax="proto2")],
    ),
    "ONEOF_LOWER_SNAKE_CASE": (
        [(_proto("message M { oneof badOne { int32 a = 1; } }"), ["shop.v1.M.badOne"])],
        [_proto("message M { oneof good_one { int32 a = 1; } optional int32 b = 2; }")],
    ),
    "ENUM_PASCAL_CASE": (
        [(_proto("enum bad_enum { BAD_ENUM_UNSPECIFIED = 0; }"), ["shop.v1.bad_enum"])],
        [_proto(f"message M {{ enum E {E3} }}")],
    ),
    "ENUM_VALUE_UPPER_SNAKE_CASE": (
        [(_proto("enum E { E_UNSPECIFIED = 0; E_bad = 1; }"), ["shop.v1.E.E_bad"])],
        [_proto(f"enum E {E3}")],
    ),
    "ENUM_VALUE_PREFIX": (
        [(_proto("enum HttpStatus { HTTP_STATUS_UNSPECIFIED = 0; OK = 1; }"), ["shop.v1.HttpStatus.OK"])],
        [_proto("enum HTTPStatus { HTTP_STATUS_UNSPECIFIED = 0; HTTP_STATUS_OK = 1; }")],
    ),
    "ENUM_ZERO_VALUE_SUFFIX": (
        [(_proto("enum E { E_NONE = 0; }"), ["shop.v1.E.E_NONE"])],
        [_proto(f"enum E {E3}"), _proto("enum E { E_A = 1; }", syntax="proto2")],
    ),
    "ENUM_FIRST_VALUE_ZERO": (
        [(_proto("enum E { E_A = 1; E_UNSPECIFIED = 0; }", syntax="proto2"), ["shop.v1.E.E_A"])],
        [_proto(f"enum E {E3}")],
    ),
    "ENUM_NO_ALLOW_ALIAS": (
        [(_proto("enum E { option allow_alias = true; E_UNSPECIFIED = 0; E_A = 1; E_B = 1; }"), ["shop.v1.E"])],
        [_proto(f"enum E {E3}")],
    ),
    "SERVICE_PASCAL_CASE": (
        [(_proto("service order_service {}"), ["shop.v1.order_service"])],
        [_proto("service OrderService {}")],
    ),
    "SERVICE_SUFFIX": ([(_proto("service Orders {}"), ["shop.v1.Orders"])], [_proto("service OrderService {}")]),
    "RPC_PASCAL_CASE": (
        [(_proto("message M {} service S { rpc get_it(M) returns (M); }"), ["shop.v1.S.get_it"])],
        [_proto("message M {} service S { rpc GetIt(M) returns (M); }")],
    ),
}  # fmt: skip
RULES = {rule.id: rule for rule in LINT_RULES}


LOCAL = engines.LocalEngines(compiler=InProcessProtoc())  # nothing here is hostile


def lint(text: str, rule: str, **more: Any) -> LintReport:
    """What this rule alone finds."""
    kind = RULES[rule].schema_type
    return LOCAL.lint(text, schema_type=kind, enable=[rule], disable=set(RULES) - {rule}, **more)


def test_every_rule_has_cases() -> None:
    assert set(CASES) == set(RULES)
    assert len(RULES) == len(LINT_RULES)


@pytest.mark.parametrize("rule", CASES)
def test_a_rule_finds_what_it_is_for(rule: str) -> None:
    for text, pointers in CASES[rule][0]:
        found = [f for f in lint(text, rule).findings if f.rule == rule]
        assert sorted(f.pointer for f in found) == sorted(pointers), text
        assert all(f.message and f.hint and f.severity is RULES[rule].severity for f in found)
        assert rule.isupper() or all(f.line == 1 and f.column for f in found)


@pytest.mark.parametrize("rule", CASES)
def test_a_rule_leaves_alone_what_is_right(rule: str) -> None:
    for text in CASES[rule][1]:
        assert [f for f in lint(text, rule).findings if f.rule == rule] == [], text


def test_nothing_is_found_in_the_examples() -> None:
    suffix = {"JSON": "json", "AVRO": "avsc", "PROTOBUF": "proto"}
    cited = (ROOT / "examples" / "citation" / "v1.json").read_bytes()
    for entry in tomllib.loads((ROOT / "examples" / "catalogue.toml").read_text())["example"]:
        references = {r["name"]: cited for r in entry.get("references", ())}
        for number in (1, 2):
            file = ROOT / "examples" / entry["folder"] / f"v{number}.{suffix[entry['type']]}"
            report = LOCAL.lint(file.read_bytes(), schema_type=entry["type"], references=references)
            assert report.findings == (), file


def test_a_report_is_true_unless_something_is_a_warning_or_worse() -> None:
    assert LOCAL.lint('{"type": "string"}').findings[0].severity is Severity.INFO
    assert LOCAL.lint('{"type": "string"}')
    assert not LOCAL.lint('{"type": "string", "minimum": 1}')


def test_what_the_parser_warns_of_is_found_too() -> None:
    unused = 'syntax = "proto3"; package a.v1; import "google/protobuf/any.proto"; message M {}'

    assert [f.rule for f in LOCAL.lint(unused).findings] == ["IMPORT_UNUSED"]


def test_rules_are_chosen_by_id() -> None:
    assert LOCAL.lint('{"type": "string"}', disable=["json/missing-dialect"]).findings == ()
    assert {f.rule for f in LOCAL.lint(_record(FIELD), enable=["avro/missing-doc"]).findings} == {
        "avro/missing-doc"
    }
    with pytest.raises(
        ValueError, match="'json/misspeled-keyword' is no lint rule; 'json/misspelled-keyword' is one"
    ):
        LOCAL.lint("{}", disable=["json/misspeled-keyword"])
    with pytest.raises(
        TypeError, match=r"disable: several rule ids are expected, such as \['json/missing-dialect'\]"
    ):
        LOCAL.lint("{}", disable="json/missing-dialect")


def test_findings_come_in_the_order_of_the_text_and_are_bounded() -> None:
    properties = {f"p{n}": {"type": "string", "minimum": 1} for n in range(300)}
    report = LOCAL.lint(json.dumps({"$schema": D19, "properties": properties}))

    assert len(report.findings) == 200
    assert report.truncated
    assert [f.pointer for f in report.findings] == [f"/properties/p{n}/minimum" for n in range(200)]


def test_costly_questions_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    tried = subschema._ENGINE.compile_validator

    def counted(source: Any) -> Any:
        asked.append(len(source.content))
        return tried(source)

    monkeypatch.setattr(subschema._ENGINE, "compile_validator", counted)
    examples = {"examples": [[1]] * 2_000, "properties": {f"p{n}": {"type": "string"} for n in range(300)}}
    LOCAL.lint(json.dumps(examples))
    assert 0 < sum(asked) <= subschema.MOST_TRIED + subschema.MOST_BYTES  # the last one may go beyond

    words = {f"{chr(97 + n // 676)}{chr(97 + n // 26 % 26)}{chr(97 + n % 26)}qqq": 1 for n in range(4_900)}
    schema = {"properties": {"a": words, "b": {f"{w}z": 1 for w in words}, "c": {"propertes": {}}}}
    assert lint(
        json.dumps({"properties": {"a": words, "c": {"propertes": {}}}}), "json/misspelled-keyword"
    ).findings
    assert lint(json.dumps(schema), "json/misspelled-keyword").findings == ()


def test_lint_is_among_the_functions_of_the_package() -> None:
    assert engines.lint('{"$schema": "https://json-schema.org/draft/2020-12/schema"}').findings == ()
    assert isinstance(engines.lint(_proto("message M {}")), LintReport)


@pytest.mark.parametrize(
    "attribute",
    ['"fields": [{"name": "a"}]', '"fields": {"type": "record"}', '"fields": 7', '"items": {"type": "enum"}', '"values": [{"type": "fixed"}]',
     '"symbols": 1, "aliases": ["a"]', '"fields": [null, {"type": {"type": "record"}}]'],
)  # fmt: skip
@pytest.mark.parametrize(
    "schema",
    ['{"type": "string", %s}', '{"type": "record", "name": "R", "fields": [{"name": "a", "type": {"type": "int", %s}}]}',
     '{"type": "map", "values": ["null", {"type": "long", %s}]}', '["null", {"type": "fixed", "name": "F", "size": 1, %s}]'],
)  # fmt: skip
def test_an_attribute_that_looks_like_structure_is_none(schema: str, attribute: str) -> None:
    engines.parse(schema % attribute, schema_type="AVRO")

    assert all(
        "/fields/0/type/" not in f.pointer
        for f in engines.lint(schema % attribute, schema_type="AVRO").findings
    )
