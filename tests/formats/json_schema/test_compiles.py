"""Whatever is accepted can be compiled: for some schemas parsing does not try, since nothing in them could be refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llm_schema_engines.formats.engine import SchemaSource
from llm_schema_engines.formats.json_schema import JsonSchemaEngine
from llm_schema_engines.formats.json_schema.compiled import compile_schema
from llm_schema_engines.formats.json_schema.dialects import Dialect
from llm_schema_engines.formats.json_schema.limits import DEFAULT_LIMITS
from llm_schema_engines.formats.json_schema.metaschema import fits_metaschema
from llm_schema_registry_server.errors import InvalidSchema

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
NUMBERS = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.none() | st.booleans() | NUMBERS | TEXTS | st.lists(NUMBERS, max_size=2)
PATTERNS = st.sampled_from(["^a$", "[a-z]{1,20}", r"\$[0-9]+$", r"\p{L}", "(?<n>x|y)*", "ä$", "$ref"])
COUNTS = st.integers(0, 2**70) | st.sampled_from([1.0, 1e300])


def keywords(schemas: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Schemas of a well-formed kind, with those inside."""
    return st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["string", "integer", "object", ["null", "array"]]),
            "enum": st.lists(VALUES, max_size=3),
            "const": VALUES,
            "title": TEXTS,
            "format": TEXTS | st.sampled_from(["uri", "regex", "idn-hostname"]),
            "pattern": PATTERNS,
            "patternProperties": st.dictionaries(PATTERNS, schemas, max_size=2),
            "contentEncoding": TEXTS | st.just("base64"),
            "contentMediaType": TEXTS | st.just("application/json"),
            "minimum": NUMBERS,
            "multipleOf": st.integers(1) | st.floats(1e-300, 1e300),
            "maxLength": COUNTS,
            "minContains": COUNTS,
            "required": st.lists(TEXTS, unique=True, max_size=3),
            "dependentRequired": st.dictionaries(TEXTS, st.lists(TEXTS, unique=True, max_size=2), max_size=2),
            "properties": st.dictionaries(TEXTS, schemas, max_size=3),
            "additionalProperties": schemas,
            "items": schemas,
            "contains": schemas,
            "anyOf": st.lists(schemas, min_size=1, max_size=2),
            "not": schemas,
            "if": schemas,
            "unevaluatedProperties": schemas,
            "$comment": TEXTS,
            "x-unknown": VALUES,
        },
    )


SCHEMAS = st.recursive(st.booleans() | keywords(st.booleans()), keywords, max_leaves=5)


@settings(suppress_health_check=[HealthCheck.too_slow])  # a busy machine
@given(SCHEMAS, st.sampled_from(list(Dialect)), st.booleans(), st.booleans())
def test_well_formed_schemas(schema: Any, dialect: Dialect, declared: bool, escaped: bool) -> None:
    if declared and isinstance(schema, dict):
        schema = {"$schema": dialect.uri, **schema}
    content = json.dumps(schema, ensure_ascii=escaped).encode()
    source = SchemaSource(content, options={"dialect": dialect.uri})
    if dialect is Dialect.DRAFT_04 and not fits_metaschema(schema, dialect):
        return  # it has no boolean schemas but for additionalProperties, and no empty enum and required
    JsonSchemaEngine().parse(source)

    compile_schema(source, DEFAULT_LIMITS)


@pytest.mark.parametrize(
    "content",
    [
        '{"$schema": "draft-07"}',
        '{"\\u0024schema": "draft-07"}',
        '{"$schema": " https://json-schema.org/draft/2020-12/schema"}',
        '{"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "$", "$id": "%"}',
        '{"\\u0024id": "%"}',
        '{"$id": "http://[", "$schema": "https://json-schema.org/draft/2020-12/schema"}',
        '{"properties": {"a": {"$anchor": "a b"}}}',
        '{"$schema": "http://json-schema.org/draft-04/schema#", "id": "a schema of ours"}',
        '{"$schema": "http://json-schema.org/draft-04/schema#", "\\u0069d": "a schema of ours"}',
        '{"$schema": "http://json-schema.org/draft-04/schema#", "items": {"id": "a schema of ours"}}',
        '{"\\u0070attern": "("}',
        '{"patternProperties": {"(": {}}}',
        '{"$ref": "#/nowhere"}',
        '{"minLength": -1}',
        '{"type": "nothing"}',
        '{"x": {"$ref": 5}, "$ref": "#/x"}',
    ],
)
def test_what_cannot_be_compiled_is_not_accepted(content: str) -> None:
    source = SchemaSource(content.encode())
    with pytest.raises(InvalidSchema):
        compile_schema(source, DEFAULT_LIMITS)

    with pytest.raises(InvalidSchema):
        JsonSchemaEngine().parse(source)
