"""Both gRPC engines behave alike: answers, errors, streams, deadlines, cancellation, limits, health, drain."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import grpc
import pytest
from google.protobuf import descriptor_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from llm_schema_registry.v1 import config_pb2, config_pb2_grpc, schema_registry_pb2_grpc
from llm_schema_registry.v1 import schema_registry_pb2 as pb
from llm_schema_registry_server.calls.guards.limits import Limits
from llm_schema_registry_server.calls.peer import NO_PROXIES
from llm_schema_registry_server.model.health import ComponentStatus, HealthStatus
from llm_schema_registry_server.settings import GrpcSettings
from llm_schema_registry_server.telemetry.metrics import Metrics
from llm_schema_registry_server.transports.grpc.listener import GrpcListener, engine_name
from llm_schema_registry_server.transports.listener import ListenError
from llm_schema_registry_server.transports.servers import Servers
from tests.unit.transports.toy import CONFIG, REGISTRY, ToyHealth, ToyRegistry, rpcs, unread


@dataclass
class World:
    registry: ToyRegistry
    health: ToyHealth
    metrics: Metrics
    listener: GrpcListener
    servers: Servers
    channel: aio.Channel
    limits: Limits

    @property
    def stub(self) -> schema_registry_pb2_grpc.SchemaRegistryAsyncStub:
        return schema_registry_pb2_grpc.SchemaRegistryStub(self.channel)  # type: ignore[return-value]


@pytest.fixture(params=["native", "grpcio"])
async def world(request: pytest.FixtureRequest, stall_seconds: float) -> AsyncIterator[World]:
    registry, health, metrics = ToyRegistry(), ToyHealth(), Metrics()
    limits = Limits(calls=50, streams=20)
    listener = GrpcListener(
        GrpcSettings(host="127.0.0.1", port=0, engine=request.param, max_message_bytes=1 << 20),
        rpcs(registry, metrics=metrics, limits=limits),
        health,
        unread=unread(stall_seconds),
        proxies=NO_PROXIES,
    )
    servers = Servers([listener], registry.end_streams)
    await servers.start()
    async with aio.insecure_channel(
        f"127.0.0.1:{servers.ports['grpc']}", options=[("grpc.max_receive_message_length", -1)]
    ) as channel:
        yield World(registry, health, metrics, listener, servers, channel, limits)
        registry.released.set()
        await servers.drain(0)


def error_info(error: aio.AioRpcError) -> error_details_pb2.ErrorInfo:
    found = error_details_pb2.ErrorInfo()
    assert rich_status(error).details[0].Unpack(found)
    return found


def rich_status(error: aio.AioRpcError) -> status_pb2.Status:
    trailers = dict(error.trailing_metadata() or ())
    return status_pb2.Status.FromString(trailers["grpc-status-details-bin"])


async def fails(call: object) -> aio.AioRpcError:
    with pytest.raises(aio.AioRpcError) as caught:
        await call  # type: ignore[misc]
    return caught.value


async def test_a_unary_call_is_answered_with_its_revision_in_the_trailers(world: World) -> None:
    call = world.stub.GetSchema(pb.GetSchemaRequest(schema_id="a"))

    assert (await call).schema.id == "a"
    assert dict(await call.trailing_metadata())["x-registry-revision"] == "r-7"


async def test_the_same_question_again_is_answered_without_the_handler(world: World) -> None:
    for _ in range(3):
        call = world.stub.GetSchema(pb.GetSchemaRequest(schema_id="a"))
        assert (await call).schema.id == "a"
        assert dict(await call.trailing_metadata())["x-registry-revision"] == "r-7"

    assert len(world.registry.seen) == 1


async def test_a_caller_that_names_a_revision_is_never_answered_from_memory(world: World) -> None:
    for _ in range(2):
        await world.stub.GetSchema(
            pb.GetSchemaRequest(schema_id="a"), metadata=(("x-registry-min-revision", "r"),)
        )

    assert len(world.registry.seen) == 2


async def test_a_second_service_is_served_beside_the_first(world: World) -> None:
    answer = await config_pb2_grpc.ConfigServiceStub(world.channel).GetConfig(config_pb2.GetConfigRequest())

    assert answer.sources == {"mode": "default"}


async def test_a_failure_carries_code_reason_facts_and_request_id(world: World) -> None:
    error = await fails(
        world.stub.GetSchema(pb.GetSchemaRequest(schema_id="missing"), metadata=(("x-request-id", "abc-1"),))
    )

    assert error.code() is grpc.StatusCode.NOT_FOUND
    info = error_info(error)
    assert (info.reason, info.domain) == ("SCHEMA_NOT_FOUND", "schema-registry")
    assert info.metadata == {"schema_id": "missing", "request_id": "abc-1"}
    assert dict(error.trailing_metadata() or ())["x-request-id"] == "abc-1"


async def test_a_crash_tells_the_caller_its_request_id_and_nothing_else(world: World) -> None:
    error = await fails(world.stub.GetSchema(pb.GetSchemaRequest(schema_id="crash")))

    assert error.code() is grpc.StatusCode.INTERNAL
    assert "swordfish" not in str(error)
    assert error_info(error).metadata["request_id"] in (error.details() or "")


async def test_wrong_fields_are_listed_as_bad_request(world: World) -> None:
    error = await fails(world.stub.RegisterSchema(pb.RegisterSchemaRequest(subject="invalid")))

    bad = error_details_pb2.BadRequest()
    assert rich_status(error).details[1].Unpack(bad)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert bad.field_violations[0].field == "schema_content#/a/0"


async def test_a_report_among_the_details_arrives(world: World) -> None:
    error = await fails(world.stub.RegisterSchema(pb.RegisterSchemaRequest(subject="incompatible")))

    report = pb.CompatibilityReport()
    assert rich_status(error).details[2].Unpack(report)
    assert report.violations[0].rule == "R"


async def test_a_report_too_big_for_trailers_arrives_with_its_first_violations(world: World) -> None:
    error = await fails(
        world.stub.RegisterSchema(pb.RegisterSchemaRequest(subject="incompatible", description="many"))
    )

    report = pb.CompatibilityReport()
    assert error_info(error).reason == "INCOMPATIBLE_SCHEMA"
    assert rich_status(error).details[2].Unpack(report)
    assert 0 < len(report.violations) < 100
    assert report.violations[0].rule == "R"


async def test_bytes_that_are_no_message_are_malformed(world: World) -> None:
    method = world.channel.unary_unary(f"/{REGISTRY}/GetSchema")
    error = await fails(method(b"\xff\xff\xff"))

    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error_info(error).reason == "MALFORMED_REQUEST"


async def test_an_unknown_method_is_unimplemented(world: World) -> None:
    error = await fails(world.channel.unary_unary(f"/{REGISTRY}/Nothing")(b""))

    assert error.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_request_over_the_limit_is_refused(world: World) -> None:
    error = await fails(
        world.stub.RegisterSchema(pb.RegisterSchemaRequest(subject="a", schema_content=bytes(1_100_000)))
    )

    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert world.registry.seen == []


async def test_an_answer_over_the_limit_is_refused(world: World) -> None:
    error = await fails(world.stub.GetSchema(pb.GetSchemaRequest(schema_id="big")))

    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_a_server_stream_arrives_whole_with_its_trailers(world: World) -> None:
    call = world.stub.ListSchemas(pb.ListSchemasRequest(limit=500, offset=2000))

    assert [item.id async for item in call] == [str(i) for i in range(500)]
    assert dict(await call.trailing_metadata())["x-registry-revision"] == "r-8"


async def test_a_stream_that_fails_keeps_what_it_sent_and_says_why(world: World) -> None:
    call = world.stub.ListSchemas(pb.ListSchemasRequest(subject_prefix="missing"))
    got = [(await call.read()).id for _ in range(3)]

    assert got == ["0", "1", "2"]
    assert error_info(await fails(call.read())).reason == "SCHEMA_NOT_FOUND"


async def test_a_bidirectional_stream_answers_in_order_while_it_is_asked(world: World) -> None:
    call = world.stub.BatchValidate()
    for i, name in enumerate(["a", "bad", "c"]):
        await call.write(pb.ValidateDataRequest(schema_id=name))
        report = await call.read()
        assert (report.schema_id, report.index, report.valid) == (name, i, name != "bad")
    await call.done_writing()

    assert await call.read() is aio.EOF


async def test_a_client_that_leaves_ends_its_handler(world: World) -> None:
    call = world.stub.StreamSchemaChanges(pb.StreamRequest())
    assert (await call.read()).revision == "1"
    call.cancel()

    await world.registry.ended.wait()


async def test_a_client_that_cancels_a_unary_call_ends_its_handler(world: World) -> None:
    call = world.stub.GetSchema(pb.GetSchemaRequest(schema_id="wait"))
    await world.registry.entered.wait()
    call.cancel()

    await world.registry.ended.wait()


async def test_a_deadline_ends_the_handler_and_the_call(world: World) -> None:
    error = await fails(world.stub.GetSchema(pb.GetSchemaRequest(schema_id="wait"), timeout=0.2))

    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await world.registry.ended.wait()


async def test_a_bidirectional_stream_that_never_finishes_is_cut_at_its_deadline(world: World) -> None:
    call = world.stub.BatchValidate(timeout=0.2)
    await call.write(pb.ValidateDataRequest(schema_id="a"))
    await call.read()

    error = await fails(call.read())

    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await world.registry.ended.wait()


async def test_over_the_limit_a_call_is_refused_at_once_and_the_others_finish(world: World) -> None:
    calls = [world.stub.GetSchema(pb.GetSchemaRequest(schema_id="wait")) for _ in range(60)]
    refused: list[str] = []
    waiting = {asyncio.ensure_future(outcome(call)) for call in calls}
    while len(refused) < 10:
        finished, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        refused.extend(f.result() for f in finished)
    world.registry.released.set()
    rest = [await f for f in waiting]

    assert refused == ["RESOURCE_EXHAUSTED"] * 10
    assert rest == ["OK"] * 50
    assert world.limits.calls_now == 0


async def outcome(call: object) -> str:
    try:
        await call  # type: ignore[misc]
    except aio.AioRpcError as error:
        return error.code().name
    return "OK"


@pytest.mark.slow
@pytest.mark.parametrize("stall_seconds", [0.5])
async def test_a_reader_that_never_reads_is_ended_and_others_do_not_notice(world: World) -> None:
    lazy = [world.stub.StreamSchemaChanges(pb.StreamRequest(subjects=["flood"])) for _ in range(10)]
    for call in lazy:
        await call.read()
    quick = await world.stub.GetSchema(pb.GetSchemaRequest(schema_id="a"))
    listed = [item async for item in world.stub.ListSchemas(pb.ListSchemasRequest(limit=50, offset=10_000))]

    assert quick.schema.id == "a"
    assert len(listed) == 50
    for _ in lazy:
        await world.registry.streams_ended.get()
    for call in lazy:
        call.cancel()


@pytest.mark.slow
async def test_a_thousand_calls_at_once_are_all_answered_or_refused(world: World) -> None:
    calls = [outcome(world.stub.GetSchema(pb.GetSchemaRequest(schema_id=f"s{i}"))) for i in range(1000)]

    assert set(await asyncio.gather(*calls)) <= {"OK", "RESOURCE_EXHAUSTED"}
    assert world.limits.calls_now == 0


async def test_health_has_the_whole_each_component_and_each_service(world: World) -> None:
    stub = health_pb2_grpc.HealthStub(world.channel)
    for name in ("", "storage", REGISTRY, CONFIG):
        answer = await stub.Check(health_pb2.HealthCheckRequest(service=name))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING

    error = await fails(stub.Check(health_pb2.HealthCheckRequest(service="nobody")))
    assert error.code() is grpc.StatusCode.NOT_FOUND


async def test_health_follows_the_components(world: World) -> None:
    world.health.storage, world.health.status = ComponentStatus.DOWN, HealthStatus.UNHEALTHY
    await world.listener.health.refresh()
    stub = health_pb2_grpc.HealthStub(world.channel)

    for name in ("", "storage", REGISTRY):
        answer = await stub.Check(health_pb2.HealthCheckRequest(service=name))
        assert answer.status == health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
async def test_each_version_of_reflection_describes_the_services_and_itself(
    world: World, version: str
) -> None:
    ask = world.channel.stream_stream(
        f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    symbols = ["schema_registry.v1.SchemaRegistry", "grpc.reflection.v1.ServerReflection"]
    requests = [
        reflection_pb2.ServerReflectionRequest(list_services=""),
        *(reflection_pb2.ServerReflectionRequest(file_containing_symbol=symbol) for symbol in symbols),
    ]
    listed, *described = [answer async for answer in ask(iter(requests))]

    names = {service.name for service in listed.list_services_response.service}
    assert {*symbols, "grpc.reflection.v1alpha.ServerReflection", "grpc.health.v1.Health"} <= names
    for answer, symbol in zip(described, symbols, strict=True):
        files = [
            descriptor_pb2.FileDescriptorProto.FromString(file)
            for file in answer.file_descriptor_response.file_descriptor_proto
        ]
        assert symbol in {f"{file.package}.{service.name}" for file in files for service in file.service}


async def test_reflection_lists_the_services(world: World) -> None:
    stub = reflection_pb2_grpc.ServerReflectionStub(world.channel)
    call = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
    answer = await call.read()

    names = {service.name for service in answer.list_services_response.service}
    assert {REGISTRY, CONFIG, "grpc.health.v1.Health"} <= names


async def test_drain_lets_calls_finish_and_ends_streams_with_a_way_to_resume(world: World) -> None:
    unary = world.stub.GetSchema(pb.GetSchemaRequest(schema_id="wait"))
    stream = world.stub.StreamSchemaChanges(pb.StreamRequest())
    for _ in range(3):
        await stream.read()
    await world.registry.entered.wait()

    draining = asyncio.create_task(world.servers.drain(10))
    await world.registry.going.wait()
    ended = await fails(stream.read())
    world.registry.released.set()

    assert (await unary).schema.id == "wait"
    assert error_info(ended).metadata["revision"] == "3"
    assert ended.code() is grpc.StatusCode.UNAVAILABLE
    await draining
    refused = await fails(world.stub.GetSchema(pb.GetSchemaRequest(schema_id="a")))
    assert refused.code() is grpc.StatusCode.UNAVAILABLE


async def test_drain_cuts_what_does_not_finish(world: World) -> None:
    call = asyncio.ensure_future(outcome(world.stub.GetSchema(pb.GetSchemaRequest(schema_id="wait"))))
    await world.registry.entered.wait()

    await world.servers.drain(0.1)

    assert await call in {"UNAVAILABLE", "CANCELLED"}


async def test_calls_are_counted_by_method_wire_and_code(world: World) -> None:
    await world.stub.GetSchema(pb.GetSchemaRequest(schema_id="a"))
    await fails(world.stub.GetSchema(pb.GetSchemaRequest(schema_id="missing")))

    labels = {"method": f"/{REGISTRY}/GetSchema", "wire": "grpc"}
    for code in ("OK", "NOT_FOUND"):
        value = world.metrics.registry.get_sample_value(
            "schema_registry_calls_total", {**labels, "code": code}
        )
        assert value == 1


async def test_a_port_that_is_taken_is_named(world: World) -> None:
    port = world.servers.ports["grpc"]
    other = GrpcListener(
        GrpcSettings(host="127.0.0.1", port=port),
        rpcs(ToyRegistry()),
        ToyHealth(),
        unread=unread(1),
        proxies=NO_PROXIES,
    )

    with pytest.raises(ListenError, match=str(port)):
        await Servers([other], ToyRegistry().end_streams).start()


def test_auto_is_the_fast_engine_where_its_package_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert engine_name(GrpcSettings()) == "native"
    assert engine_name(GrpcSettings(host="0.0.0.0")) == "native", "a front bounds what it does not"
    assert engine_name(GrpcSettings(engine="grpcio")) == "grpcio"
    monkeypatch.setattr("llm_schema_registry_server.transports.grpc.listener.find_spec", lambda name: None)
    assert engine_name(GrpcSettings()) == "grpcio"
    assert engine_name(GrpcSettings(engine="native")) == "native", "and fails to start, as asked for"


async def test_a_message_counts_with_its_size_after_decompression(world: World) -> None:
    request = pb.GetSchemaRequest(schema_id="x" * (2 << 20))  # a few kilobytes on the wire
    error = await fails(world.stub.GetSchema(request, compression=grpc.Compression.Gzip))

    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert not world.registry.seen
