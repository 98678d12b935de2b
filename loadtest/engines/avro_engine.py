"""What the Avro engine costs, beside fastavro and the avro package, on the same inputs.

    PYTHONPATH=server python loadtest/engines/avro_engine.py [--runs 7] [--markdown loadtest/results/avro-engine.md]

One thread. Each figure is the median over the runs of the CPU time of one operation, with the fastest and the
slowest run; a run repeats the operation for about a tenth of a second, after a warm-up of the same length.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import io
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import avro.compatibility
import avro.io
import avro.schema
import fastavro

from llm_schema_engines.formats.avro import AvroEngine, AvroLimits
from llm_schema_engines.formats.avro.data.validator import AvroValidator
from llm_schema_engines.formats.avro.resolution.compare import compare
from llm_schema_engines.formats.avro.schema.document import load
from llm_schema_engines.formats.engine import SchemaSource
from llm_schema_engines.model.validation import Encoding

LIMITS = AvroLimits()
TYPES: tuple[tuple[Any, Any], ...] = (
    ("long", 123456789),
    ("string", "some text of a usual length"),
    (["null", "string"], "maybe"),
    ("double", 0.25),
    ({"type": "array", "items": "string"}, ["a", "b"]),
    ({"type": "long", "logicalType": "timestamp-micros"}, 1_700_000_000_000_000),
    ("boolean", True),
)


def schema(fields: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """A record with that many fields, and a value of it."""
    members, value = [], {}
    for i in range(fields):
        kind, one = TYPES[i % len(TYPES)]
        members.append({"name": f"field_{i}", "type": kind, "doc": f"What field {i} holds."})
        value[f"field_{i}"] = one
    return {"type": "record", "name": "Event", "namespace": "org.example", "fields": members}, value


def evolved(given: dict[str, Any]) -> dict[str, Any]:
    return {
        **given,
        "fields": [*given["fields"], {"name": "added", "type": ["null", "int"], "default": None}],
    }


def bare(given: Any) -> Any:
    """Without logical types, which the others turn into objects."""
    if isinstance(given, dict):
        return {key: bare(value) for key, value in given.items() if key != "logicalType"}
    return [bare(item) for item in given] if isinstance(given, list) else given


Operation = tuple[str, str, Callable[[], object]]


def operations(fields: int) -> list[Operation]:
    """(what, by whom, the operation)."""
    old, value = schema(fields)
    new = evolved(old)
    old_text, new_text = json.dumps(old).encode(), json.dumps(new).encode()
    old_root = load(old_text, (), LIMITS, strict=True).root
    new_root = load(new_text, (), LIMITS, strict=True).root
    engine = AvroEngine()
    fast = fastavro.parse_schema(bare(old))
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fast, value)
    binary, plain = out.getvalue(), json.dumps(value).encode()
    tagged_value = {k: {"string": v} if v == "maybe" else v for k, v in value.items()}
    tagged = json.dumps(tagged_value).encode()
    validator = AvroValidator(old_root, LIMITS)
    theirs_old, theirs_new = avro.schema.parse(old_text.decode()), avro.schema.parse(new_text.decode())
    checker = avro.compatibility.ReaderWriterCompatibilityChecker

    def fastavro_read() -> object:
        return fastavro.schemaless_reader(io.BytesIO(binary), fast, None)

    def avro_read() -> object:
        return avro.io.DatumReader(theirs_old, theirs_old).read(avro.io.BinaryDecoder(io.BytesIO(binary)))

    def validate(payload: bytes, encoding: Encoding) -> Callable[[], object]:
        assert validator.validate(payload, encoding=encoding).valid
        return lambda: validator.validate(payload, encoding=encoding)

    return [
        ("parse strictly", "ours", lambda: load(old_text, (), LIMITS, strict=True)),
        ("parse strictly", "fastavro", lambda: fastavro.parse_schema(json.loads(old_text))),
        ("parse strictly", "avro", lambda: avro.schema.parse(old_text.decode())),
        ("check one added field (parsed)", "ours", lambda: compare(new_root, old_root, LIMITS)),
        ("check one added field (parsed)", "avro", lambda: checker().get_compatibility(theirs_new, theirs_old)),  # type: ignore[no-untyped-call]
        ("parse and check", "ours", lambda: compare(load(new_text, (), LIMITS, strict=True).root, old_root, LIMITS)),
        ("register: parse, canonical form, fingerprints", "ours", lambda: engine.parse(SchemaSource(old_text))),
        ("compile the validator", "ours", lambda: AvroValidator(old_root, LIMITS).validate(b"", encoding=Encoding.BINARY)),
        (f"binary data, {len(binary)} bytes", "ours", validate(binary, Encoding.BINARY)),
        (f"binary data, {len(binary)} bytes", "fastavro (reads)", fastavro_read),
        (f"binary data, {len(binary)} bytes", "avro (reads)", avro_read),
        (f"plain JSON, {len(plain)} bytes", "ours", validate(plain, Encoding.JSON)),
        (f"plain JSON, {len(plain)} bytes", "fastavro (validates)", lambda: fastavro.validate(json.loads(plain), fast)),
        (f"Avro JSON, {len(tagged)} bytes", "ours", validate(tagged, Encoding.AVRO_JSON)),
    ]  # fmt: skip


def seconds(operation: Callable[[], object], runs: int) -> list[float]:
    """The time of one operation in each run."""
    count, spent = 1, 0.0
    while spent < 0.1:  # warm-up; finds how many fill a run
        count *= 2
        spent = _time(operation, count)
    count = max(1, int(count * 0.1 / spent))
    return [_time(operation, count) / count for _ in range(runs)]


def _time(operation: Callable[[], object], count: int) -> float:
    started = time.process_time()
    for _ in range(count):
        operation()
    return time.process_time() - started


def measure(runs: int) -> list[str]:
    lines = ["| fields | what | by | median | fastest to slowest run |", "|---|---|---|---|---|"]
    for fields in (10, 300):
        for what, by, operation in operations(fields):
            times = [1e6 * t for t in seconds(operation, runs)]
            lines.append(
                f"| {fields} | {what} | {by} | {statistics.median(times):,.1f} us | {min(times):,.1f} to {max(times):,.1f} us |"
            )
            print(lines[-1], flush=True)
    return lines


def machine() -> str:
    model = "unknown processor"
    if (cpuinfo := Path("/proc/cpuinfo")).exists():
        models = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = models[0].partition(":")[2].strip() if models else model
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("fastavro", "avro"))
    load = f"load average {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return f"{model}, {os.cpu_count()} processors, {load}; Python {platform.python_version()}, {versions}"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--runs", type=int, default=7)
    arguments.add_argument("--markdown", type=Path)
    given = arguments.parse_args()
    described = machine()
    lines = measure(given.runs)
    if given.markdown:
        command = f"python loadtest/engines/avro_engine.py --runs {given.runs}"
        given.markdown.write_text(
            f"# The Avro engine beside fastavro and the avro package\n\n`{command}`: CPU time per operation\n\n{described}\n\n"
            + "\n".join(lines)
            + "\n"
        )


if __name__ == "__main__":
    main()
