"""Requests to correct an answer: what they say, what they cost."""

from __future__ import annotations

import json

import pytest

from llm_schema_engines import DataReport, ReaskStyle, parse, reask, validate
from llm_schema_engines.answers.reask import estimated_tokens

SCHEMA = {
    "type": "object",
    "properties": {
        "category": {"enum": ["billing", "technical", "sales"]},
        "priority": {"type": "integer", "minimum": 1, "maximum": 5},
        "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}},
        "id": {"type": "string", "pattern": "^T-[0-9]+$"},
        "summary": {"type": "string"},
    },
    "required": ["category", "priority", "summary"],
    "$defs": {"tag": {"type": "string", "maxLength": 3}},
}
TEXT = json.dumps(SCHEMA)
ANSWER = '{"category": "Billing", "priority": 9, "tags": "a", "id": "T-x"}'
REPORT = validate(TEXT, ANSWER)


def test_five_errors_take_at_most_eighty_tokens() -> None:
    asked = reask(REPORT)

    assert asked.text.splitlines() == [
        "(root): summary is missing",
        '/category: one of ["billing","technical","sales"], not "Billing"',
        '/id: pattern ^T-[0-9]+$, not "T-x"',
        "/priority: maximum 5, not 9",
        '/tags: type array, not "a"',
    ]
    assert asked.tokens <= 80
    assert (asked.told, asked.left) == (5, 0)


def test_values_are_left_out_on_demand() -> None:
    secret = "Hunter2"
    answer = json.dumps({"category": secret, "priority": secret, "tags": [secret], "id": secret})
    report = validate(TEXT, answer)

    for style in ReaskStyle:
        asked = reask(report, style=style, document=answer, redact=True, tokens=1000)
        assert secret not in asked.text
        assert secret not in json.dumps(asked.payload)
        assert asked.told == len(report.errors) > 4
    assert secret in reask(report).text


@pytest.mark.parametrize("style", ReaskStyle)
@pytest.mark.parametrize("tokens", [16, 20, 33, 50, 77, 120])
def test_the_text_keeps_to_its_tokens_and_says_what_it_leaves_out(style: ReaskStyle, tokens: int) -> None:
    many = json.dumps({"category": "x" * 500, "priority": 9, "tags": ["long" * 9] * 30})
    asked = reask(validate(TEXT, many, max_errors=50), style=style, document=many, tokens=tokens)

    assert asked.tokens == estimated_tokens(asked.text) <= tokens
    assert asked.told >= 1
    assert asked.left == 33 - asked.told
    assert f"(+{asked.left} errors)" in asked.text


def test_a_report_that_is_cut_says_so() -> None:
    many = json.dumps({"tags": ["long" * 9] * 300})
    asked = reask(validate(TEXT, many, max_errors=5), tokens=500)

    assert asked.text.endswith("(more errors)")
    assert (asked.told, asked.left) == (5, -1)


def test_the_document_with_comments() -> None:
    answer = '{"category": "sales", "priority": 9, "tags": ["ok", "long"], "summary": ""}'
    asked = reask(validate(TEXT, answer), style=ReaskStyle.DOCUMENT, document=answer)

    assert asked.text.splitlines() == [
        "{",
        ' "priority": 9 // maximum 5, not 9',
        ' "tags": [',
        '  1: "long" // maxLength 3, not "long"',
        " ]",
        "}",
    ]


def test_forms_of_interfaces() -> None:
    text = reask(REPORT).text

    assert reask(REPORT, style="MCP").payload == {
        "content": [{"type": "text", "text": text}],
        "isError": True,
    }
    assert reask(REPORT, style="ANTHROPIC", call_id="c1").payload == {
        "type": "tool_result",
        "tool_use_id": "c1",
        "content": text,
        "is_error": True,
    }
    assert reask(REPORT, style="OPENAI", call_id="c1").payload == {
        "type": "function_call_output",
        "call_id": "c1",
        "output": text,
    }


def test_only_the_failing_schemas() -> None:
    answer = '{"category": "sales", "priority": 9, "tags": ["long"], "summary": ""}'
    asked = reask(validate(TEXT, answer), schema=parse(TEXT), subschemas=True)

    assert asked.text.splitlines()[2:] == [
        'schema of /priority: {"type":"integer","minimum":1,"maximum":5}',
        'schema of /tags/0: {"type":"string","maxLength":3}',
    ]
    tight = reask(validate(TEXT, answer), schema=parse(TEXT), subschemas=True, tokens=45)
    assert tight.tokens <= 45


def test_valid_data_asks_for_nothing_and_wrong_arguments_are_refused() -> None:
    assert reask(DataReport(True)).text == ""
    for wrong in ({"tokens": 15}, {"style": "DOCUMENT"}, {"subschemas": True}, {"style": "XML"}):
        with pytest.raises(ValueError):
            reask(REPORT, **wrong)  # type: ignore[arg-type]
