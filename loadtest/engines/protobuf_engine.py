"""What the Protobuf engine costs, beside protobuf's own parsers, and what its workers bear.

    PYTHONPATH=server python loadtest/engines/protobuf_engine.py [--runs 7] [--markdown loadtest/results/protobuf-engine.md]

One thread, one core for the engine; two subprocesses for the workers. Each figure is the median over the runs of the
CPU time of one operation, with the fastest and the slowest run, and the median of the time that passed; a run repeats the
operation for about a tenth of a second, after a warm-up of the same length. Only benign schemas are compiled in this
process.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.metadata
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from google.protobuf import json_format

from llm_schema_engines.formats.catalogue import EngineLimits
from llm_schema_engines.formats.engine import ReferencedSchema, SchemaSource
from llm_schema_engines.formats.protobuf import ProtobufEngine, ProtobufLimits
from llm_schema_engines.formats.protobuf.pools import CompiledSchema
from llm_schema_engines.model.compatibility import CompareOptions, Strictness
from llm_schema_engines.model.schema import SchemaType
from llm_schema_engines.model.validation import Encoding
from llm_schema_engines.protoc.in_process import InProcessProtoc
from llm_schema_registry_server.errors import InvalidSchema
from llm_schema_registry_server.settings import WorkersSettings as Bounds
from llm_schema_registry_server.workers.engines import FACTORY
from llm_schema_registry_server.workers.processes import ProcessWorkers
from llm_schema_registry_server.workers.tasks import Parse

ENGINE = ProtobufEngine(InProcessProtoc())

MONEY = b'syntax = "proto3"; package shop.v1; message Money { string currency = 1; int64 units = 2; }'
SMALL = b"""syntax = "proto3";
package shop.v1;
import "google/protobuf/timestamp.proto";
import "shop/v1/money.proto";

// An order.
message Order {
  string id = 1;
  repeated Line lines = 2;  // what was bought
  Money total = 3;
  google.protobuf.Timestamp created = 4;
  map<string, string> labels = 5;
}
message Line {
  string sku = 1;
  int32 quantity = 2;
}
"""
ORDER = b"""{"id": "order-1", "lines": [{"sku": "a-1", "quantity": 2}, {"sku": "b-2", "quantity": 1}],
"total": {"currency": "EUR", "units": "1999"}, "created": "2024-05-06T07:08:09Z", "labels": {"channel": "web"}}"""


def large(messages: int = 63, fields: int = 15) -> bytes:
    """About a thousand fields in that many messages, each of which holds the one before."""
    kinds = ("int32", "string", "double", "bool")
    text = 'syntax = "proto3";\npackage big.v1;\n'
    for m in range(messages):
        lines = [
            f"  // What field {i} holds.\n  {kinds[i % 4]} field_{i} = {i + 1};\n" for i in range(fields)
        ]
        before = f"  M{m - 1} before = {fields + 1};\n" if m else ""
        text += f"message M{m} {{\n{''.join(lines)}{before}}}\n"
    return text.encode()


Operation = tuple[str, str, Callable[[], object]]


def operations() -> Iterator[Operation]:
    """(size, what, the operation)."""
    money = ENGINE.parse(SchemaSource(MONEY))
    used = (ReferencedSchema("shop/v1/money.proto", "money", MONEY, (), money.artifact),)
    for size, content, references, added in (
        ("small: 17 lines, 2 imports", SMALL, used, b"message Line {"),
        ("large: 1,007 fields", large(), (), b"message M30 {"),
    ):
        source = SchemaSource(content, references)
        changed = SchemaSource(content.replace(added, added + b" string added = 99;"), references)
        old, new = (ENGINE.parse(s).artifact for s in (source, changed))
        reader, writer = SchemaSource(b"", artifact=new), SchemaSource(b"", artifact=old)
        yield size, "register: parse, canonical form, fingerprints", partial(ENGINE.parse, source)
        yield size, "compact form from the artifact", partial(CompiledSchema, old)
        yield size, "compact form, pool and classes from the artifact", partial(classes, old)
        for strictness in Strictness:
            options = CompareOptions(strictness)
            yield (
                size,
                f"check one added field, {strictness} (compact forms cached)",
                partial(ENGINE.compare, reader, writer, options),
            )
    yield from validations(SchemaSource(SMALL, used), ENGINE.parse(SchemaSource(SMALL, used)).artifact)


def classes(artifact: bytes) -> None:
    CompiledSchema(artifact).message("")


def validations(source: SchemaSource, artifact: bytes) -> Iterator[Operation]:
    validator = ENGINE.compile_validator(SchemaSource(source.content, artifact=artifact))
    compiled = CompiledSchema(artifact)
    kind = compiled.message("shop.v1.Order")
    assert kind is not None
    binary = json_format.Parse(ORDER, kind()).SerializeToString()
    for encoding, payload in ((Encoding.BINARY, binary), (Encoding.JSON, ORDER)):
        for strict in (False, True):
            assert validator.validate(payload, encoding=encoding, strict=strict).valid
            yield (
                "small",
                f"validate {encoding.name}, {len(payload)} bytes{', strict' if strict else ''}",
                partial(validator.validate, payload, encoding=encoding, strict=strict),
            )
    yield "small", "protobuf's json_format.Parse, the same JSON", lambda: json_format.Parse(ORDER, kind())
    yield "small", "protobuf's FromString, the same bytes", lambda: kind.FromString(binary)


def measure(runs: int) -> list[str]:
    lines = [
        "| schema | what | CPU: median | fastest to slowest run | passed: median |",
        "|---|---|---|---|---|",
    ]
    for size, what, operation in operations():
        cpu, passed = zip(*seconds(operation, runs), strict=True)
        lines.append(
            f"| {size} | {what} | {1e6 * statistics.median(cpu):,.1f} us "
            f"| {1e6 * min(cpu):,.1f} to {1e6 * max(cpu):,.1f} us | {1e6 * statistics.median(passed):,.1f} us |"
        )
        print(lines[-1], flush=True)
    return lines


def seconds(operation: Callable[[], object], runs: int) -> list[tuple[float, float]]:
    """The CPU time and the passed time of one operation in each run."""
    count, spent = 1, 0.0
    while spent < 0.1:  # warm-up; finds how many fill a run
        count *= 2
        spent = count * timed(operation, count)[0]
    count = max(1, int(count * 0.1 / spent))
    return [timed(operation, count) for _ in range(runs)]


def timed(operation: Callable[[], object], count: int) -> tuple[float, float]:
    cpu, passed = time.process_time(), time.perf_counter()
    for _ in range(count):
        operation()
    return (time.process_time() - cpu) / count, (time.perf_counter() - passed) / count


async def compiles(workers: ProcessWorkers, count: int) -> float:
    """Registrations a second of `count` different small schemas, 16 at a time."""
    schemas = iter([SMALL_ALONE.replace(b"Order", b"Order%d" % i) for i in range(count)])

    async def client() -> None:
        for content in schemas:
            await workers.run(Parse(SchemaType.PROTOBUF, SchemaSource(content)))

    started = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(16)))
    return count / (time.perf_counter() - started)


SMALL_ALONE = SMALL.replace(b'import "shop/v1/money.proto";\n', b"").replace(b"  Money total = 3;\n", b"")
NEST = 5000
DEADLY = [
    b'import "google/protobuf/descriptor.proto"; message O { optional O a = 1; } extend google.protobuf.FileOptions '
    b"{ optional O o = 50001; } option (o) = " + b"{a " * 6000 + b"{}" + b"}" * 6000 + b";",
    b"message M {" + b"".join(b"optional group G%d = 1 {" % i for i in range(NEST)) + b"}" * (NEST + 1),
    b"message M {" + b"".join(b"optional int32 f%d = 1;" % i for i in range(60_000)) + b"}",
]


async def latencies(workers: ProcessWorkers, hostile: bool, duration: float) -> list[float]:
    """Milliseconds of small registrations, one after the other, while another caller sends deadly sources."""
    stop = asyncio.Event()

    async def attack() -> None:
        while not stop.is_set():
            for content in DEADLY:
                try:
                    await workers.run(Parse(SchemaType.PROTOBUF, SchemaSource(content)))
                except InvalidSchema:
                    continue

    attacker = asyncio.create_task(attack()) if hostile else None
    times: list[float] = []
    end = time.perf_counter() + duration
    while time.perf_counter() < end:
        content = SMALL_ALONE.replace(b"Order", b"Order%d" % len(times))
        started = time.perf_counter()
        await workers.run(Parse(SchemaType.PROTOBUF, SchemaSource(content)))
        times.append(1e3 * (time.perf_counter() - started))
        await asyncio.sleep(0.002)
    stop.set()
    if attacker is not None:
        attacker.cancel()
        await asyncio.gather(attacker, return_exceptions=True)
    return times


async def workers_bear(runs: int) -> list[str]:
    many = 1 << 40
    unguarded = ProtobufLimits(
        source=many, total=many, brackets=many, identifier=many, statements=many, names=many
    )
    workers = ProcessWorkers(Bounds(processes=2), FACTORY, EngineLimits(protobuf=unguarded))
    await workers.start()
    try:
        await compiles(workers, 200)
        rates = [await compiles(workers, 1000) for _ in range(runs)]
        lines = [
            "| two worker subprocesses | |",
            "|---|---|",
            f"| small registrations a second, 16 callers: median, slowest to fastest run | {statistics.median(rates):,.0f}, {min(rates):,.0f} to {max(rates):,.0f} |",
        ]
        for hostile in (False, True):
            times = sorted(await latencies(workers, hostile, 10))
            label = "while deadly sources kill workers (guards off)" if hostile else "alone"
            p50, p95, p99 = (times[int(len(times) * q)] for q in (0.5, 0.95, 0.99))
            lines.append(
                f"| one small registration {label}: p50, p95, p99, worst of {len(times):,} | {p50:.1f}, {p95:.1f}, {p99:.1f}, {times[-1]:.1f} ms |"
            )
    finally:
        await workers.stop()
    print("\n".join(lines), flush=True)
    return lines


def machine() -> str:
    model = "unknown processor"
    if (cpuinfo := Path("/proc/cpuinfo")).exists():
        models = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = models[0].partition(":")[2].strip() if models else model
    versions = ", ".join(
        f"{name} {importlib.metadata.version(name)}" for name in ("protobuf", "grpcio-tools")
    )
    load = f"load average {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return f"{model}, {os.cpu_count()} processors, {load}; Python {platform.python_version()}, {versions}"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--runs", type=int, default=7)
    arguments.add_argument("--markdown", type=Path)
    given = arguments.parse_args()
    described = machine()
    lines = [*measure(given.runs), "", *asyncio.run(workers_bear(given.runs))]
    if given.markdown:
        command = f"python loadtest/engines/protobuf_engine.py --runs {given.runs}"
        given.markdown.write_text(
            f"# The Protobuf engine\n\n`{command}`\n\n{described}\n\n" + "\n".join(lines) + "\n"
        )


if __name__ == "__main__":
    main()
