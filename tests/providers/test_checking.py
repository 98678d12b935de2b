"""What a provider would do with a schema as it stands."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llm_schema_engines import Basis, Fit, InvalidRequest, Support, check_for, provider_profiles

CLOSED = {
    "type": "object",
    "properties": {"a": {"type": "string"}},
    "required": ["a"],
    "additionalProperties": False,
}


def found(schema: Any, profile: str, name: str = "") -> dict[tuple[str, str], Support]:
    report = check_for(json.dumps(schema), profile, name=name)[profile]
    return {(f.pointer, f.rule): f.support for f in report.findings}


def test_a_schema_of_the_subset_fits() -> None:
    reports = check_for(json.dumps(CLOSED), ["openai-strict", "anthropic-strict", "llguidance"])

    assert [report.fit for report in reports.values()] == [Fit.FITS, Fit.FITS, Fit.FITS]


@pytest.mark.parametrize(
    ("profile", "schema", "pointer", "rule", "support"),
    [
        ("openai-strict", {"type": "array", "items": {"type": "string"}}, "", "shape/root_any", Support.REJECTED),
        ("openai-strict", {**CLOSED, "anyOf": [{}]}, "/anyOf", "keyword/anyOf", Support.REJECTED),
        ("openai-strict", {**CLOSED, "required": []}, "/properties/a", "shape/optional_property", Support.REJECTED),
        ("openai-strict", {"type": "object"}, "", "shape/open_object", Support.REJECTED),
        ("openai-strict", {"type": "object", "properties": {"a": {}}}, "/properties/a", "shape/untyped", Support.REJECTED),
        ("openai-strict", {"type": "array"}, "", "shape/untyped_items", Support.REJECTED),
        ("openai-strict", {"properties": {"~/": {"not": {}}}}, "/properties/~0~1/not", "keyword/not", Support.REJECTED),
        ("anthropic-strict", {"properties": {"a": {"$ref": "#"}}}, "/properties/a/$ref", "shape/recursion", Support.REJECTED),
        ("anthropic-strict", {"type": "object", "additionalProperties": {"type": "string"}}, "/additionalProperties", "shape/typed_map", Support.REJECTED),
        ("anthropic", {"type": "object", "oneOf": [{}]}, "", "shape/root_union", Support.REJECTED),
        ("gemini-schema", {"type": ["string", "null"]}, "/type", "shape/type_list", Support.REJECTED),
        ("gemini-schema", {"minLength": 1, "type": "string"}, "/minLength", "keyword/minLength", Support.ACCEPTED),
        ("gemini-json-schema", {"$ref": "#/$defs/a", "description": "", "$defs": {"a": {"type": "string"}}}, "/$ref", "shape/reference_siblings", Support.REJECTED),
        ("llama-cpp", {"type": "object", "properties": {}}, "", "shape/open_object", Support.RESTRICTED),
        ("xgrammar", {"type": "array", "uniqueItems": True}, "/uniqueItems", "keyword/uniqueItems", Support.IGNORED),
        ("mistral", {"type": "string"}, "", "enforcement", Support.UNKNOWN),
        ("mcp-2026-07-28", {"type": "object"}, "", "enforcement", Support.ACCEPTED),
        ("mcp-2026-07-28", {"type": "array"}, "", "shape/root_any", Support.REJECTED),
        ("cohere", {"type": "object", "properties": {"a": {"type": "string"}}}, "", "shape/no_required", Support.REJECTED),
    ],
)  # fmt: skip
def test_a_finding_names_place_rule_and_consequence(
    profile: str, schema: Any, pointer: str, rule: str, support: Support
) -> None:
    assert found(schema, profile)[pointer, rule] is support


def test_a_finding_says_how_it_is_known_and_what_follows() -> None:
    report = check_for(json.dumps({**CLOSED, "not": {}}), "openai-strict")["openai-strict"]
    finding = next(f for f in report.findings if f.keyword == "not")

    assert finding.message == "`not` makes OpenAI refuse the whole request"
    assert (finding.basis, finding.as_of) == (Basis.DOCUMENTED, "2026-11-23")
    assert finding.source.startswith("OpenAI: Structured outputs")


def test_what_no_source_says_has_its_own_consequence() -> None:
    report = check_for(json.dumps({**CLOSED, "minProperties": 1}), "openai-strict")["openai-strict"]

    assert report.fit is Fit.UNKNOWN
    assert "no source says" in report.findings[0].message


def test_an_annotation_that_is_taken_is_no_loss() -> None:
    assert found({**CLOSED, "description": "x"}, "openai-strict") == {}


def test_a_reference_into_another_document_cannot_be_sent() -> None:
    other = {"other.json": '{"type": "string"}'}
    report = check_for('{"$ref": "other.json"}', "llguidance", references=other)["llguidance"]

    assert report.fit is Fit.REFUSED
    assert "compiled form" in report.findings[0].message


@pytest.mark.parametrize(
    ("profile", "schema", "measure", "used"),
    [
        ("anthropic-strict", {"properties": {str(n): {"type": "string"} for n in range(25)}}, "optional_parameters", 25),
        ("anthropic-strict", {"properties": {str(n): {"type": ["string", "null"]} for n in range(17)}}, "union_parameters", 17),
        ("openai-strict", {"enum": [f"{n:061d}" for n in range(251)]}, "long_enum_characters", 15311),
        ("openai-strict", {"enum": list(range(1001))}, "enum_values", 1001),
        ("cohere", {"properties": {str(n): {} for n in range(201)}}, "fields", 201),
        ("gemini-json-schema", {"properties": {str(n): {"maxItems": 500} for n in range(2)}}, "max_items_sum", 1000),
    ],
)  # fmt: skip
def test_a_limit_that_is_exceeded_refuses(profile: str, schema: Any, measure: str, used: int) -> None:
    report = check_for(json.dumps(schema), profile)[profile]
    budget = next(b for b in report.budgets if b.measure == measure)

    assert budget.used == used > budget.most
    assert f"limit/{measure}" in {f.rule for f in report.findings}
    assert report.fit is Fit.REFUSED


def test_nesting_is_counted_from_the_root_and_from_each_definition() -> None:
    deep: Any = {"type": "string"}
    for _ in range(9):
        deep = {"type": "object", "properties": {"properties": deep}}

    def nesting(schema: Any) -> int:
        report = check_for(json.dumps(schema), "openai-strict")["openai-strict"]
        return next(b.used for b in report.budgets if b.measure == "nesting")

    assert nesting(deep) == 10
    assert nesting({"properties": {"a": {"$ref": "#/$defs/x"}}, "$defs": {"x": deep}}) == 10


@pytest.mark.parametrize(
    ("profile", "name", "fits"),
    [
        ("openai-strict", "get_order", True),
        ("openai-strict", "orders.get", False),
        ("openai-strict", "x" * 65, False),
        ("mcp-2026-07-28", "orders.get", True),
        ("gemini-json-schema", "1st", False),
        ("cohere", "anything goes", True),
    ],
)
def test_the_name_of_a_tool_is_checked(profile: str, name: str, fits: bool) -> None:
    assert (("", "name/tool") not in found(CLOSED, profile, name)) is fits


def test_thousands_of_findings_are_cut_and_the_gravest_kept() -> None:
    schema = {"properties": {str(n): {"type": "string", "minLength": 1, "not": {}} for n in range(2000)}}
    report = check_for(json.dumps(schema), "openai-strict")["openai-strict"]

    assert report.truncated
    assert len(report.findings) == 500
    assert {f.support for f in report.findings} == {Support.REJECTED}


def test_only_json_schema_is_checked() -> None:
    with pytest.raises(InvalidRequest, match="convert it first"):
        check_for('{"type": "record", "name": "A", "fields": []}', "openai-strict")


def test_an_unknown_profile_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(InvalidRequest, match=r"no profile 'openai'; there are .*openai-strict"):
        check_for(json.dumps(CLOSED), "openai")


def test_all_profiles_may_be_asked_at_once() -> None:
    assert list(check_for(json.dumps(CLOSED), provider_profiles())) == list(provider_profiles())
