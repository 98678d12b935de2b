"""A client that knows the wire contract and none of our additions drives all twenty RPCs on both engines."""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, empty_pb2, message_factory, timestamp_pb2

from llm_schema_registry.v1 import schema_registry_pb2

from .helpers import V1, V2_COMPATIBLE
from .server import ServerProcess

CONTRACT = Path(__file__).with_name("contract.proto")
SERVICE = "schema_registry.v1.SchemaRegistry"


class ContractClient:
    """Stubs made of contract.proto in a descriptor pool of their own."""

    def __init__(self, pool: descriptor_pool.DescriptorPool, target: str) -> None:
        self._pool = pool
        self._channel = grpc.insecure_channel(target)
        self.called: set[str] = set()

    def message(self, name: str, **fields: Any) -> Any:
        kind = message_factory.GetMessageClass(self._pool.FindMessageTypeByName(f"schema_registry.v1.{name}"))
        return kind(**fields)

    def call(self, rpc: str, *requests: Any) -> Any:
        """The answer, or the stream of answers, to one request or a stream of them."""
        method = self._pool.FindServiceByName(SERVICE).methods_by_name[rpc]
        self.called.add(rpc)
        shape = f"{'stream' if method.client_streaming else 'unary'}_{'stream' if method.server_streaming else 'unary'}"
        stub = getattr(self._channel, shape)(
            f"/{SERVICE}/{rpc}",
            request_serializer=lambda m: m.SerializeToString(),
            response_deserializer=message_factory.GetMessageClass(method.output_type).FromString,
        )
        return stub(iter(requests) if method.client_streaming else requests[0])

    def close(self) -> None:
        self._channel.close()


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> descriptor_pool.DescriptorPool:
    out = tmp_path_factory.mktemp("contract") / "descriptors"
    subprocess.run(
        [
            sys.executable,
            "-m",
            "grpc_tools.protoc",
            f"-I{CONTRACT.parent}",
            f"--descriptor_set_out={out}",
            str(CONTRACT),
        ],
        check=True,
    )
    pool = descriptor_pool.DescriptorPool()
    for module in (empty_pb2, timestamp_pb2):
        pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
    (file,) = descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes()).file
    pool.Add(file)  # type: ignore[no-untyped-call]
    return pool


@pytest.fixture
def client(pool: descriptor_pool.DescriptorPool, engine: ServerProcess) -> Iterator[ContractClient]:
    client = ContractClient(pool, engine.grpc)
    yield client
    client.close()


def test_the_contract_knows_no_additions(pool: descriptor_pool.DescriptorPool) -> None:
    file = pool.FindFileContainingSymbol(SERVICE)
    numbers = {f.number for m in file.message_types_by_name.values() for f in m.fields}

    assert len(file.services_by_name["SchemaRegistry"].methods) == 20
    assert max(numbers) < 50


WITH_PRESENCE = {
    ("ValidationReport", "valid"),
    ("SchemaValidationReport", "valid"),
    ("CompatibilityReport", "compatible"),
}
"""Fields to which we have added presence, which no reader of the wire notices (docs/decisions/0017-*.md)."""


def test_our_proto_holds_the_contract_by_name_number_and_type(
    pool: descriptor_pool.DescriptorPool,
) -> None:
    theirs = pool.FindFileContainingSymbol(SERVICE)
    ours = schema_registry_pb2.DESCRIPTOR

    def shape(field: Any) -> tuple[Any, ...]:
        kind = field.message_type or field.enum_type
        return (field.name, field.type, field.is_repeated, field.has_presence, kind.full_name if kind else "")

    for name, message in theirs.message_types_by_name.items():
        for field in message.fields:
            mine = ours.message_types_by_name[name].fields_by_number[field.number]
            expected = shape(field)
            if (name, field.name) in WITH_PRESENCE:
                expected = (*expected[:3], True, expected[4])
            assert shape(mine) == expected
    for name, enum in theirs.enum_types_by_name.items():
        known = ours.enum_types_by_name[name].values_by_name
        assert {v.name: v.number for v in enum.values}.items() <= {
            n: v.number for n, v in known.items()
        }.items()


def test_all_twenty_rpcs(client: ContractClient, name: Callable[[str], str]) -> None:
    c, subject = client, name("s")
    first = c.call(
        "RegisterSchema",
        c.message(
            "RegisterSchemaRequest",
            subject=subject,
            schema_content=V1,
            schema_type=1,
            auto_version=True,
            description="d",
            tags=["x"],
            metadata={"k": subject},
            compatibility_level=1,
        ),
    )
    second = c.call(
        "RegisterSchema",
        c.message("RegisterSchemaRequest", subject=subject, schema_content=V2_COMPATIBLE, schema_type=1),
    )
    assert (first.version, second.version) == ("1.0.0", "1.1.0")

    by_id = c.call("GetSchema", c.message("GetSchemaRequest", schema_id=first.schema_id)).schema
    assert (by_id.schema_content, by_id.state, by_id.checksum) == (V1, 2, first.checksum)
    by_version = c.call(
        "GetSchemaByVersion", c.message("GetSchemaByVersionRequest", subject=subject, version="^1.1")
    )
    latest = c.call("GetLatestVersion", c.message("GetLatestVersionRequest", subject=subject))
    assert by_version.schema.id == latest.schema.id == second.schema_id

    listed = list(c.call("ListSchemas", c.message("ListSchemasRequest", subject_prefix=subject, limit=10)))
    assert [s.version for s in listed] == ["1.0.0", "1.1.0"]
    versions = c.call("ListVersions", c.message("ListVersionsRequest", subject=subject))
    assert (list(versions.versions), versions.total_count) == (["1.0.0", "1.1.0"], 2)
    infos = c.call("GetSubjectVersions", c.message("GetSubjectVersionsRequest", subject=subject))
    assert [v.schema_id for v in infos.versions] == [first.schema_id, second.schema_id]
    subjects = c.call("ListSubjects", c.message("ListSubjectsRequest", prefix=subject))
    assert list(subjects.subjects) == [subject]
    found = c.call("SearchSchemas", c.message("SearchSchemasRequest", metadata_filters={"k": subject}))
    assert [s.id for s in found.schemas] == [first.schema_id]

    good = c.message("ValidateDataRequest", schema_id=first.schema_id, data=b'{"a": "x"}')
    bad = c.message("ValidateDataRequest", schema_id=first.schema_id, data=b'{"a": 1}')
    assert c.call("ValidateData", good).valid
    assert [e.path for e in c.call("ValidateData", bad).errors] == ["/a"]
    assert [r.valid for r in c.call("BatchValidate", good, bad, good)] == [True, False, True]
    report = c.call("ValidateSchema", c.message("ValidateSchemaRequest", schema_content=b"{", schema_type=1))
    assert (report.valid, bool(report.errors)) == (False, True)

    same = c.message("CompatibilityCheckRequest", subject=subject, new_schema=V2_COMPATIBLE, level=1)
    other = c.message("CompatibilityCheckRequest", subject=subject, new_schema=b'{"type": "null"}', level=1)
    assert c.call("CheckCompatibility", same).compatible
    assert c.call("CheckCompatibility", other).violations[0].severity == 1
    assert [r.compatible for r in c.call("BatchCheckCompatibility", same, other)] == [True, False]

    for rpc in ("GetDependencies", "GetDependents"):
        assert not c.call(rpc, c.message(f"{rpc}Request", schema_id=first.schema_id)).dependencies

    with _subscribed(c, subject) as events:
        # Nothing in the contract says when a stream listens: change something until it tells.
        told = _changed_until_told(c, first.schema_id, events)
        updated = c.call(
            "UpdateSchemaMetadata",
            c.message("UpdateSchemaMetadataRequest", schema_id=first.schema_id, state=3, tags=["y"]),
        ).schema
        c.call("DeleteSchema", c.message("DeleteSchemaRequest", schema_id=first.schema_id, soft_delete=True))
        while told[-1].event_type != 3:
            told.append(events.get())
    assert (updated.state, list(updated.tags)) == (3, ["y"])
    assert [e.event_type for e in told[-2:]] == [4, 3]
    assert {e.schema_id for e in told} == {first.schema_id}

    assert c.call("HealthCheck", empty_pb2.Empty()).status == 1
    assert c.called == {
        m.name for m in schema_registry_pb2.DESCRIPTOR.services_by_name["SchemaRegistry"].methods
    }


@contextmanager
def _subscribed(client: ContractClient, subject: str) -> Iterator[queue.Queue[Any]]:
    """The events of a stream from now on, as they come."""
    call = client.call("StreamSchemaChanges", client.message("StreamRequest", subjects=[subject]))
    events: queue.Queue[Any] = queue.Queue()
    ended: list[grpc.StatusCode] = []

    def read() -> None:
        try:
            for event in call:
                events.put(event)
        except grpc.RpcError:
            ended.append(call.code())

    reader = threading.Thread(target=read)
    reader.start()
    yield events
    call.cancel()
    reader.join()
    assert ended == [grpc.StatusCode.CANCELLED]


def _changed_until_told(client: ContractClient, schema_id: str, events: queue.Queue[Any]) -> list[Any]:
    for n in range(100):
        request = client.message("UpdateSchemaMetadataRequest", schema_id=schema_id, description=f"d{n}")
        client.call("UpdateSchemaMetadata", request)
        try:
            return [events.get(timeout=0.3)]
        except queue.Empty:
            continue
    raise AssertionError("the stream tells of no change")
