"""Rate limits over every wire: what answers say of them, who is refused, and that who keeps to them does not notice those who do not."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import grpc
import httpx
import pytest
from google.protobuf import empty_pb2
from google.rpc import error_details_pb2

from llm_schema_registry.v1 import config_pb2
from llm_schema_registry.v1 import schema_registry_pb2 as pb
from tests.api.helpers import V1, register
from tests.api.wires import CallFailed, GrpcWire, Wire
from tests.support.tokens import Issuer

from .callers import WIRES, Callers

BURST = 40
SETTINGS = {
    "RATE_LIMITS__READ__PER_SECOND": "0.5",
    "RATE_LIMITS__READ__BURST": str(BURST),
    "RATE_LIMITS__WRITE__PER_SECOND": "0.5",
    "RATE_LIMITS__WRITE__BURST": "3",
    "RATE_LIMITS__CHECK__PER_SECOND": "40",
    "RATE_LIMITS__CHECK__BURST": "5",
    "RATE_LIMITS__STREAM__PER_SECOND": "0.5",
    "RATE_LIMITS__STREAM__BURST": "3",
}


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callers]:
    made = Callers(
        tmp_path_factory.mktemp("limited"), more="[rate_limits.factors]\nprivileged = 1000", **SETTINGS
    )
    yield made
    made.stop()


@pytest.fixture(scope="module")
def schema_ids(limited: Callers) -> dict[str, str]:
    """A schema on each server."""
    found = {
        wire: register(limited.wire(wire, "privileged", ["admin"]), "orders", V1).schema_id
        for wire in ("native", "grpcio")
    }
    return {**found, "http": found["native"]}


def nobody_yet() -> str:
    return f"caller-{uuid4().hex[:12]}"


def refused(wire: Wire, rpc: str, request: object) -> CallFailed | None:
    try:
        wire.call(rpc, request)  # type: ignore[arg-type]  # messages
    except CallFailed as failed:
        return failed
    return None


@pytest.mark.parametrize("wire", WIRES)
def test_kept_answers_count_and_who_has_used_up_his_is_told_when_there_is_more(
    limited: Callers, schema_ids: dict[str, str], wire: str
) -> None:
    mine = limited.wire(wire, nobody_yet(), ["reader"])
    outcomes = [
        refused(mine, "GetSchema", pb.GetSchemaRequest(schema_id=schema_ids[wire])) for _ in range(BURST + 5)
    ]

    assert outcomes[:BURST] == [None] * BURST
    for failed in outcomes[BURST + 1 :]:  # one more may have come by while they were made
        assert failed is not None
        assert failed.reason == "RATE_LIMITED"
        assert failed.code == grpc.StatusCode.RESOURCE_EXHAUSTED.value[0] or failed.http == 429
        delay = failed.detail(error_details_pb2.RetryInfo).retry_delay
        assert 0 < delay.seconds + delay.nanos / 1e9 <= 2
    other = limited.wire(wire, nobody_yet(), ["reader"])
    assert refused(other, "GetSchema", pb.GetSchemaRequest(schema_id=schema_ids[wire])) is None


@pytest.mark.parametrize("engine", ["native", "grpcio"])
def test_trailers_of_allowed_refused_and_failed_calls_say_what_is_left(
    limited: Callers, schema_ids: dict[str, str], engine: str
) -> None:
    headers = tuple(limited.headers(nobody_yet(), ["reader"]).items())
    channel = GrpcWire(engine, limited.servers[engine].grpc).channel
    get = channel.unary_unary(
        "/schema_registry.v1.SchemaRegistry/GetSchema", request_serializer=lambda m: m.SerializeToString()
    )
    left = []
    for schema_id in (schema_ids[engine], schema_ids[engine], str(uuid4())):
        call = get.future(pb.GetSchemaRequest(schema_id=schema_id), metadata=headers, timeout=20)
        call.exception()
        trailers = dict(call.trailing_metadata())
        assert trailers["x-ratelimit-limit"] == str(BURST)
        assert int(trailers["x-ratelimit-reset"]) > 0
        left.append(int(trailers["x-ratelimit-remaining"]))
    channel.close()
    assert left == [BURST - 1, BURST - 2, BURST - 3]


def test_headers_of_http_say_what_is_left(limited: Callers, schema_ids: dict[str, str]) -> None:
    headers = limited.headers(nobody_yet(), ["reader"])
    with httpx.Client(base_url=limited.servers["native"].http, headers=headers, trust_env=False) as client:
        path = f"/api/v1/schemas/{schema_ids['http']}"
        answers = [client.get(path) for _ in range(3)]
        answers += [
            client.get(f"/api/v1/schemas/{uuid4()}"),
            client.get(path, headers={"if-none-match": answers[0].headers["etag"]}),
        ]
        assert [a.status_code for a in answers] == [200, 200, 200, 404, 304]
        assert [int(a.headers["x-ratelimit-remaining"]) for a in answers] == [BURST - n for n in range(1, 6)]
        for _ in range(BURST):
            last = client.get(path)
    assert last.status_code == 429
    assert last.headers["retry-after"] in ("1", "2")
    assert (last.headers["x-ratelimit-limit"], last.headers["x-ratelimit-remaining"]) == (str(BURST), "0")
    assert last.json()["error_code"] == "RATE_LIMITED"


@pytest.mark.parametrize("wire", WIRES)
def test_classes_are_counted_apart(limited: Callers, schema_ids: dict[str, str], wire: str) -> None:
    mine = limited.wire(wire, nobody_yet(), ["admin"])
    config = config_pb2.SetConfigRequest(context=".x", config=config_pb2.Config(apply_defaults=True))
    outcomes = [refused(mine, "SetConfig", config) for _ in range(6)]
    assert [o.reason if o else "" for o in outcomes[:3]] == ["", "", ""]
    assert [o.reason if o else "" for o in outcomes[4:]] == ["RATE_LIMITED"] * 2
    assert refused(mine, "GetSchema", pb.GetSchemaRequest(schema_id=schema_ids[wire])) is None


@pytest.mark.parametrize("wire", WIRES)
def test_streams_count_when_they_are_opened_and_a_batch_is_slowed_down(
    limited: Callers, schema_ids: dict[str, str], wire: str
) -> None:
    mine = limited.wire(wire, nobody_yet(), ["developer"])
    began = time.monotonic()
    items = [pb.ValidateDataRequest(schema_id=schema_ids[wire], data=b"{}") for _ in range(25)]
    reports = list(mine.batch("BatchValidate", items))
    assert [r.error.code for r in reports] == [0] * 25
    assert time.monotonic() - began > 0.4, "twenty more than the burst of 5, at 40 a second"
    opened: list[str] = []
    while len(opened) < 4 and "RATE_LIMITED" not in opened:
        try:
            list(mine.batch("BatchValidate", items[:1]))
        except CallFailed as late:
            opened.append(late.reason)
        else:
            opened.append("")
    assert opened[:2] == ["", ""]
    assert opened[-1] == "RATE_LIMITED"


@pytest.mark.parametrize("wire", WIRES)
def test_a_flood_does_not_take_what_others_have(
    limited: Callers, schema_ids: dict[str, str], wire: str
) -> None:
    flooding, stop = nobody_yet(), threading.Event()
    refusals = []

    def flood() -> None:
        mine = limited.opened(wire, limited.headers(flooding, ["reader"]))
        while not stop.is_set():
            failed = refused(mine, "GetSchema", pb.GetSchemaRequest(schema_id=schema_ids[wire]))
            if failed is not None:
                refusals.append(failed.reason)

    threads = [threading.Thread(target=flood) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        other = limited.wire(wire, nobody_yet(), ["reader"])
        slowest = 0.0
        for _ in range(BURST):
            began = time.monotonic()
            assert refused(other, "GetSchema", pb.GetSchemaRequest(schema_id=schema_ids[wire])) is None
            slowest = max(slowest, time.monotonic() - began)
            time.sleep(0.01)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert set(refusals) == {"RATE_LIMITED"}
    assert slowest < 5


def test_callers_without_credentials_share_what_their_address_has(tmp_path: Path) -> None:
    made = Callers(
        tmp_path,
        RATE_LIMITS__ANONYMOUS__PER_SECOND="0.1",
        RATE_LIMITS__ANONYMOUS__BURST="5",
        PROXIES__TRUSTED="127.0.0.1",
    )
    try:
        for wire in WIRES:
            wires = [made.opened(wire, {"x-forwarded-for": f"10.1.{WIRES.index(wire)}.{n}"}) for n in (1, 2)]
            outcomes = [refused(wires[0], "HealthCheck", empty_pb2.Empty()) for _ in range(7)]
            assert [o.reason if o else "" for o in outcomes] == [""] * 5 + ["RATE_LIMITED"] * 2, wire
            assert refused(wires[1], "HealthCheck", empty_pb2.Empty()) is None
            known = made.opened(
                wire, {"x-forwarded-for": f"10.1.{WIRES.index(wire)}.1", **made.headers("ada", ["reader"])}
            )
            assert refused(known, "HealthCheck", empty_pb2.Empty()) is None, "who shows good credentials"
    finally:
        made.stop()


def test_bad_credentials_count_by_address_and_cost_no_verification_beyond(tmp_path: Path) -> None:
    made = Callers(
        tmp_path,
        RATE_LIMITS__ANONYMOUS__PER_SECOND="0.2",
        RATE_LIMITS__ANONYMOUS__BURST="5",
        PROXIES__TRUSTED="127.0.0.1",
    )
    try:
        for number, wire in enumerate(WIRES):
            here, elsewhere = ({"x-forwarded-for": f"10.2.{number}.{n}"} for n in (1, 2))
            known = made.opened(wire, {**here, **made.headers(f"ada{number}", ["reader"])})
            assert refused(known, "HealthCheck", empty_pb2.Empty()) is None
            outcomes = []
            for _ in range(9):  # each well formed, and signed by somebody else
                stranger = Issuer("ES256").token(sub="eve", roles=["admin"])
                bad = made.opened(wire, {**here, "authorization": f"Bearer {stranger}"})
                outcomes.append(refused(bad, "HealthCheck", empty_pb2.Empty()))
            reasons = [o.reason if o else "" for o in outcomes]
            assert reasons[:5] == ["UNAUTHENTICATED"] * 5, wire
            assert reasons[6:] == ["RATE_LIMITED"] * 3, wire  # one more may have come by
            unseen = made.opened(wire, {**here, **made.headers(f"bob{number}", ["reader"])})
            failed = refused(unseen, "HealthCheck", empty_pb2.Empty())
            assert failed is not None
            assert failed.reason == "RATE_LIMITED"
            assert refused(known, "HealthCheck", empty_pb2.Empty()) is None, "whom the server knows"
            other = made.opened(wire, {**elsewhere, **made.headers(f"cy{number}", ["reader"])})
            assert refused(other, "HealthCheck", empty_pb2.Empty()) is None
    finally:
        made.stop()


def test_an_open_server_on_loopback_limits_nothing_unless_it_is_told_to(tmp_path: Path) -> None:
    from tests.api.server import ServerProcess

    for mode, expected in (("auto", 0), ("on", 20)):
        server = ServerProcess(
            tmp_path / mode,
            RATE_LIMITS__MODE=mode,
            RATE_LIMITS__ANONYMOUS__PER_SECOND="0.1",
            RATE_LIMITS__ANONYMOUS__BURST="5",
        )
        try:
            with httpx.Client(base_url=server.http, trust_env=False) as client:
                answers = [client.get("/api/v1/subjects") for _ in range(25)]
        finally:
            server.stop()
        assert [a.status_code for a in answers].count(429) == expected
        assert ("x-ratelimit-limit" in answers[0].headers) == bool(expected)
