"""What the three fingerprints and the canonical form tell apart."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_schema_engines.formats.json_schema.canonical import dump, number_text

from .build import ENGINE, reference, source


def fingerprints(schema: Any, *references: Any, **options: str) -> Any:
    return ENGINE.parse(source(schema, *references, **options)).fingerprints


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b'{"a":1,"type":"object"}', b'{ "a" : 1, "type":\n"object" }'),
        (b'{"maximum":1}', b'{"maximum":1.0}'),
        (b'{"maximum":100}', b'{"maximum":1e2}'),
        (b'{"title":"\\u0041"}', b'{"title":"A"}'),
    ],
)
def test_generation_ignores_white_space_and_spelling(one: bytes, other: bytes) -> None:
    assert fingerprints(one).generation == fingerprints(other).generation
    assert fingerprints(one).content != fingerprints(other).content


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b'{"properties":{"a":{},"b":{}}}', b'{"properties":{"b":{},"a":{}}}'),
        ({"type": "string"}, {"type": "string", "description": "what it is"}),
        ({"required": ["a", "b"]}, {"required": ["b", "a"]}),
        ({"enum": [1, "x"]}, {"enum": ["x", 1]}),
        ({"type": "string"}, {"type": ["string"]}),
        ({"type": ["string", "null"]}, {"type": ["null", "string"]}),
        ({"items": {}}, {"items": True}),
        ({"type": "string"}, {"type": "string", "$defs": {"unused": {"type": "null"}}}),
        ({"type": "string"}, {"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "string"}),
        ({"items": {"title": "x"}}, {"items": {"title": "y", "default": 1, "examples": [1]}}),
    ],
)
def test_validation_ignores_what_decides_nothing_and_generation_does_not(one: Any, other: Any) -> None:
    assert fingerprints(one).validation == fingerprints(other).validation
    assert fingerprints(one).generation != fingerprints(other).generation


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"type": "string"}, {"type": "number"}),
        ({"const": [1, 2]}, {"const": [2, 1]}),
        ({"prefixItems": [{"type": "string"}, True]}, {"prefixItems": [True, {"type": "string"}]}),
        ({"properties": {"title": {"type": "string"}}}, {"properties": {"title": {"type": "number"}}}),
        ({"const": {"title": "x"}}, {"const": {"title": "y"}}),
        ({"enum": [{"default": 1}]}, {"enum": [{"default": 2}]}),
        (
            {"$ref": "#/$defs/a", "$defs": {"a": {"type": "string"}}},
            {"$ref": "#/$defs/a", "$defs": {"a": {"type": "number"}}},
        ),
        (
            {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"type": "string"}}},
            {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"type": "number"}}},
        ),
        (
            {"$ref": "#/title/x", "title": {"x": {"type": "string"}}},
            {"$ref": "#/title/x", "title": {"x": {"type": "number"}}},
        ),
    ],
)
def test_validation_tells_apart_what_decides_validity(one: Any, other: Any) -> None:
    sides = [ENGINE.parse(source(side), strict=False).fingerprints.validation for side in (one, other)]

    assert sides[0] != sides[1]


def test_the_dialect_and_the_format_policy_are_part_of_validity() -> None:
    schema = {"format": "date"}
    found = {
        fingerprints(schema, dialect="draft-07").validation,
        fingerprints(schema, dialect="2020-12").validation,
        fingerprints(schema, dialect="2020-12", format_policy="ASSERT").validation,
    }

    assert len(found) == 3


def test_a_new_version_of_a_reference_is_a_new_schema() -> None:
    old, new = (
        fingerprints({"$ref": "a.json"}, reference("a.json", {"type": kind})) for kind in ("string", "number")
    )

    assert old.validation != new.validation
    assert old.generation != new.generation


def test_the_canonical_form_sorts_keys_and_keeps_annotations() -> None:
    parsed = ENGINE.parse(source(b'{ "title": "T", "maximum": 1.50, "const": {"b": 1, "a": [2, 1]} }'))

    assert parsed.canonical == b'{"const":{"a":[2,1],"b":1},"maximum":1.5,"title":"T"}'


@settings(max_examples=200, deadline=None)
@given(st.decimals(allow_nan=False, allow_infinity=False, places=12) | st.integers().map(Decimal))
def test_the_spelling_of_a_number_is_exact_and_one(number: Decimal) -> None:
    text = number_text(number)

    assert Decimal(text) == number
    assert number_text(Decimal(text)) == text


@settings(max_examples=100, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=10,
    )
)
def test_dumping_and_reading_gives_the_value_back(value: Any) -> None:
    import json

    assert json.loads(dump(value, sort=True)) == value
