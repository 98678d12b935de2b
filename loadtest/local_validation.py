"""How much faster the SDK validates in its own process than by a call: `PYTHONPATH=.:engines:server:clients/python python loadtest/local_validation.py`.

One thread, one schema, one payload of about 400 bytes; the live cache's `latest` beside it. The ratio is what counts: both sides
share the processors of one machine with the server.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from llm_schema_registry import SchemaRegistry
from tests.api.server import ServerProcess

SECONDS = 2.0
SCHEMA = {
    "type": "object",
    "properties": {
        "answer": {"type": "string", "maxLength": 4000},
        "confidence": {"type": "number", "minimum": 0, "maximum": 1},
        "sources": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"title": {"type": "string"}, "page": {"type": "integer", "minimum": 1}},
                "required": ["title"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["answer", "sources"],
    "additionalProperties": False,
}
DATA = {
    "answer": "The registry validates data under the version that a selector chooses.",
    "confidence": 0.75,
    "sources": [{"title": f"Chapter {n}, on schemas and versions", "page": n + 1} for n in range(6)],
}


def per_second(call: Callable[[], object]) -> float:
    """Calls in a second, after a warm-up."""
    for _ in range(50):
        call()
    began, count = time.perf_counter(), 0
    while time.perf_counter() - began < SECONDS:
        call()
        count += 1
    return count / (time.perf_counter() - began)


def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        server = ServerProcess(Path(home))
        with SchemaRegistry(server.grpc) as registry, registry.cached() as live:
            schema_id = registry.register_schema("llm.answer", SCHEMA).schema_id
            calls: dict[str, Callable[[], object]] = {
                "validate_data(schema_id, ...)": lambda: registry.validate_data(schema_id, DATA),
                "validate_data(subject=...)": lambda: registry.validate_data(subject="llm.answer", data=DATA),
                "validate_locally(schema_id, ...)": lambda: registry.validate_locally(schema_id, DATA),
                "live.validate(subject, ...)": lambda: live.validate("llm.answer", DATA),
                "get_latest_version(subject)": lambda: registry.get_latest_version("llm.answer"),
                "live.latest(subject)": lambda: live.latest("llm.answer"),
            }
            rates = {name: per_second(call) for name, call in calls.items()}
        server.stop()
    print("| call | per second |\n|---|---:|")
    for name, rate in rates.items():
        print(f"| `{name}` | {rate:,.0f} |")
    local = rates["live.validate(subject, ...)"] / rates["validate_data(subject=...)"]
    latest = rates["live.latest(subject)"] / rates["get_latest_version(subject)"]
    print(f"\nValidation {local:.0f} times, the latest version {latest:.0f} times as fast as a call.")


if __name__ == "__main__":
    main()
