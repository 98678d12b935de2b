"""What validating a document costs, beside `jsonschema` and `fastjsonschema`, on the same documents.

    PYTHONPATH=server python loadtest/engines/json_schema_validation.py [--runs 7] [--markdown FILE]

One thread, its processor time. Each figure is the median over the runs of the time of one operation, with the fastest and the
slowest run; a run repeats the operation for about a tenth of a second, after a warm-up of the same length. Ours starts
from the bytes of the payload (read, depth gate, verdict); the others get the parsed value, and the time of
`orjson.loads` stands beside them.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fastjsonschema
import jsonschema
import orjson

from llm_schema_engines.formats.engine import SchemaSource
from llm_schema_engines.formats.json_schema import JsonSchemaEngine
from llm_schema_engines.model.compatibility import CompareOptions

ENGINE = JsonSchemaEngine()
DRAFT_07 = "http://json-schema.org/draft-07/schema#"

TOOL_CALL: dict[str, Any] = {
    "$schema": DRAFT_07,
    "type": "object",
    "properties": {
        "name": {"type": "string", "pattern": "^[a-z_]{1,64}$"},
        "arguments": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "minLength": 1},
                "unit": {"enum": ["celsius", "fahrenheit"]},
                "days": {"type": "integer", "minimum": 1, "maximum": 14},
            },
            "required": ["city"],
            "additionalProperties": False,
        },
    },
    "required": ["name", "arguments"],
    "additionalProperties": False,
}
CALL = {"name": "get_weather", "arguments": {"city": "Oslo", "unit": "celsius", "days": 3}}


def extraction(items: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """An answer with many extracted entities: a tagged union in a list."""
    kinds: dict[str, dict[str, Any]] = {
        "person": {"name": {"type": "string"}, "age": {"type": ["integer", "null"]}},
        "place": {"name": {"type": "string"}, "lat": {"type": "number"}, "lon": {"type": "number"}},
        "event": {"title": {"type": "string"}, "tags": {"type": "array", "items": {"type": "string"}}},
    }
    branches = [
        {
            "type": "object",
            "properties": {"kind": {"const": kind}, **props},
            "required": ["kind", *props],
            "additionalProperties": False,
        }
        for kind, props in kinds.items()
    ]
    values: tuple[dict[str, Any], ...] = (
        {"kind": "person", "name": "Ada", "age": 36},
        {"kind": "place", "name": "Oslo", "lat": 59.9, "lon": 10.7},
        {"kind": "event", "title": "Launch", "tags": ["a", "b"]},
    )
    schema = {
        "$schema": DRAFT_07,
        "type": "object",
        "properties": {"entities": {"type": "array", "items": {"oneOf": branches}}},
        "required": ["entities"],
    }
    return schema, {"entities": [values[i % 3] for i in range(items)]}


def measure(operation: Callable[[], object], runs: int) -> list[float]:
    """Seconds of one operation, run by run."""
    count = 1
    while True:
        started = time.thread_time()
        for _ in range(count):
            operation()
        taken = time.thread_time() - started
        if taken > 0.1:
            break
        count *= 2
    out = []
    for _ in range(runs):
        started = time.thread_time()
        for _ in range(count):
            operation()
        out.append((time.thread_time() - started) / count)
    return out


def operations(
    name: str, schema: dict[str, Any], value: Any
) -> Iterator[tuple[str, str, str, Callable[[], object]]]:
    """(case, what, by whom, operation)."""
    payload = orjson.dumps(value)
    bad_value = dict.fromkeys(value)
    bad = orjson.dumps(bad_value)
    source = SchemaSource(json.dumps(schema).encode())
    ours = ENGINE.compile_validator(source)
    slow = jsonschema.Draft7Validator(schema)
    fast = fastjsonschema.compile(schema)
    assert ours.validate(payload).valid
    assert slow.is_valid(value)
    case = f"{name}, {len(payload):,} bytes"
    yield case, "parse JSON only", "orjson", lambda: orjson.loads(payload)
    yield case, "valid payload", "ours, from bytes", lambda: ours.validate(payload)
    yield case, "valid payload", "ours, strict", lambda: ours.validate(payload, strict=True)
    yield case, "valid value", "jsonschema", lambda: slow.is_valid(value)
    yield case, "valid value", "fastjsonschema", lambda: fast(value)
    yield case, "invalid payload, all errors", "ours, from bytes", lambda: ours.validate(bad)
    yield case, "invalid value, all errors", "jsonschema", lambda: list(slow.iter_errors(bad_value))
    yield case, "compile", "ours", lambda: ENGINE.compile_validator(source)
    yield case, "compile", "fastjsonschema", lambda: fastjsonschema.compile(schema)
    yield case, "register: strict parse, fingerprints", "ours", lambda: ENGINE.parse(source)
    narrower = SchemaSource(json.dumps({**schema, "maxProperties": 1}).encode())
    yield case, "compare: NO with witness", "ours", lambda: ENGINE.compare(narrower, source, CompareOptions())
    yield case, "compare: YES", "ours", lambda: ENGINE.compare(source, narrower, CompareOptions())


def page(runs: int) -> str:
    rows = []
    cases = (
        ("tool call", TOOL_CALL, CALL),
        ("10 entities", *extraction(10)),
        ("1,000 entities", *extraction(1000)),
    )
    for name, schema, value in cases:
        for case, what, by, operation in operations(name, schema, value):
            times = [t * 1e6 for t in measure(operation, runs)]
            rows.append(
                f"| {case} | {what} | {by} | {statistics.median(times):,.1f} us | "
                f"{min(times):,.1f} to {max(times):,.1f} us |"
            )
    versions = ", ".join(
        f"{package} {importlib.metadata.version(package)}"
        for package in ("jsonschema-rs", "jsonschema", "fastjsonschema", "orjson")
    )
    return "\n".join(
        [
            "# Validation of JSON beside jsonschema and fastjsonschema",
            "",
            f"`python loadtest/engines/json_schema_validation.py --runs {runs}`",
            "",
            f"{os.cpu_count()} processors, load average {os.getloadavg()[0]:.1f}; Python {platform.python_version()}, "
            f"{versions}",
            "",
            "| document | what | by | median | fastest to slowest run |",
            "|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()
    text = page(options.runs)
    if options.markdown:
        options.markdown.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
