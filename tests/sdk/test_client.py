"""What a client is told, what it remembers, and that it leaves nothing behind."""

from __future__ import annotations

import asyncio
import datetime
import threading
from typing import Any

import grpc
import pytest
import uvloop
from google.protobuf.empty_pb2 import Empty

from llm_schema_registry import (
    AsyncSchemaRegistry,
    EventType,
    RetryPolicy,
    SchemaNotFound,
    SchemaRegistry,
    SchemaState,
    SchemaType,
    Tls,
)
from llm_schema_registry._cache import OVERHEAD
from llm_schema_registry._encode import content_bytes, data_bytes
from llm_schema_registry.errors import Code
from llm_schema_registry.v1 import schema_registry_pb2 as pb
from tests.sdk.conftest import Face, connect
from tests.sdk.fake_registry import FakeRegistry, answers, fails

HEALTHY = answers(pb.HealthCheckResponse(status=pb.HealthCheckResponse.STATUS_HEALTHY))


def schema(schema_id: str, content: bytes = b"{}", state: int = pb.SCHEMA_STATE_ACTIVE) -> Any:
    return answers(
        pb.GetSchemaResponse(
            schema=pb.SchemaInfo(id=schema_id, schema_content=content, state=pb.SchemaState.ValueType(state))
        )
    )


async def test_a_content_is_asked_for_once(fake: FakeRegistry, client: Face) -> None:
    fake.script("GetSchema", schema("a", b'{"type": "object"}'))

    first, second = await client.get_content("a"), await client.get_content("a")
    assert first == second
    assert first.json() == {"type": "object"}
    assert len(fake.calls["GetSchema"]) == 1


async def test_what_may_change_is_asked_for_every_time(fake: FakeRegistry, client: Face) -> None:
    fake.script("GetSchema", schema("a"), schema("a", state=pb.SCHEMA_STATE_DEPRECATED))

    assert (await client.get_schema("a")).state is SchemaState.ACTIVE
    assert (await client.get_schema("a")).state is SchemaState.DEPRECATED


async def test_a_failure_is_not_remembered(fake: FakeRegistry, client: Face) -> None:
    fake.script("GetSchema", fails(Code.NOT_FOUND, reason="SCHEMA_NOT_FOUND"), schema("a"))

    with pytest.raises(SchemaNotFound):
        await client.get_content("a")
    assert (await client.get_content("a")).id == "a"


async def test_the_cache_lets_go_of_the_least_recently_used(fake: FakeRegistry, kind: str) -> None:
    fake.script("GetSchema", schema("a"), schema("b"), schema("c"), schema("b"))
    async with connect(kind, fake.target, cache_bytes=2 * OVERHEAD + 10) as client:
        for schema_id in ("a", "b", "a", "c", "a", "b"):
            await client.get_content(schema_id)
    assert [call.request.schema_id for call in fake.calls["GetSchema"]] == ["a", "b", "c", "b"]


@pytest.mark.parametrize("room", [0, OVERHEAD + 5])
async def test_a_content_larger_than_the_cache_is_given_out_all_the_same(
    room: int, fake: FakeRegistry, kind: str
) -> None:
    fake.script("GetSchema", schema("a", b"x" * 100))
    async with connect(kind, fake.target, cache_bytes=room) as client:
        assert [len((await client.get_content("a")).content) for _ in range(2)] == [100, 100]


async def test_token_and_metadata_travel_with_every_call(fake: FakeRegistry, kind: str) -> None:
    fake.script("HealthCheck", HEALTHY)
    tokens = iter(["one", "two"])
    async with connect(
        kind, fake.target, token=lambda: next(tokens), metadata=[("X-Tenant", "blue")]
    ) as client:
        await client.health_check()
        await client.health_check()
    first, second = (call.headers for call in fake.calls["HealthCheck"])
    assert (first["authorization"], second["authorization"]) == ("Bearer one", "Bearer two")
    assert first["x-tenant"] == "blue"
    assert first["user-agent"].startswith("llm-schema-registry-python/")


def test_a_token_does_not_show(capsys: pytest.CaptureFixture[str]) -> None:
    with SchemaRegistry(token="secret", metadata=[("x-key", "secret")]) as client:
        assert "secret" not in repr(client._options)


@pytest.mark.parametrize(
    ("target", "bare", "secure"),
    [
        ("localhost:9090", "localhost:9090", False),
        ("http://host:1", "host:1", False),
        ("https://host:1/", "host:1", True),
        ("grpcs://host:1", "host:1", True),
        ("dns:///host:1", "dns:///host:1", False),
        ("unix:///run/registry.sock", "unix:///run/registry.sock", False),
    ],
)
def test_a_target_may_be_a_url(target: str, bare: str, secure: bool) -> None:
    with SchemaRegistry(target) as client:
        assert client.target == bare
        assert (client._options.credentials is not None) is secure


@pytest.mark.parametrize("wrong", [{"target": ""}, {"target": "http://"}, {"timeout": 0}, {"timeout": -1}])
def test_options_that_cannot_be_meant_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"timeout|target"):
        SchemaRegistry(**wrong)


def certificate() -> tuple[bytes, bytes]:
    """A key and a certificate of `registry.test`, signed by itself."""
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "registry.test")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("registry.test")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return (
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
        signed.public_bytes(serialization.Encoding.PEM),
    )


async def test_tls_with_our_own_authority_and_key(kind: str) -> None:
    key, chain = certificate()
    fake = FakeRegistry()
    fake.script("HealthCheck", HEALTHY)
    await fake.start(credentials=grpc.ssl_server_credentials([(key, chain)], chain, require_client_auth=True))
    tls = Tls(chain, key, chain, server_name="registry.test")
    async with connect(kind, fake.target, tls=tls) as client:
        assert (await client.health_check()).status.name == "HEALTHY"
    await fake.stop()
    assert key.decode() not in repr(tls)


def wrote(revision: str) -> Any:
    async def script(requests: Any, context: Any) -> Any:
        context.set_trailing_metadata((("x-registry-revision", revision),))
        yield Empty()

    return script


async def test_reads_name_the_last_write_of_who_asks_for_it(fake: FakeRegistry, kind: str) -> None:
    fake.script("DeleteSchema", wrote("r.0a"), wrote("r.02"), wrote("other.01"))
    fake.script("GetSchema", schema("a"))
    fake.script("HealthCheck", HEALTHY)
    async with connect(kind, fake.target, read_your_writes=True) as client:
        await client.get_schema("a")
        for _ in range(3):
            await client.delete_schema("a")
            await client.get_schema("a")
        await client.health_check()
    named = [call.headers.get("x-registry-min-revision") for call in fake.calls["GetSchema"]]
    assert named == [None, "r.0a", "r.0a", "other.01"]
    assert "x-registry-min-revision" not in fake.calls["DeleteSchema"][1].headers
    assert "x-registry-min-revision" not in fake.calls["HealthCheck"][0].headers


async def test_reads_name_nothing_otherwise(fake: FakeRegistry, client: Face) -> None:
    fake.script("DeleteSchema", wrote("r.0a"))
    fake.script("GetSchema", schema("a"))
    await client.delete_schema("a")
    await client.get_schema("a")
    assert "x-registry-min-revision" not in fake.calls["GetSchema"][0].headers


async def test_a_blocking_client_is_shared_by_threads(fake: FakeRegistry) -> None:
    fake.script("HealthCheck", HEALTHY)
    with SchemaRegistry(fake.target) as client:
        calls = [asyncio.to_thread(client.health_check) for _ in range(40)]
        assert len(await asyncio.gather(*calls)) == 40


async def test_no_thread_outlives_a_stream(fake: FakeRegistry) -> None:
    fake.script("StreamSchemaChanges", answers(pb.SchemaChangeEvent(revision="r.1")))
    with SchemaRegistry(fake.target) as client:
        watch = client.watch()
        await asyncio.to_thread(next, watch)
        watchmen = [t for t in threading.enumerate() if t.name == "schema-registry-watchman"]
        assert len(watchmen) == 1
        watch.close()
        await asyncio.to_thread(watchmen[0].join, 10)
        assert not watchmen[0].is_alive()


def test_the_asyncio_client_works_under_uvloop() -> None:
    async def main() -> list[str]:
        fake = FakeRegistry()
        fake.script("HealthCheck", HEALTHY)
        fake.script("StreamSchemaChanges", answers(pb.SchemaChangeEvent(subject="s", revision="r.1")))
        await fake.start()
        async with AsyncSchemaRegistry(fake.target) as client:
            status = (await client.health_check()).status.name
            async with client.watch() as watch:
                subject = (await anext(watch)).subject
        await fake.stop()
        return [status, subject]

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(main()) == ["HEALTHY", "s"]


def test_an_asyncio_client_can_be_made_before_the_loop_runs(fake: FakeRegistry) -> None:
    AsyncSchemaRegistry("localhost:1")


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ("text", b"text"),
        (b"\x00\xff", b"\x00\xff"),
        (bytearray(b"ab"), b"ab"),
        ({"b": 1, "a": [None, True]}, b'{"b":1,"a":[null,true]}'),
        ("é", "é".encode()),
        ({"k": "é"}, '{"k":"é"}'.encode()),
        (None, b"null"),
        (False, b"false"),
    ],
)
def test_content_is_sent_as_it_is_and_values_compactly(value: Any, sent: bytes) -> None:
    assert data_bytes(value) == sent
    if value is not None:
        assert content_bytes(value) == sent


@pytest.mark.parametrize("value", [float("nan"), {"k": object()}])
def test_what_json_cannot_say_is_refused(value: Any) -> None:
    with pytest.raises((TypeError, ValueError), match=r"^data: "):
        data_bytes(value)


def test_an_enumeration_takes_names_numbers_and_the_future() -> None:
    assert SchemaType("avro") is SchemaType.AVRO
    assert SchemaType(2) is SchemaType.AVRO
    assert EventType("schema-registered") is EventType.SCHEMA_REGISTERED
    assert EventType(99).name == "UNKNOWN_99"
    assert (EventType(99), int(EventType(99))) == ("UNKNOWN_99", 99)
    with pytest.raises(ValueError, match="thrift2"):
        SchemaType("thrift2")


async def test_a_wrong_name_is_told_with_the_choices(client: Face) -> None:
    with pytest.raises(ValueError, match="'xml' is no SchemaType; use one of JSON, AVRO, PROTOBUF"):
        await client.register_schema("s", {}, "xml")


def test_a_retry_policy_has_sensible_defaults() -> None:
    assert RetryPolicy() == RetryPolicy(attempts=None, first=0.1, longest=2.0, multiplier=2.0)
