"""Names that are empty are in the pointers of errors, which the validator leaves out of its paths."""

from __future__ import annotations

import pytest

from llm_schema_engines import coerce, validate


@pytest.mark.parametrize(
    ("schema", "document", "path", "schema_path"),
    [
        ('{"properties": {"": {"not": {}}}}', '{"": 1}', "/", "/properties//not"),
        (
            '{"properties": {"x": {"properties": {"": {"type": "null"}}}}}',
            '{"x": {"": 2}}',
            "/x/",
            "/properties/x/properties//type",
        ),
        (
            '{"additionalProperties": {"additionalProperties": {"items": {"enum": [1]}}}}',
            '{"": {"": [1, 2]}}',
            "///1",
            "/additionalProperties/additionalProperties/items/enum",
        ),
        ('{"patternProperties": {"": {"type": "null"}}}', '{"a": 2}', "/a", "/patternProperties//type"),
        (
            '{"properties": {"a\\"][\\"b": {"properties": {"": {"minLength": 99}}}}}',
            r'{"a\"][\"b": {"": "\n\nOn instance[\"q\"]:\n"}}',
            '/a"]["b/',
            '/properties/a"]["b/properties//minLength',
        ),
        (
            '{"properties": {"": {"properties": {"a": {"type": "null"}}}}}',
            '{"": {"a": 1}, "a": 2}',
            "//a",
            "/properties//properties/a/type",
        ),
    ],
)
def test_an_error_below_an_empty_name_tells_it(
    schema: str, document: str, path: str, schema_path: str
) -> None:
    (error,) = validate(schema, document).errors

    assert (error.path, error.schema_path) == (path, schema_path)


def test_a_correction_is_made_below_an_empty_name() -> None:
    schema = '{"properties": {"": {"properties": {"a": {"type": "integer"}}}}}'

    assert coerce(schema, '{"": {"a": "3"}}', ["NUMERIC_STRING"]).document == b'{"":{"a":3}}'


def test_inside_of_a_union_below_an_empty_name_nothing_fails() -> None:
    schema = (
        '{"properties": {"": {"anyOf": [{"properties": {"a": {"properties": {"": {"type": "integer"}}}}}]}}}'
    )

    done = coerce(schema, '{"": {"a": {"": "3"}}}', ["NUMERIC_STRING", "SINGLE_VALUE", "UNKNOWN_KEYS"])
    assert not done.report.valid
