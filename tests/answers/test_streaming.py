"""Where documents die, what is told about it, and what a stream keeps."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest

from llm_schema_engines.answers.streaming import DocumentStream
from llm_schema_engines.answers.verdict import StreamStatus
from llm_schema_engines.formats.engine import SchemaSource
from llm_schema_engines.formats.json_schema.limits import JsonSchemaLimits

from .streams import COMPLETE, DEAD, VIABLE, StreamingSchema, died_at, judged, streaming

TICKET = {
    "type": "object",
    "properties": {
        "category": {"enum": ["billing", "technical"]},
        "priority": {"type": "integer", "minimum": 1, "maximum": 5},
        "summary": {"type": "string", "maxLength": 10},
        "id": {"type": "string", "pattern": "^T-[0-9]+$"},
        "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 2, "uniqueItems": True},
    },
    "required": ["category", "priority"],
    "additionalProperties": False,
}
SHAPES = {
    "oneOf": [{"$ref": "#/$defs/circle"}, {"$ref": "#/$defs/square"}, {"$ref": "#/$defs/group"}],
    "$defs": {
        "circle": {
            "properties": {"kind": {"const": "circle"}, "radius": {"type": "number"}},
            "required": ["kind", "radius"],
            "additionalProperties": False,
        },
        "square": {
            "properties": {"kind": {"const": "square"}, "side": {"type": "number"}},
            "required": ["kind", "side"],
            "additionalProperties": False,
        },
        "group": {
            "properties": {"kind": {"const": "group"}, "parts": {"type": "array", "items": {"$ref": "#"}}},
            "required": ["kind", "parts"],
            "additionalProperties": False,
        },
    },
}


@pytest.mark.parametrize(
    ("document", "died"),
    [
        ('[1]', "|type"),
        ('{"category": "bx', '{"category": "b|enum'),
        ('{"category": "billings"', '{"category": "billing|enum'),
        ('{"category": null', '{"category": |enum'),
        ('{"cax', '{"ca|additionalProperties'),
        ('{"category": "billing", "cat', '{"category": "billing", "|additionalProperties'),
        ('{"priority": "3"', '{"priority": |type'),
        ('{"priority": -1', '{"priority": |minimum'),
        ('{"priority": 9}', '{"priority": 9|maximum'),
        ('{"priority": 2.5,', '{"priority": 2.5|type'),
        ('{"summary": "elevencharsx', '{"summary": "elevenchar|maxLength'),
        ('{"id": "T-x"}', '{"id": "T-x|pattern'),
        ('{"tags": ["a","b","c"]}', '{"tags": ["a","b"|maxItems'),
        ('{"tags": ["a","a"]}', '{"tags": ["a","a"|uniqueItems'),
        ('{"category": "billing"}', '{"category": "billing"|required'),
        ('{"priority": 1, "priority": 1}', '{"priority": 1, "|additionalProperties'),
        ('{"category" "billing"}', '{"category" |json/syntax'),
        ('{"priority": 01}', '{"priority": 0|json/syntax'),
        ('{"priority": 1}}', '{"priority": 1|required'),
        ('{"summary": "a\nb"}', '{"summary": "a|json/syntax'),
        ('{"summary": "\\x"}', '{"summary": "\\|json/syntax'),
        ('{"summary": "\\ud83dx"}', '{"summary": "\\ud83d|json/surrogate'),
        ('{"category": "billing", "priority": 1} 2', '{"category": "billing", "priority": 1} |json/syntax'),
        ('{"category": "billing"', '{"category": "billing"|json/syntax'),
    ],
)  # fmt: skip
def test_a_document_dies_with_the_first_byte_that_leaves_no_way(document: str, died: str) -> None:
    assert died_at(TICKET, document) == died


@pytest.mark.parametrize(
    ("document", "died"),
    [
        ('{"kind": "triangle"', '{"kind": "|const'),
        ('{"kind": "square", "radius"', '{"kind": "square", "|additionalProperties'),
        ('{"radius": 1, "kind": "circle"', ""),
        ('{"radius": 1, "kind": "square"', '{"radius": 1, "kind": "|const'),
        ('{"kind":"group","parts":[{"kind":"group","parts":[{"kind":"circle"}]}', '{"kind":"group","parts":[{"kind":"group","parts":[{"kind":"circle"|required'),
    ],
)  # fmt: skip
def test_tagged_unions_die_where_the_last_branch_does(document: str, died: str) -> None:
    if died:
        assert died_at(SHAPES, document) == died
    else:
        stream = DocumentStream(streaming(SHAPES))
        assert stream.feed(document.encode()) is VIABLE


def test_the_error_tells_what_may_come_instead() -> None:
    def error(document: str) -> Any:
        return judged(streaming(TICKET), document.encode(), 1).error

    enum, key, missing, kind = (
        error(d) for d in ('{"category": "tz', '{"s": 1', '{"category": "billing"}', '{"priority": true')
    )

    assert (enum.pointer, enum.allowed_next) == ("/category", ('"technical"',))
    assert enum.expected == '"billing" or "technical"'
    assert (key.pointer, key.allowed_next) == ("", ('"summary"',))
    assert (missing.allowed_next, missing.schema_path) == (('"priority"',), "/required")
    assert (kind.allowed_next, kind.schema_path) == (("integer",), "/properties/priority/type")
    assert str(enum) == "byte 15: /category: enum: no allowed value begins with 'tz'"


def test_keywords_that_no_prefix_decides_are_decided_when_their_value_is_complete() -> None:
    cases: list[tuple[Any, str, str]] = [
        ({"not": {"type": "object"}}, '{"a": 1}', '{"a": 1|not'),
        ({"oneOf": [{"type": "integer"}, {"minimum": 0}]}, "[1]", ""),
        ({"oneOf": [{"required": ["a"]}, {"required": ["b"]}]}, '{"a": 1, "b": 2}', '{"a": 1, "b": 2|oneOf'),
        ({"if": {"required": ["a"]}, "then": {"required": ["b"]}}, '{"a": 1}', '{"a": 1|required'),
        ({"contains": {"type": "string"}}, "[1, 2]", "[1, 2|contains"),
        ({"contains": {"type": "string"}, "maxContains": 1}, '["a", "b", 1]', '["a", "b|maxContains'),
        ({"properties": {"a": {}}, "unevaluatedProperties": False}, '{"a": 1, "b": 2}', '{"a": 1, |unevaluatedProperties'),
        ({"enum": [{"a": 1}, [2]]}, '{"a": 2}', '{"a": 2|enum'),
        ({"dependentRequired": {"a": ["b"]}}, '{"a": 1}', '{"a": 1|dependentRequired'),
    ]  # fmt: skip
    for schema, document, died in cases:
        if died:
            found = died_at(schema, document)
            assert found == died or (found.split("|")[0] == died.split("|")[0] and "ontains" in died), (
                schema,
                found,
            )
        else:
            assert judged(streaming(schema), document.encode(), 1).status is COMPLETE


def test_complete_before_the_end_and_only_white_space_after() -> None:
    stream = DocumentStream(streaming({"type": "array"}))

    assert stream.feed(b" [1") is VIABLE
    assert stream.feed(b"] ") is COMPLETE
    assert stream.length == 4
    assert stream.feed(b"\n") is COMPLETE
    assert stream.end() is COMPLETE
    assert stream.feed(b"x") is DEAD


def test_a_number_alone_is_complete_at_the_end() -> None:
    stream = DocumentStream(streaming({"maximum": 5}))

    assert stream.feed(b"12") is VIABLE  # 12e-1 is to come, perhaps
    assert stream.feed(b"e-1") is VIABLE
    assert stream.end() is COMPLETE


@pytest.mark.parametrize(
    ("document", "keyword"),
    [
        (b"[" * 9, "json/depth"),
        (b"[" + b"1," * 200, "json/size"),
        (b"1" * 50, "json/number"),
        (b"1e999 ", "json/number"),
        (b'"\xff"', "json/utf-8"),
        (b'"\xe2\x28"', "json/utf-8"),
    ],
)
def test_what_every_reader_refuses(document: bytes, keyword: str) -> None:
    limits = JsonSchemaLimits(data_depth=8, data_bytes=300, number_digits=40)
    schema = StreamingSchema(SchemaSource(b"{}"), limits)
    found = {judged(schema, document, size).error for size in (1, 2, 3, 1000)}

    assert len(found) == 1
    assert found.pop().keyword == keyword  # type: ignore[union-attr]
    assert not schema.validator().validate(document).valid


def test_a_number_that_readers_take_differently_is_indeterminate() -> None:
    stream = DocumentStream(streaming({}))

    assert stream.feed(b"[1e-999]") is StreamStatus.INDETERMINATE
    assert "1e-400" in stream.reason
    assert stream.end() is StreamStatus.INDETERMINATE


def test_a_schema_that_is_too_large_is_judged_as_a_whole_at_the_end() -> None:
    schema = streaming({"allOf": [{"type": "object", "minProperties": i % 2} for i in range(2_000)]})
    stream = DocumentStream(schema)

    assert schema.reason
    assert stream.feed(b'{"a": ') is StreamStatus.INDETERMINATE
    assert stream.feed(b"1}") is COMPLETE
    assert judged(schema, b"{}", 1).error.keyword == "minProperties"  # type: ignore[union-attr]


def test_strict_streams_refuse_what_is_not_declared() -> None:
    schema = streaming({"properties": {"a": {"properties": {"b": {}}}}})

    assert judged(schema, b'{"a": {"c": 1}}', 3).status is COMPLETE
    dead = judged(schema, b'{"a": {"c": 1}}', 3, strict=True)
    assert dead.error is not None
    assert (dead.error.keyword, dead.error.pointer, dead.error.byte_offset) == ("undeclared", "/a/c", 9)


def test_memory_grows_with_depth_and_not_with_length() -> None:
    schema = streaming(
        {"type": "array", "items": {"type": "object", "properties": {"a": {"maxLength": 10**6}}}}
    )

    def peak(items: int, text: int) -> int:
        item = b'{"a": "' + b"x" * text + b'"},'
        stream = DocumentStream(schema)
        stream.feed(b"[")
        stream.feed(item)
        tracemalloc.start()
        for _ in range(items):
            for at in range(0, len(item), 64):
                assert stream.feed(item[at : at + 64]) is VIABLE
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    peak(2, 100)

    assert peak(400, 1_000) < 2 * peak(4, 1_000)


def test_automata_forget_and_stay_right() -> None:
    schema = streaming(
        {"patternProperties": {"^a": {"type": "integer"}}, "additionalProperties": {"type": "string"}}
    )
    names = {f"{'ab'[i % 2]}{i}": i if i % 2 == 0 else str(i) for i in range(30_000)}
    raw = json.dumps(names).encode()

    assert judged(schema, raw, 5_000).status is COMPLETE
    assert judged(schema, raw[:-1] + b', "a": "x"}', 5_000).status is DEAD
