"""Numbers that no machine type holds, in schemas and in data of every type: an answer, never an error from inside."""

from __future__ import annotations

import json

import pytest

import llm_schema_engines as engines
from llm_schema_engines import InvalidSchema

NUMBERS = [
    "1e30",
    "-1e30",
    "1e400",
    "1e99999999999999999999",
    "-1E-99999999999999999999",
    "0e99999999999999999999",
    "0e99999",
    "0." + "1" * 390,
    "9" * 5000,
]
SCHEMAS = [
    '{"type": "integer", "multipleOf": 3}',
    '{"enum": [0]}',
    '"double"',
    '"long"',
    '["null", {"type": "array", "items": ["null", "int"]}]',
]
PROTO = (
    'syntax = "proto3"; message M { int32 a = 1; double b = 2; string c = 3; map<int64, int64> d = 4; E e = 5; '
    "uint64 f = 6; } enum E { A = 0; }"
)


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number[:24])
def test_data_with_an_extreme_number_is_valid_or_not(number: str) -> None:
    for schema in SCHEMAS:
        for payload in (number, f"[{number}]"):
            for strict in (False, True):
                assert isinstance(engines.validate(schema, payload, strict=strict).valid, bool)
    for field in "abcdef":
        for payload in (
            f'{{"{field}": {number}}}',
            f'{{"{field}": "{number}"}}',
            f'{{"d": {{"{number}": 1}}}}',
        ):
            assert isinstance(engines.validate(PROTO, payload).valid, bool)


@pytest.mark.parametrize("number", ["1e30", '"1e30"', '"1e400"', "1e99999999999999999999"])
def test_an_integer_out_of_range_is_an_invalid_value(number: str) -> None:
    report = engines.validate(PROTO, f'{{"a": {number}}}')

    assert not report
    assert "integer" in report.errors[0].message + report.errors[0].expected


@pytest.mark.parametrize("number", ["1e99999999999999999999", "-1e-99999999999999999999", "1e401"])
def test_a_schema_with_an_exponent_out_of_range_is_refused_with_the_limit(number: str) -> None:
    with pytest.raises(InvalidSchema, match=r"out of range; the limit is 1e400"):
        engines.parse(f'{{"minimum": {number}}}')


def test_zero_is_zero_whatever_its_exponent() -> None:
    zero, other = (engines.parse(f'{{"const": {text}}}') for text in ("0", "0e9999"))

    assert zero.canonical == other.canonical
    assert zero.fingerprints.validation == other.fingerprints.validation


@pytest.mark.parametrize("pattern", ["(" * 400, "(" * 200 + ")" * 200, "(?:" * 100 + ")" * 100])
def test_a_pattern_of_nested_groups_is_taken_or_refused(pattern: str) -> None:
    text = json.dumps({"pattern": pattern})
    try:
        parsed = engines.parse(text)
    except InvalidSchema:
        return
    assert engines.compare(parsed, text)
    assert engines.compare(parsed, '{"pattern": "^a$"}').verdict in engines.Verdict
