"""Checks under schemas that are in memory: ValidateData, CheckCompatibility asked again, and ValidateItems of a thousand payloads, over the
native engine, beside the empty handler.

    python loadtest/hot_checks.py [--runs 5] [--seconds 2] [--markdown loadtest/results/hot-checks.md]

Needs h2load (apt-get install nghttp2-client). How it measures: see hot_reads.py. A line of ValidateItems is of single payloads.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
from contextlib import ExitStack
from pathlib import Path

import grpc
import psutil
import rig
from google.protobuf.message import Message
from hot_reads import ROOT, SCHEMA, WARM_UP_SECONDS, Subject, call_load, h2load, process, register, registry

from llm_schema_registry.v1 import schema_registry_pb2 as pb
from llm_schema_registry.v1 import tools_pb2

SERVICE, TOOLS = "/schema_registry.v1.SchemaRegistry/", "/schema_registry.v1.ToolsService/"
VALID, INVALID = b'{"id": "o-4711", "amount": 12.5, "note": "by hand"}', b'{"id": 4711, "note": "by hand"}'
ITEMS = 1000
NEXT = json.dumps({**json.loads(SCHEMA), "description": "the next one"}).encode()


def measure(runs: int, seconds: float) -> str:
    """A table in Markdown."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        running, ports = stack.enter_context(registry("native", folder))
        ours, port = psutil.Process(running.pid), ports["grpc"]
        schema_id, _ = register(port)
        empty = stack.enter_context(process(str(ROOT / "loadtest/empty_servers.py"), "native", "100"))
        assert empty.stdout is not None
        ceiling_port = int(empty.stdout.readline())
        valid = pb.ValidateDataRequest(schema_id=schema_id, data=VALID)
        calls: list[tuple[str, str, Message, int]] = [
            ("ValidateData, valid", SERVICE + "ValidateData", valid, 1),
            (
                "ValidateData, two errors",
                SERVICE + "ValidateData",
                pb.ValidateDataRequest(schema_id=schema_id, data=INVALID),
                1,
            ),
            (
                "CheckCompatibility, asked again",
                SERVICE + "CheckCompatibility",
                pb.CompatibilityCheckRequest(subject="loadtest.orders", new_schema=NEXT),
                1,
            ),
            (
                f"ValidateItems of {ITEMS:,}, all valid",
                TOOLS + "ValidateItems",
                tools_pb2.ValidateItemsRequest(schema_id=schema_id, items=[VALID] * ITEMS),
                ITEMS,
            ),
            (
                f"ValidateItems of {ITEMS:,}, one of twenty invalid",
                TOOLS + "ValidateItems",
                tools_pb2.ValidateItemsRequest(
                    schema_id=schema_id, items=([VALID] * 19 + [INVALID]) * (ITEMS // 20)
                ),
                ITEMS,
            ),
        ]
        tested = [(Subject(n, "grpc", ours, call_load(port, p, m, folder)), each) for n, p, m, each in calls]
        beside = Subject(
            "empty handler",
            "grpc",
            psutil.Process(empty.pid),
            call_load(ceiling_port, SERVICE + "GetSchema", valid, folder),
        )
        tested.insert(0, (beside, 1))
        for subject, _ in tested:
            h2load(subject, WARM_UP_SECONDS)
        for _ in range(runs):
            for subject, each in tested:
                run = h2load(subject, seconds)
                subject.rates.append(run.rate * each)
                subject.cpu.append(run.cpu_us / each)
        lines = ["| call | a second, median (lowest to highest) | server CPU for each |", "|---|---|---|"]
        lines += [
            f"| {s.name} | {statistics.median(s.rates):,.0f} ({min(s.rates):,.0f} to {max(s.rates):,.0f}) "
            f"| {statistics.median(s.cpu):.1f} us |"
            for s, _ in tested
        ]
        return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--markdown", type=Path)
    asked = parser.parse_args()
    load_before = os.getloadavg()[0]
    page = (
        f"# Hot checks\n\n`python loadtest/hot_checks.py --runs {asked.runs} --seconds {asked.seconds:g}`\n\n"
        f"{os.cpu_count()} processors shared with the load generator, load average before the run {load_before:.1f}; "
        f"{rig.python()}, grpcio {grpc.__version__}\n\n{measure(asked.runs, asked.seconds)}\n"
    )
    print(page)
    if asked.markdown is not None:
        asked.markdown.write_text(page)


if __name__ == "__main__":
    main()
