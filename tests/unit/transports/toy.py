"""A registry without a registry: handlers of the real services that do what their request tells them to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from datetime import UTC, datetime

from google.protobuf.empty_pb2 import Empty

from llm_schema_registry.v1 import config_pb2, policy_pb2
from llm_schema_registry.v1 import schema_registry_pb2 as pb
from llm_schema_registry_server.calls.answer_cache import AnswerCache
from llm_schema_registry_server.calls.call import Call
from llm_schema_registry_server.calls.failure import failure
from llm_schema_registry_server.calls.guard import GuardFactory
from llm_schema_registry_server.calls.guards.authenticate import Authenticator, OpenAuthenticator
from llm_schema_registry_server.calls.guards.limits import Limits
from llm_schema_registry_server.calls.guards.standard import standard_guards
from llm_schema_registry_server.calls.operation import Operation
from llm_schema_registry_server.calls.pipeline import Handler, Pipeline
from llm_schema_registry_server.errors import (
    FieldViolation,
    IncompatibleSchema,
    InvalidSchema,
    RegistryError,
    SchemaIssue,
    SchemaNotFound,
    ShuttingDown,
)
from llm_schema_registry_server.model.health import Component, ComponentStatus, HealthReport, HealthStatus
from llm_schema_registry_server.model.subject import Subject
from llm_schema_registry_server.rpc.protobuf.method import methods
from llm_schema_registry_server.rpc.protobuf.resources import subject
from llm_schema_registry_server.rpc.protobuf.rpcs import Rpcs, bind
from llm_schema_registry_server.rpc.protobuf.status import status
from llm_schema_registry_server.telemetry.metrics import Metrics
from llm_schema_registry_server.transports.unread import Unread

SERVICES = (
    pb.DESCRIPTOR.services_by_name["SchemaRegistry"],
    config_pb2.DESCRIPTOR.services_by_name["ConfigService"],
)
REGISTRY, CONFIG = (service.full_name for service in SERVICES)
GET_SCHEMA = f"/{REGISTRY}/GetSchema"
METHODS = methods(SERVICES, policy_pb2.policy, {GET_SCHEMA})


class ToyRegistry:
    """`schema_id` chooses what happens; `seen` holds the requests in the order in which they came."""

    def __init__(self) -> None:
        self.seen: list[object] = []
        self.calls: list[Call] = []
        self.released = asyncio.Event()
        self.entered = asyncio.Event()
        self.ended = asyncio.Event()
        self.streams_ended: asyncio.Queue[None] = asyncio.Queue()
        self.going = asyncio.Event()
        self.silent = False
        self.waits: asyncio.Queue[None] = asyncio.Queue()

    async def end_streams(self) -> None:
        self.going.set()

    async def get_schema(self, request: pb.GetSchemaRequest, call: Call) -> pb.GetSchemaResponse:
        self.seen.append(request)
        self.calls.append(call)
        match request.schema_id:
            case "missing":
                raise SchemaNotFound("missing")
            case "crash":
                raise ZeroDivisionError("the password is swordfish")
            case "wait":
                self.entered.set()
                self.waits.put_nowait(None)
                try:
                    await self.released.wait()
                finally:
                    self.ended.set()
            case "half a megabyte":
                return pb.GetSchemaResponse(schema=pb.SchemaInfo(id="half", schema_content=bytes(500_000)))
            case "big":
                return pb.GetSchemaResponse(schema=pb.SchemaInfo(id="big", schema_content=bytes(3_000_000)))
        call.response_metadata["x-registry-revision"] = "r-7"
        call.touch(subject(Subject.parse("orders")))
        return pb.GetSchemaResponse(schema=pb.SchemaInfo(id=request.schema_id, subject="orders"))

    async def register_schema(
        self, request: pb.RegisterSchemaRequest, call: Call
    ) -> pb.RegisterSchemaResponse:
        self.seen.append(request)
        self.calls.append(call)
        if request.subject == "invalid":
            issues = [SchemaIssue("RULE", f"fault {i}", f"/a/{i}") for i in range(30)]
            raise InvalidSchema(issues)
        if request.subject == "incompatible":
            error = IncompatibleSchema("incompatible", "BACKWARD", "a field went", object())
            violations = [pb.CompatibilityViolation(rule="R", message="x" * 300) for _ in range(100)]
            error.details = (
                pb.CompatibilityReport(violations=violations[: 100 if request.description else 1]),
            )
            error.violations = (FieldViolation("schema_content", "is incompatible"),)
            raise error
        return pb.RegisterSchemaResponse(schema_id="1", subject=request.subject, version="1.0.0")

    async def get_schema_by_version(
        self, request: pb.GetSchemaByVersionRequest, call: Call
    ) -> pb.GetSchemaResponse:
        self.seen.append(request)
        return pb.GetSchemaResponse(schema=pb.SchemaInfo(subject=request.subject, version=request.version))

    async def list_schemas(
        self, request: pb.ListSchemasRequest, call: Call
    ) -> AsyncGenerator[pb.SchemaInfo, None]:
        self.seen.append(request)
        try:
            for i in range(request.limit or 3):  # a negative limit yields nothing
                yield pb.SchemaInfo(id=str(i), schema_content=bytes(request.offset))
            if request.subject_prefix == "missing":
                raise SchemaNotFound("after-some")
            call.response_metadata["x-registry-revision"] = "r-8"
        finally:
            self.ended.set()

    async def update_schema_metadata(
        self, request: pb.UpdateSchemaMetadataRequest, call: Call
    ) -> pb.UpdateSchemaMetadataResponse:
        self.seen.append(request)
        return pb.UpdateSchemaMetadataResponse(schema=pb.SchemaInfo(id=request.schema_id))

    async def delete_schema(self, request: pb.DeleteSchemaRequest, call: Call) -> Empty:
        self.seen.append(request)
        return Empty()

    async def list_versions(self, request: pb.ListVersionsRequest, call: Call) -> pb.ListVersionsResponse:
        self.seen.append(request)
        return pb.ListVersionsResponse(versions=["1.0.0"], total_count=1)

    async def get_latest_version(
        self, request: pb.GetLatestVersionRequest, call: Call
    ) -> pb.GetSchemaResponse:
        self.seen.append(request)
        return pb.GetSchemaResponse(schema=pb.SchemaInfo(subject=request.subject, version="9.0.0"))

    async def validate_data(self, request: pb.ValidateDataRequest, call: Call) -> pb.ValidationReport:
        self.seen.append(request)
        return pb.ValidationReport(valid=True, schema_id=request.schema_id)

    async def validate_schema(
        self, request: pb.ValidateSchemaRequest, call: Call
    ) -> pb.SchemaValidationReport:
        self.seen.append(request)
        return pb.SchemaValidationReport(valid=True)

    async def batch_validate(
        self, requests: AsyncIterator[pb.ValidateDataRequest | RegistryError], call: Call
    ) -> AsyncGenerator[pb.ValidationReport, None]:
        try:
            index = 0
            async for request in requests:
                if isinstance(request, RegistryError):
                    yield pb.ValidationReport(
                        valid=False, index=index, error=status(failure(request, call.request_id))
                    )
                    index += 1
                    continue
                self.seen.append(request)
                yield pb.ValidationReport(
                    valid=request.schema_id != "bad", schema_id=request.schema_id, index=index
                )
                index += 1
        finally:
            self.ended.set()

    async def check_compatibility(
        self, request: pb.CompatibilityCheckRequest, call: Call
    ) -> pb.CompatibilityReport:
        self.seen.append(request)
        return pb.CompatibilityReport(compatible=True, level=request.level)

    async def batch_check_compatibility(
        self, requests: AsyncIterator[pb.CompatibilityCheckRequest | RegistryError], call: Call
    ) -> AsyncGenerator[pb.CompatibilityReport, None]:
        async for request in requests:
            if isinstance(request, RegistryError):
                raise request
            yield pb.CompatibilityReport(compatible=True, message=request.subject)

    async def search_schemas(self, request: pb.SearchSchemasRequest, call: Call) -> pb.SearchSchemasResponse:
        self.seen.append(request)
        return pb.SearchSchemasResponse(total_count=0)

    async def get_dependencies(
        self, request: pb.GetDependenciesRequest, call: Call
    ) -> pb.DependenciesResponse:
        self.seen.append(request)
        return pb.DependenciesResponse()

    async def get_dependents(self, request: pb.GetDependentsRequest, call: Call) -> pb.DependenciesResponse:
        self.seen.append(request)
        return pb.DependenciesResponse()

    async def list_subjects(self, request: pb.ListSubjectsRequest, call: Call) -> pb.ListSubjectsResponse:
        self.seen.append(request)
        return pb.ListSubjectsResponse(subjects=["orders"], total_count=1)

    async def get_subject_versions(
        self, request: pb.GetSubjectVersionsRequest, call: Call
    ) -> pb.GetSubjectVersionsResponse:
        self.seen.append(request)
        return pb.GetSubjectVersionsResponse(subject=request.subject)

    async def stream_schema_changes(
        self, request: pb.StreamRequest, call: Call
    ) -> AsyncGenerator[pb.SchemaChangeEvent, None]:
        """Three events, then waits; ends as a server that is going does. `subjects = ["flood"]` never waits."""
        self.seen.append(request)
        self.calls.append(call)
        try:
            sequence = int(request.from_revision or 0)
            if self.silent:
                await self.going.wait()
            while True:
                sequence += 1
                flood = "flood" in request.subjects
                yield pb.SchemaChangeEvent(
                    subject="orders",
                    revision=str(sequence),
                    metadata={"filler": "x" * 10_000} if flood else {},
                )
                if sequence % 3 == 0 and not flood:
                    await self.going.wait()
                    raise ShuttingDown(str(sequence))
        finally:
            self.ended.set()
            self.streams_ended.put_nowait(None)

    async def health_check(self, request: Empty, call: Call) -> pb.HealthCheckResponse:
        return pb.HealthCheckResponse(status=pb.HealthCheckResponse.STATUS_HEALTHY)


class ToyConfig:
    def __init__(self) -> None:
        self.seen: list[object] = []

    async def get_config(
        self, request: config_pb2.GetConfigRequest, call: Call
    ) -> config_pb2.GetConfigResponse:
        self.seen.append(request)
        return config_pb2.GetConfigResponse(sources={"mode": "default"})

    async def set_config(
        self, request: config_pb2.SetConfigRequest, call: Call
    ) -> config_pb2.SetConfigResponse:
        self.seen.append(request)
        return config_pb2.SetConfigResponse(config=request.config)

    async def delete_config(self, request: config_pb2.DeleteConfigRequest, call: Call) -> Empty:
        self.seen.append(request)
        return Empty()


class ToyHealth:
    """A health source that says what the test wants."""

    def __init__(self) -> None:
        self.status = HealthStatus.HEALTHY
        self.storage = ComponentStatus.UP

    async def __call__(self) -> HealthReport:
        components = {"storage": Component(self.storage)}
        return HealthReport(self.status, components, "0.0.0", datetime.now(UTC))


def unread(stall_seconds: float) -> Unread:
    """Bounds that only time reaches."""
    return Unread(stall_seconds, per_caller=1 << 30, total=1 << 30)


async def reach(revision: str) -> None:
    """The toy has seen every revision."""


def guards(
    metrics: Metrics,
    *,
    limits: Limits | None = None,
    default_deadline: float = 30.0,
    authenticator: Authenticator | None = None,
) -> tuple[GuardFactory, ...]:
    """The guards as a server has them."""
    return standard_guards(
        metrics,
        answered=[(GET_SCHEMA, "grpc"), (GET_SCHEMA, "http")],
        default_deadline_seconds=default_deadline,
        limits=limits or Limits(calls=1000, streams=1000),
        authenticator=authenticator or OpenAuthenticator({m.operation.permission for m in METHODS}),
        reach=reach,
    )


def handlers(registry: object) -> list[tuple[Operation, Handler]]:
    """Every operation of the toy with its handler."""
    return list(bind(METHODS, {REGISTRY: registry, CONFIG: ToyConfig()}))


def rpcs(
    registry: ToyRegistry,
    *,
    metrics: Metrics | None = None,
    extra: Sequence[GuardFactory] = (),
    **kwargs: object,
) -> Rpcs:
    """The RPCs of the toy; answers of GetSchema are cached. `extra` guards stand where their ranks say."""
    ranked = sorted([*guards(metrics or Metrics(), **kwargs), *extra], key=lambda g: g.rank)  # type: ignore[arg-type]
    return Rpcs(METHODS, Pipeline(handlers(registry), ranked, AnswerCache(1 << 20)))
