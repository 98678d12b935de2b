"""Two registries with everything that dashboards show, and the calls that move it: one as in production (two servers on PostgreSQL,
Redis and an object store; tokens, rate limits, traces), one on SQLite that speaks TLS."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import empty_pb2
from google.protobuf.message import Message

from llm_schema_registry.v1 import access_pb2 as access_pb
from llm_schema_registry.v1 import answers_pb2, conformance_pb2, providers_pb2
from llm_schema_registry.v1 import schema_registry_pb2 as pb
from llm_schema_registry.v1 import schema_registry_pb2_grpc as pb_grpc
from tests.api.helpers import (
    AVRO,
    AVRO_V1,
    AVRO_V2,
    FIRST,
    JSON,
    SECOND,
    V1,
    V2_BREAKING,
    V2_COMPATIBLE,
    closed,
    get,
    register,
)
from tests.api.server import ServerProcess
from tests.api.wires import CallFailed, GrpcWire, HttpWire, Wire
from tests.security.callers import Carrying
from tests.support.otlp import over_grpc
from tests.support.production import THRESHOLD, Production
from tests.support.profiles import REJECTED, profile
from tests.support.tls import TlsHome, refusal
from tests.support.tokens import AUDIENCE, ISSUER, Issuer

READS = 20
BIG = json.loads(closed(a={"type": "string", "description": "long " * THRESHOLD}))
UNDECIDED = [
    closed(a={"type": "string", "pattern": pattern})
    for pattern in ("(b|a)*a(a|b){30}(a|b)*$", "(a|b)*a(a|b){30}$")
]
"""To tell whether the second takes all that the first takes is more work than a proof may be."""
SLOW = json.dumps(
    {"type": "array", "items": {"anyOf": [{"type": "string", "pattern": f"^x{n}"} for n in range(20)]}}
)
"""To validate a long array under it takes longer than a call is worth: a worker does it."""


class Registries:
    """The servers, and wires of those who call them."""

    def __init__(self, production: Production, tls_home: TlsHome, issuer: Issuer, stack: ExitStack) -> None:
        self.servers = [instance.server for instance in production.instances if instance.server is not None]
        self.alone = tls_home.start(
            "alone",
            client_certificates="optional",
            STATISTICS__REFRESH_SECONDS="1",
            METRICS__CONFLUENT_NAMES="true",
            PROVIDERS__WATCH_SECONDS="0.2",
            PROVIDERS__WATCH_SHARE="1",
        )
        stack.callback(self.alone.stop)
        self._issuer, self._stack, self._tls = issuer, stack, tls_home
        writes, reads = self.servers
        self.admin, self.admin_http = self._opened(writes, "ops", "admin")
        self.other, _ = self._opened(reads, "ops", "admin")
        self.reader, _ = self._opened(writes, "reader", "reader")
        self.guess, self.guess_http = self._opened(writes, "", "")
        pair = tls_home.clients.issue(uris=["spiffe://test/role/admin"])
        self.secure, self.secure_http = tls_home.grpc(self.alone, pair), tls_home.http(self.alone, pair)
        stack.callback(self.secure.close)
        stack.callback(self.secure_http.close)

    @property
    def targets(self) -> list[str]:
        """What Prometheus scrapes: host:port of each server."""
        return [f"127.0.0.1:{server.ports['metrics']}" for server in (*self.servers, self.alone)]

    def _headers(self, name: str, role: str) -> Mapping[str, str]:
        token = self._issuer.token(sub=name, roles=[role]) if name else "no-token"
        return {"authorization": f"Bearer {token}"}

    def _opened(self, server: ServerProcess, name: str, role: str) -> tuple[GrpcWire, HttpWire]:
        wire, http = GrpcWire("grpc", server.grpc), HttpWire(server.http)
        self._stack.callback(wire.channel.close)
        self._stack.callback(http.close)
        wire.channel = grpc.intercept_channel(wire.channel, Carrying(self._headers(name, role)))
        http.client.headers.update(self._headers(name, role))
        return wire, http

    def load(self, turn: str) -> None:
        """Some of everything; each turn has subjects of its own, so that caches miss and counters move."""
        for wire, http in ((self.admin, self.admin_http), (self.secure, self.secure_http)):
            _write(wire, turn)
            _read(wire, http, turn)
            _judge(wire, turn)
        # The other server has none of it in memory: it asks Redis and the object store.
        for name in ("json", "avro", "proto", "big"):
            self.other.call("GetLatestVersion", pb.GetLatestVersionRequest(subject=f"{turn}.{name}"))
        _judge(self.other, turn)
        undecided = pb.CompatibilityCheckRequest(subject=f"{turn}.undecided", new_schema=UNDECIDED[1])
        assert self.secure.call("CheckCompatibility", undecided).verdict == pb.VERDICT_UNDECIDED
        _report(self.secure, turn)
        _change_a_profile(self.secure, turn)
        self._refused(turn)

    def _refused(self, turn: str) -> None:
        for wire in (self.guess, self.guess_http):
            _refuses(wire, "GetLatestVersion", pb.GetLatestVersionRequest(subject=f"{turn}.json"))
        write = pb.RegisterSchemaRequest(subject=turn, schema_content=V1, schema_type=JSON)
        _refuses(self.reader, "RegisterSchema", write)
        # More than rate_limits.admin allows at once.
        assert not all(_allowed(self.admin, "ListGrants", access_pb.ListGrantsRequest()) for _ in range(5))
        # Without a certificate of a known authority: the handshake fails.
        assert refusal(self.alone.ports["grpc"], ssl.create_default_context())

    @contextmanager
    def subscribed(self) -> Iterator[None]:
        """Somebody follows the changes of both servers."""
        calls = []
        for wire in (self.admin, self.secure):
            call = pb_grpc.SchemaRegistryStub(wire.channel).StreamSchemaChanges(pb.StreamRequest())
            threading.Thread(target=_drain, args=(call,), daemon=True).start()
            calls.append(call)
        try:
            yield
        finally:
            for call in calls:
                call.cancel()


def _drain(call: Any) -> None:
    with contextlib.suppress(grpc.RpcError):
        for _ in call:
            pass


def _allowed(wire: Wire, rpc: str, request: Message) -> bool:
    try:
        wire.call(rpc, request)
    except CallFailed:
        return False
    return True


def _refuses(wire: Wire, rpc: str, request: Message) -> None:
    assert not _allowed(wire, rpc, request), f"{rpc} was not refused"


def _report(wire: Wire, turn: str) -> None:
    """What became of answers; the same report twice."""
    item = conformance_pb2.ModelOutcomes(
        subject=f"{turn}.json",
        version="1",
        model="gpt",
        answers=9,
        first_pass=5,
        retried=2,
        coerced=1,
        truncated=1,
    )
    for _ in range(2):
        request = conformance_pb2.ReportOutcomesRequest(report_id=turn, items=[item])
        wire.call("ReportOutcomes", request)


def _change_a_profile(wire: Wire, turn: str) -> None:
    """What fitted a provider is refused by it then."""
    for version, keywords in ((1, {}), (2, {"pattern": REJECTED})):
        put = providers_pb2.PutProfileRequest(profile=turn, document=profile(turn, version, **keywords))
        wire.call("PutProfile", put)
        asked = providers_pb2.ListProfileVerdictsRequest(profile=turn, limit=1)
        while not wire.call("ListProfileVerdicts", asked).complete:
            time.sleep(0.05)


def _write(wire: Wire, turn: str) -> None:
    for schema_type, name in ((JSON, "json"), (AVRO, "avro"), (pb.SCHEMA_TYPE_PROTOBUF, "proto")):
        register(wire, f"{turn}.{name}", FIRST[schema_type], schema_type)
        register(wire, f"{turn}.{name}", SECOND[schema_type], schema_type)
    register(wire, f"{turn}.json", V2_COMPATIBLE)  # it is there already
    register(wire, f"{turn}.draft", V1, as_draft=True)
    BIG["title"] = turn  # another content each time
    register(wire, f"{turn}.big", json.dumps(BIG).encode())
    register(wire, f"{turn}.slow", SLOW.encode())
    register(wire, f"{turn}.coerced", b'{"type": "integer"}')
    register(wire, f"{turn}.undecided", UNDECIDED[0])
    breaking = pb.RegisterSchemaRequest(subject=f"{turn}.json", schema_content=V2_BREAKING, schema_type=JSON)
    _refuses(wire, "RegisterSchema", breaking)
    broken = pb.RegisterSchemaRequest(subject=f"{turn}.json", schema_content=b"{", schema_type=JSON)
    _refuses(wire, "RegisterSchema", broken)
    gone = register(wire, f"{turn}.gone", V1)
    wire.call("DeleteSchema", pb.DeleteSchemaRequest(schema_id=gone.schema_id))


def _read(wire: GrpcWire, http: HttpWire, turn: str) -> None:
    latest = pb.GetLatestVersionRequest(subject=f"{turn}.json")
    made = wire.call("GetLatestVersion", latest).schema
    for _ in range(READS):
        get(wire, made.id)
        get(http, made.id)
        http.call("GetLatestVersion", latest)
    for name in ("avro", "proto", "big", "slow"):
        wire.call("GetLatestVersion", pb.GetLatestVersionRequest(subject=f"{turn}.{name}"))
    for follower in (wire, http):  # they see one change and leave
        changes: Any = follower.listing("StreamSchemaChanges", pb.StreamRequest(from_revision="earliest"))
        with contextlib.closing(changes):
            assert next(changes).revision
    list(wire.listing("ListSchemas", pb.ListSchemasRequest()))
    http.call("SearchSchemas", pb.SearchSchemasRequest(query=turn))
    wire.call("ListSubjects", pb.ListSubjectsRequest())
    wire.call("HealthCheck", empty_pb2.Empty())
    _refuses(wire, "GetSchema", pb.GetSchemaRequest(schema_id="missing"))


def _judge(wire: Wire, turn: str) -> None:
    for content in (V2_COMPATIBLE, V2_BREAKING):
        wire.call(
            "CheckCompatibility", pb.CompatibilityCheckRequest(subject=f"{turn}.json", new_schema=content)
        )
    wire.call("CheckCompatibility", pb.CompatibilityCheckRequest(subject=f"{turn}.avro", new_schema=AVRO_V1))
    data = (b'{"a": "x"}', b'{"a": 7}')
    subjects = [
        pb.ValidateDataRequest(subject=f"{turn}.{kind}", data=d) for kind in ("json", "avro") for d in data
    ]
    for request in subjects:
        wire.call("ValidateData", request)
    wire.call(
        "CoerceAnswer",
        answers_pb2.CoerceAnswerRequest(
            subject=f"{turn}.coerced", data=b'"7"', kinds=[answers_pb2.COERCION_NUMERIC_STRING]
        ),
    )
    list(wire.batch("BatchValidate", subjects))
    many = json.dumps([f"y{n}" for n in range(1000)]).encode()
    wire.call("ValidateData", pb.ValidateDataRequest(subject=f"{turn}.slow", data=many))
    for content, kind in ((V1, JSON), (b"{", JSON), (AVRO_V2, AVRO)):
        wire.call("ValidateSchema", pb.ValidateSchemaRequest(schema_content=content, schema_type=kind))


@contextmanager
def registries(home: Path) -> Iterator[Registries]:
    """Everything runs."""
    issuer = Issuer("ES256")
    home.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack, over_grpc() as receiver:
        production = Production(
            home,
            instances=2,
            settings={
                "GRPC__ENGINE": "native",
                "AUTH__JWT__KEYS_FILE": str(issuer.write(home / "keys.json")),
                "AUTH__JWT__ISSUER": ISSUER,
                "AUTH__JWT__AUDIENCE": AUDIENCE,
                "RATE_LIMITS__ADMIN__PER_SECOND": "0.1",
                "RATE_LIMITS__ADMIN__BURST": "2",
                "STATISTICS__REFRESH_SECONDS": "1",
                "USAGE__FLUSH_SECONDS": "1",
                "TRACING__ENDPOINT": receiver.endpoint,
                "TRACING__SAMPLE_RATIO": "1",
            },
        )
        # The proxies before Redis and the object store live in a loop: one that goes on beside the test.
        loop = asyncio.new_event_loop()
        runs = stack.enter_context(ThreadPoolExecutor(1)).submit(loop.run_forever)

        def end() -> None:
            loop.call_soon_threadsafe(loop.stop)
            runs.result()
            loop.close()

        stack.callback(end)
        asyncio.run_coroutine_threadsafe(production.__aenter__(), loop).result()
        stack.callback(
            lambda: asyncio.run_coroutine_threadsafe(production.__aexit__(None, None, None), loop).result()
        )
        yield Registries(production, TlsHome(home / "tls"), issuer, stack)
