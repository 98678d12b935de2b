"""The schema by which streams are judged refuses nothing that the original accepts, and catches what the compiled form lets pass."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_schema_engines import Decoder, LocalEngines, RegistryError, compile_for, validate
from llm_schema_registry.integrations.judging import judged_schema

ENGINES = LocalEngines(cache_bytes=0)
PROFILES = ["openai-strict", "anthropic-strict", "gemini-json-schema", "cohere", "bedrock-claude"]
NAMES = st.sampled_from(["a", "b", "a b", "ä", "a_b"])


def scalars() -> st.SearchStrategy[Any]:
    strings = st.fixed_dictionaries(
        {"type": st.just("string")},
        optional={
            "minLength": st.integers(0, 2),
            "maxLength": st.integers(2, 3),
            "pattern": st.just("^[a-c]*$"),
        },
    )
    numbers = st.fixed_dictionaries(
        {"type": st.sampled_from(["integer", "number"])},
        optional={
            "minimum": st.integers(0, 2),
            "exclusiveMaximum": st.integers(3, 20),
            "multipleOf": st.just(2),
        },
    )
    nullable = strings.map(lambda s: {**s, "type": ["string", "null"]})
    other = st.sampled_from([{"enum": ["x", "y"]}, {"const": 1}, {"type": "boolean"}, True, {"minLength": 2}])
    return strings | numbers | nullable | other


def objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries(
        {"type": st.just("object"), "properties": st.dictionaries(NAMES, inner, max_size=3)},
        optional={
            "required": st.lists(NAMES, max_size=2, unique=True),
            "additionalProperties": st.just(False) | inner,
            "minProperties": st.integers(0, 1),
        },
    )


def arrays(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries(
        {"type": st.just("array"), "items": inner},
        optional={"minItems": st.integers(0, 2), "maxItems": st.integers(2, 3), "uniqueItems": st.booleans()},
    )


def unions(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(inner, min_size=1, max_size=2).map(lambda branches: {"anyOf": branches})


SCHEMAS = st.recursive(scalars(), lambda inner: objects(inner) | arrays(inner) | unions(inner), max_leaves=5)
VALUES = st.recursive(
    st.sampled_from([None, True, 0, 1, 2, 4, 2.5, "", "a", "abc", "x", "abcd"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("profile", PROFILES)
@settings(max_examples=25, deadline=None)
@given(schema=objects(SCHEMAS) | arrays(SCHEMAS), values=st.lists(VALUES, max_size=8), data=st.data())
def test_nothing_that_the_original_accepts_is_refused(
    profile: str, schema: Any, values: list[Any], data: st.DataObject
) -> None:
    try:
        form = compile_for(json.dumps(schema), profile, prove_seconds=0)
    except RegistryError:
        return  # nothing is valid under it
    decoder = Decoder(form.decoder)
    judged = json.dumps(judged_schema(schema, json.loads(form.schema), form.decoder))
    accepts, taken, kept = (ENGINES.validator(text) for text in (json.dumps(schema), form.schema, judged))
    for value in [*values, *(data.draw(_like(schema)) for _ in range(4))]:
        if not accepts.validate(json.dumps(value).encode()).valid:
            continue
        try:
            wire = decoder.encode(json.dumps(value))
        except RegistryError:
            continue  # the compiled form has no place for it
        if taken.validate(wire).valid:
            assert kept.validate(wire).valid, (schema, form.schema, judged, wire)


def _like(schema: Any) -> st.SearchStrategy[Any]:
    """Values that are often valid."""
    if not isinstance(schema, dict):
        return st.just(1)
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "const" in schema:
        return st.just(schema["const"])
    if "anyOf" in schema:
        return st.one_of([_like(branch) for branch in schema["anyOf"]])
    kind = schema.get("type")
    if kind == "object":
        return st.fixed_dictionaries(
            {}, optional={k: _like(v) for k, v in schema["properties"].items()}
        ).flatmap(lambda held: st.just({**held, **{k: held.get(k, 1) for k in schema.get("required", ())}}))
    if kind == "array":
        return st.lists(_like(schema["items"]), max_size=3)
    simple: dict[Any, Any] = {
        "boolean": st.booleans(),
        "integer": st.integers(0, 4),
        "number": st.sampled_from([0, 2, 2.5]),
    }
    return simple.get(str(kind), st.sampled_from(["", "a", "ab", "abc", "abca"]))


@pytest.mark.parametrize(
    ("held", "wrong"),
    [
        ({"type": "array", "items": {"type": "string"}, "uniqueItems": True}, ["a", "a"]),
        ({"type": "string", "minLength": 3}, "a"),
        ({"type": ["string", "null"], "maxLength": 2}, "abc"),
    ],
)
@pytest.mark.parametrize("optional", [False, True])
def test_what_the_provider_does_not_enforce_is_caught(held: Any, wrong: Any, optional: bool) -> None:
    schema = {
        "type": "object",
        "properties": {"v": held, "map": {"type": "object", "additionalProperties": {"type": "integer"}}},
        "required": ["map"] if optional else ["v", "map"],
        "additionalProperties": False,
    }
    form = compile_for(json.dumps(schema), "openai-strict")
    judged = json.dumps(judged_schema(schema, json.loads(form.schema), form.decoder))
    answer = json.dumps({"v": wrong, "map": [{"key": "k", "value": 1}]})

    assert validate(form.schema, answer)
    assert not validate(judged, answer)
