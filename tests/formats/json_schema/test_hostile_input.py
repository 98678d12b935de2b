"""Schemas and payloads made to hang, crash or reach out: each ends soon, with an answer."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from llm_schema_engines.formats.json_schema import JsonSchemaEngine, JsonSchemaLimits
from llm_schema_engines.model.compatibility import CompareOptions, Verdict
from llm_schema_registry_server.errors import InvalidSchema

from .build import ENGINE, compare, reference, source


class Listener:
    """A local port that counts who connects."""

    def __init__(self) -> None:
        self.connections = 0
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            self.connections += 1
            connection.close()

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()


@pytest.fixture
def listener() -> Iterator[Listener]:
    found = Listener()
    yield found
    found.close()


@pytest.mark.parametrize(
    "make",
    [
        lambda url: {"$ref": url},
        lambda url: {"$schema": url},
        lambda url: {"$id": url, "$ref": "other.json"},
        lambda url: {"$id": url, "properties": {"a": {"$dynamicRef": "x.json#a"}}},
        lambda url: {"$defs": {"a": {"$id": url, "$schema": url}}, "$ref": "#/$defs/a"},
        lambda url: {"items": {"$ref": url + "#/definitions/x"}},
    ],
)
def test_no_schema_makes_the_engine_connect(make: Any, listener: Listener) -> None:
    schema = make(f"http://127.0.0.1:{listener.port}/schema.json")

    with pytest.raises(InvalidSchema):
        ENGINE.parse(source(schema))
    with contextlib.suppress(InvalidSchema):
        ENGINE.compile_validator(source(schema)).validate(b"{}", strict=True)
    assert compare(schema, {"type": "null"}).verdict is not Verdict.YES
    with contextlib.suppress(InvalidSchema):
        ENGINE.parse(source({"$ref": "a.json"}, reference("a.json", schema)))

    assert listener.connections == 0


def test_a_payload_nested_a_hundred_thousand_deep_is_an_invalid_payload() -> None:
    validator = ENGINE.compile_validator(
        source({"$defs": {"t": {"items": {"$ref": "#/$defs/t"}}}, "$ref": "#/$defs/t"})
    )

    assert validator.validate(b"[" * 100_000 + b"]" * 100_000).errors[0].error_type == "json/depth"


def wide(keyword: str, count: int, extra: Any) -> dict[str, Any]:
    return {keyword: [{"type": "object", "properties": {f"k{i}": extra}} for i in range(count)]}


HARD: list[tuple[str, Any, Any]] = [
    ("untagged unions", wide("oneOf", 300, {"type": "string"}), wide("oneOf", 300, {"type": "number"})),
    (
        "many patterns",
        {"patternProperties": {f"^a{i}.*b{i}$": {"type": "string"} for i in range(200)}},
        {"patternProperties": {f"^a{i}.*b{i}$": {"type": "number"} for i in range(200)}},
    ),
    ("exponential automata", {"pattern": "^.*a.{14}$"}, {"pattern": "^.*b.{15}$"}),
    ("a huge count", {"type": "array", "minItems": 10**12}, {"type": "array", "minItems": 10**13}),
    ("a tiny step", {"multipleOf": 1e-300, "minimum": 0.1, "maximum": 1}, {"not": {"multipleOf": 1e-299}}),
    ("many values", {"enum": list(range(20_000))}, {"enum": list(range(1, 20_001))}),
    (
        "many dependencies",
        {"dependentRequired": {f"p{i}": [f"p{j}" for j in range(30)] for i in range(200)}},
        {"dependentRequired": {f"p{i}": [f"p{j}" for j in range(31)] for i in range(200)}},
    ),
    ("negations", json.loads('{"not":' * 80 + '{"type":"string"}' + "}" * 80), {"type": "number"}),
    (
        "mutual recursion",
        {
            "$ref": "#/$defs/a",
            "$defs": {
                "a": {
                    "anyOf": [{"items": {"$ref": "#/$defs/b"}}, {"properties": {"x": {"$ref": "#/$defs/a"}}}]
                },
                "b": {"oneOf": [{"items": {"$ref": "#/$defs/a"}}, {"contains": {"$ref": "#/$defs/b"}}]},
            },
        },
        {
            "$ref": "#/$defs/a",
            "$defs": {
                "a": {
                    "oneOf": [{"items": {"$ref": "#/$defs/b"}}, {"properties": {"x": {"$ref": "#/$defs/a"}}}]
                },
                "b": {"anyOf": [{"items": {"$ref": "#/$defs/a"}}, {"contains": {"$ref": "#/$defs/b"}}]},
            },
        },
    ),
]


@pytest.mark.parametrize(("writer", "reader"), [h[1:] for h in HARD], ids=[h[0] for h in HARD])
def test_a_hard_comparison_ends_with_a_verdict_and_a_reason(writer: Any, reader: Any) -> None:
    engine = JsonSchemaEngine(replace(JsonSchemaLimits(), compare_steps=5_000))

    comparison = engine.compare(source(reader), source(writer), CompareOptions())

    assert comparison.verdict is Verdict.YES or comparison.violations
    assert all(v.message for v in comparison.violations)


def test_a_witness_is_never_larger_than_can_be_shown() -> None:
    comparison = compare({"type": "string", "minLength": 100_000}, {"maxLength": 99_999})

    assert all(v.witness is None or len(v.witness.data) <= 64 * 1024 for v in comparison.violations)
