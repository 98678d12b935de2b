"""References given by name, for each type: direct, through each other, broken, circular."""

from __future__ import annotations

import pytest

import llm_schema_engines as engines
from llm_schema_engines import InvalidRequest, InvalidSchema


def test_json_schemas_reference_by_uri_and_each_other() -> None:
    schema = engines.parse(
        '{"$ref": "a.json"}',
        references={
            "a.json": '{"items": {"$ref": "b.json#/$defs/n"}}',
            "b.json": '{"$defs": {"n": {"type": "integer"}}}',
        },
    )

    assert schema.dependencies == ("a.json",)
    assert engines.validate(schema, [1])
    assert not engines.validate(schema, ["1"])


def test_avro_schemas_reference_by_full_name_and_each_other() -> None:
    schema = engines.parse(
        '{"type": "record", "name": "shop.Order", "fields": [{"name": "to", "type": "Address"}]}',
        references={
            "shop.Address": '{"type": "record", "name": "shop.Address", "fields": [{"name": "zip", "type": "Zip"}]}',
            "shop.Zip": '{"type": "enum", "name": "shop.Zip", "symbols": ["A", "B"]}',
        },
    )

    assert schema.dependencies == ("shop.Address",)
    assert engines.validate(schema, {"to": {"zip": "A"}})
    assert not engines.validate(schema, {"to": {"zip": "C"}})


def test_protobuf_schemas_reference_by_import_path_and_each_other() -> None:
    schema = engines.parse(
        'syntax = "proto3"; package s.v1; import "a.proto"; message M { A a = 1; }',
        references={
            "a.proto": 'syntax = "proto3"; package s.v1; import "b.proto"; message A { B b = 1; }',
            "b.proto": 'syntax = "proto3"; package s.v1; message B { int32 n = 1; }',
        },
    )

    assert schema.dependencies == ("a.proto",)
    assert engines.validate(schema, {"a": {"b": {"n": 1}}})
    assert not engines.validate(schema, {"a": {"b": {"n": "x"}}})


def test_a_parsed_schema_is_a_reference_with_its_own_references() -> None:
    inner = engines.parse('{"$ref": "deep.json"}', references={"deep.json": '{"type": "integer"}'})
    schema = engines.parse('{"$ref": "inner.json"}', references={"inner.json": inner})

    assert engines.validate(schema, 1)
    assert not engines.validate(schema, "true")


def test_the_references_decide_the_meaning() -> None:
    texts = ['{"type": "integer"}', '{"type": "string"}']
    one, other = (engines.parse('{"$ref": "a.json"}', references={"a.json": text}) for text in texts)

    assert one.identity != other.identity
    assert one.fingerprints.validation != other.fingerprints.validation
    assert engines.validate(one, 1)
    assert not engines.validate(other, 1)
    assert not engines.compare(one, other)


def test_a_broken_reference_is_named() -> None:
    with pytest.raises(InvalidSchema, match=r"^references\[a\.json\]"):
        engines.parse('{"$ref": "a.json"}', references={"a.json": '{"type": 1}'})


def test_a_circle_of_references_is_refused() -> None:
    with pytest.raises(InvalidSchema, match=r"b\.json"):
        engines.parse(
            '{"$ref": "a.json"}', references={"a.json": '{"$ref": "b.json"}', "b.json": '{"$ref": "a.json"}'}
        )


def test_a_reference_of_another_type_is_refused() -> None:
    with pytest.raises(InvalidRequest, match=r"references\[a\]: is of type AVRO"):
        engines.parse("{}", references={"a": engines.parse('"string"')})


def test_references_are_a_bounded_mapping() -> None:
    with pytest.raises(TypeError, match=r"a mapping of text to schemas .* is expected, not list"):
        engines.parse("{}", references=["a.json"])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"not one with other names"):
        engines.parse("{}", references={1: "{}"})  # type: ignore[dict-item]
    with pytest.raises(InvalidRequest, match="257 are given; the limit is 256"):
        engines.parse("{}", references={f"{n}.json": "{}" for n in range(257)})
