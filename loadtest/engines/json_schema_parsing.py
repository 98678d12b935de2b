"""What parsing on the server's own thread takes at most (formats/json_schema/parsing_cost.py), for hostile schemas of several sizes.

    PYTHONPATH=engines:server python loadtest/engines/json_schema_parsing.py

Prints for each shape, the dearest first, the size that took longest, the processor time of one thread (the best of three, so that what
else runs does not count), the bound of its text, and whether the schema was parsed (or refused) or left to a worker process.
"""

from __future__ import annotations

import json
import random
import string
from collections.abc import Callable
from time import thread_time
from typing import Any

from llm_schema_engines.formats.engine import SchemaSource
from llm_schema_engines.formats.json_schema import JsonSchemaEngine, patterns
from llm_schema_engines.formats.json_schema.parsing_cost import text_cost
from llm_schema_engines.linter.registering import parse_and_lint_within
from llm_schema_registry_server.errors import InvalidSchema
from llm_schema_registry_server.workers.tasks import PARSED_AT_ONCE_SECONDS

SIZES = (200, 500, 1000, 2048, 4096, 8192, 16384, 32768)
_RANDOM = random.Random(1)


def word(length: int) -> str:
    return "".join(_RANDOM.choice(string.ascii_lowercase) for _ in range(length))


def nested(depth: int, keyword: str, leaf: Any, more: Any = None) -> Any:
    for _ in range(depth):
        leaf = {keyword: leaf, **(more or {})}
    return leaf


def named(make: Callable[[int], Any]) -> Callable[[int], Any]:
    """A schema with so many properties."""
    return lambda n: {"properties": {str(i): make(i) for i in range(n)}}


def all_of(make: Callable[[int], Any], **more: Any) -> Callable[[int], Any]:
    return lambda n: {**more, "allOf": [make(i) for i in range(n)]}


DRAFT_7, DRAFT_2019 = (
    "http://json-schema.org/draft-07/schema#",
    "https://json-schema.org/draft/2019-09/schema",
)
SHAPES: dict[str, Callable[[int], Any]] = {
    "true": named(lambda i: True),
    "types": named(lambda i: {"type": "null"}),
    "contradictions": named(lambda i: {"minLength": 9, "maxLength": 1, "type": "string"}),
    "items, deep": lambda n: nested(min(n, 95), "items", True),
    "subschemas": all_of(lambda i: {}),
    "one definition": all_of(lambda i: {"$ref": "#/$defs/a"}, **{"$defs": {"a": {}}}),
    "definitions": lambda n: {
        "$defs": {str(i): {} for i in range(n)},
        "allOf": [{"$ref": f"#/$defs/{i}"} for i in range(n)],
    },
    "definitions of draft 7": lambda n: {
        "$schema": DRAFT_7,
        "definitions": {str(i): {"$ref": "#"} for i in range(n)},
        "properties": {str(i): {"$ref": f"#/definitions/{i}"} for i in range(n)},
    },
    "long references": all_of(lambda i: {"$ref": "#" + "/not" * 45}, **{"not": nested(45, "not", {})}),
    "references of 2019-09": lambda n: {
        "$schema": DRAFT_2019,
        "$recursiveAnchor": True,
        "properties": {str(i): {"$recursiveRef": "#"} for i in range(n)},
    },
    "dynamic references": lambda n: {
        "$defs": {str(i): {"$dynamicAnchor": "a"} for i in range(n)},
        "allOf": [{"$dynamicRef": "#a"}] * n,
    },
    "identifiers": all_of(lambda i: {"$id": str(i)}),
    "long identifiers": all_of(lambda i: {"$id": f"x/{i}"}, **{"$id": "http://a/" + "b/" * 500}),
    "anchors": all_of(lambda i: {"$anchor": f"a{i}"}),
    "ways": lambda n: {
        "$defs": {**{str(i): {"allOf": [{"$ref": f"#/$defs/{i + 1}"}] * 2} for i in range(n)}, str(n): {}},
        "allOf": [{"$ref": "#/$defs/0"}],
    },
    "wrong values": all_of(lambda i: 1),
    "wrong types": named(lambda i: {"type": 1}),
    "unknown words": lambda n: {word(9): 1 for _ in range(n)},
    "unknown formats": named(lambda i: {"format": "date-time" + word(5)}),
    "defaults": named(lambda i: {"default": i, "not": {}}),
    "defaults of objects": named(
        lambda i: {"type": "object", "properties": {"a": {"type": "string"}}, "default": {"a": 1}}
    ),
    "defaults of a union": named(
        lambda i: {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None}
    ),
    "examples": lambda n: {"examples": [[1]] * n, "type": "object", "properties": {"a": {}}},
    "numbers": lambda n: {"enum": list(range(n))},
    "fractions": lambda n: {"enum": [i + 0.5 for i in range(n)]},
    "lists, again and again": lambda n: {"enum": [[1]] * n, "type": "string"},
    "required": lambda n: {"required": [str(i) for i in range(n)], "properties": {"a": {}}},
    "long names": lambda n: {
        "properties": {"a" * max(1, n // 2): {"properties": {str(i): {} for i in range(n // 12)}}}
    },
    "patterns": named(lambda i: {"pattern": f"^a{i}$"}),
    "heavy patterns": lambda n: {"patternProperties": {"a{500}" + str(i): {} for i in range(n)}},
    "long patterns": lambda n: {"patternProperties": {"(a|b)" * 10 + str(i): {} for i in range(n)}},
    "patterns and examples": lambda n: {"pattern": "a{1000}", "examples": ["a"] * n},
    "properties of characters": lambda n: {"pattern": r"\p{L}" * min(n, 190)},
    "one long text": lambda n: {"title": "x" * n},
    "escapes": lambda n: {"title": '\u00e4"' * n},
}


def text(schema: Any) -> bytes:
    return json.dumps(schema, separators=(",", ":")).encode()


def filled(shape: Callable[[int], Any], size: int) -> bytes:
    """The largest of this shape that has at most so many bytes."""
    low, high = 1, 2
    while high < 50_000 and len(text(shape(high))) <= size:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if len(text(shape(middle))) <= size else (low, middle)
    return text(shape(low))


def once(source: SchemaSource) -> tuple[float, str]:
    """Milliseconds, and what became of it."""
    for cache in (patterns.weight, patterns.deviations, patterns.compile_problem):
        cache.cache_clear()
    engine, began = JsonSchemaEngine(), thread_time()
    try:
        done = "parsed" if parse_and_lint_within(engine, source, PARSED_AT_ONCE_SECONDS) else "left"
    except InvalidSchema:
        done = "refused"
    return (thread_time() - began) * 1000, done


def main() -> None:
    rows = []
    for name, shape in SHAPES.items():
        found = []
        for size in SIZES:
            source = SchemaSource(filled(shape, size))
            best, done = min(once(source) for _ in range(3))
            found.append((best, size, done, text_cost(source) / 1e6))
        rows.append((*max(found), name))
    for best, size, done, bound, name in sorted(rows, reverse=True):
        print(f"{name:26} {best:6.2f} ms, {size:6} bytes, {done:8} bound {bound:6.2f} ms")


if __name__ == "__main__":
    main()
