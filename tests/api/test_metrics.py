"""/metrics tells what happened and how the parts are."""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

import grpc
import httpx
import pytest

from llm_schema_registry.v1 import schema_registry_pb2 as pb
from llm_schema_registry.v1 import schema_registry_pb2_grpc as rpc
from tests.support.prometheus import prometheus, run_tool

from .conftest import Servers
from .helpers import register
from .server import ServerProcess
from .wires import CallFailed, GrpcWire, HttpWire

DOCS = Path(__file__).parents[2] / "docs"


def series(server: ServerProcess) -> dict[str, float]:
    page = httpx.get(f"http://127.0.0.1:{server.ports['metrics']}/metrics").text
    return {
        name: float(value)
        for name, _, value in (line.rpartition(" ") for line in page.splitlines() if not line.startswith("#"))
    }


def test_calls_kept_answers_and_parts_are_counted(engine: ServerProcess) -> None:
    wire = GrpcWire("metrics", engine.grpc)
    path = "/schema_registry.v1.SchemaRegistry/GetSchema"
    made = register(wire, "counted")
    before = series(engine)

    for _ in range(3):
        wire.call("GetSchema", pb.GetSchemaRequest(schema_id=made.schema_id))
    after = series(engine)
    wire.close()

    kept = f'schema_registry_answer_cache_hits_total{{method="{path}",wire="grpc"}}'
    ran = f'schema_registry_calls_total{{code="OK",method="{path}",wire="grpc"}}'
    assert after[kept] - before[kept] == 2
    assert after[ran] - before.get(ran, 0) == 3
    assert after['schema_registry_component_up{component="storage"}'] == 1
    assert 'schema_registry_component_fact{component="changes",fact="subscribers"}' in after


def moved(
    before: Mapping[str, float], after: Mapping[str, float], family: str, **labels: str
) -> dict[tuple[str, ...], float]:
    """By how much the series of a family with these labels have grown, by the values of the others, sorted by name."""
    found: dict[tuple[str, ...], float] = {}
    for name, value in after.items():
        base, _, inner = name.partition("{")
        if base != family:
            continue
        have = dict(re.findall(r'(\w+)="([^"]*)"', inner))
        if labels.items() <= have.items() and value != before.get(name, 0):
            rest = tuple(have[k] for k in sorted(have) if k not in labels)
            found[rest] = value - before.get(name, 0)
    return found


def test_each_call_over_grpc_is_in_the_histograms_once_however_it_ended(engine: ServerProcess) -> None:
    wire = GrpcWire("histograms", engine.grpc)
    made = register(wire, f"histograms.{uuid4().hex}")
    get, search = (
        "schema_registry.v1.SchemaRegistry/GetSchema",
        "schema_registry.v1.SchemaRegistry/SearchSchemas",
    )
    before = series(engine)
    calls = {"OK": 12, "NOT_FOUND": 3, "INVALID_ARGUMENT": 2, "RESOURCE_EXHAUSTED": 1}

    for _ in range(calls["OK"]):
        wire.call("GetSchema", pb.GetSchemaRequest(schema_id=made.schema_id))  # all but the first are cached
    for _ in range(calls["NOT_FOUND"]):
        with pytest.raises(CallFailed):
            wire.call("GetSchema", pb.GetSchemaRequest(schema_id="missing"))
    raw = wire.channel.unary_unary(f"/{get}")
    for _ in range(calls["INVALID_ARGUMENT"]):
        with pytest.raises(grpc.RpcError):
            raw(b"\xff\xff no message")
    with pytest.raises(grpc.RpcError):
        raw(bytes(9 << 20))  # over grpc.max_message_bytes
    list(wire.listing("SearchSchemas", pb.SearchSchemasRequest(query="nothing")))
    wire.close()
    after = series(engine)

    counted = moved(before, after, "rpc_server_call_duration_seconds_count", rpc_method=get)
    by_code = {code: n for (_, code, _), n in counted.items()}
    # grpcio refuses a message that is too large before it is a call of ours.
    own = (
        calls
        if engine.log.parent.name == "native"
        else {k: v for k, v in calls.items() if k != "RESOURCE_EXHAUSTED"}
    )
    assert by_code == own
    method = f"/{get}"
    assert moved(before, after, "schema_registry_call_seconds_count", method=method) == {
        ("grpc",): sum(own.values())
    }
    assert sum(moved(before, after, "schema_registry_calls_total", method=method).values()) == sum(
        own.values()
    )
    assert (
        sum(moved(before, after, "rpc_server_call_duration_seconds_count", rpc_method=search).values()) == 1
    )
    assert moved(before, after, "schema_registry_answer_cache_hits_total", method=method) == {("grpc",): 11}


def test_each_request_over_http_is_in_the_histograms_once_however_it_ended(servers: Servers) -> None:
    server = servers["native"]
    wire = HttpWire(server.http)
    made = register(wire, f"histograms.{uuid4().hex}")
    wire.close()
    before = series(server)
    url = f"{server.http}/api/v1"
    with httpx.Client(base_url=url) as client:
        asked = [
            *(client.get(f"/schemas/{made.schema_id}") for _ in range(10)),
            *(client.get(f"/schemas/{made.schema_id}", headers={"if-none-match": "*"}) for _ in range(2)),
            *(client.head(f"/schemas/{made.schema_id}") for _ in range(2)),
            *(client.get("/schemas/missing") for _ in range(3)),
            client.get("/nowhere"),
            client.post("/nowhere"),
            client.request("BREW", "/schemas/pot"),
            client.post("/schemas", content=b"{"),
            client.post("/schemas", content=bytes(13 << 20)),  # over http.max_body_bytes
            client.get("/schemas", params={"query": "nothing"}),
        ]
    after = series(server)

    told = Counter((r.request.method, r.status_code) for r in asked)
    counted: Counter[tuple[str, int]] = Counter()
    for (_, verb, status, _), n in moved(before, after, "http_server_request_duration_seconds_count").items():
        counted["BREW" if verb == "_OTHER" else verb, int(status)] += int(n)
    assert counted == told
    where = {"http_route": "/api/v1/schemas/{schema_id}"}
    sizes = moved(before, after, "http_server_response_body_size_bytes_count", **where)
    assert sizes == {("GET",): 15, ("HEAD",): 2}
    received = moved(before, after, "http_server_request_body_size_bytes_sum", http_route="/api/v1/schemas")
    assert received == {("POST",): 1}
    method = "/schema_registry.v1.SchemaRegistry/GetSchema"
    assert moved(before, after, "schema_registry_call_seconds_count", method=method) == {("http",): 17}
    refused = moved(
        before,
        after,
        "schema_registry_calls_total",
        method="/schema_registry.v1.SchemaRegistry/RegisterSchema",
    )
    assert sum(refused.values()) == 2


@pytest.mark.slow
def test_odd_subjects_make_no_series(servers: Servers) -> None:
    server = servers["native"]
    wire = GrpcWire("odd", server.grpc)
    stub = rpc.SchemaRegistryStub(wire.channel)

    def ask(start: int, count: int) -> None:
        futures: deque[grpc.Future] = deque()
        for n in range(start, start + count):
            odd = f'odd-{n}.\u00fc"\n{{}}' if n % 2 else f"odd-{n}"
            futures.append(stub.GetLatestVersion.future(pb.GetLatestVersionRequest(subject=odd)))
            while len(futures) > 200:
                assert futures.popleft().code() is not None
        for future in futures:
            assert future.code() is not None

    ask(0, 100)
    before = set(series(server))
    ask(100, 10_000)
    wire.close()
    page = httpx.get(server.metrics).text

    assert "odd-" not in page
    # Other codes and other classes of errors have series of their own: a machine that is busy refuses some of the calls.
    assert len(set(series(server)) - before) < 300


def test_every_series_is_in_the_table(servers: Servers) -> None:
    page = httpx.get(servers["native"].metrics).text
    shown = {line.split()[2] for line in page.splitlines() if line.startswith("# TYPE ")}
    table = set(re.findall(r"^\| `(\w+)` \|", (DOCS / "metrics.md").read_text(), re.MULTILINE))

    # The text format announces the times at which counters were made as families of their own.
    assert {name for name in shown if not name.endswith("_created")} <= table
    assert len(table) >= 48


@pytest.mark.slow
def test_prometheus_takes_the_page_and_scrapes_a_server(tmp_path: Path, servers: Servers) -> None:
    server = servers["native"]
    wire = GrpcWire("scraped", server.grpc)
    register(wire, f"scraped.{uuid4().hex}")
    wire.close()
    checked = run_tool("promtool", "check", "metrics", stdin=httpx.get(server.metrics).text)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")

    with prometheus(tmp_path, server.metrics.removeprefix("http://").removesuffix("/metrics")) as ask:
        up = ask('up{job="schema-registry"}')
        assert [value for _, value in up] == [1.0]
        calls = ask('sum(schema_registry_calls_total{method=~".*/RegisterSchema"})')
        assert calls[0][1] >= 1
        assert ask("histogram_quantile(0.95, sum by (le) (schema_registry_call_seconds_bucket))")
