"""Every bound of a request is a setting that works: what the default takes is refused where it is lowered, by its name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from google.protobuf.message import Message

from llm_schema_registry.v1 import schema_registry_pb2 as pb
from llm_schema_registry_server.settings import (
    ConformanceSettings,
    HttpSettings,
    LimitsSettings,
    McpSettings,
    ProvidersSettings,
)

from .conftest import Servers
from .helpers import JSON, V1
from .server import ServerProcess
from .wires import CallFailed, GrpcWire, HttpWire, Wire

Asked = tuple[str, Message]


def registration(content: bytes = V1, **fields: Any) -> Asked:
    return "RegisterSchema", pb.RegisterSchemaRequest(
        subject=f"limits.{uuid4().hex}", schema_content=content, schema_type=JSON, **fields
    )


def reference(number: int) -> pb.SchemaReference:
    return pb.SchemaReference(name=f"r{number}", subject="nobody", version="1")


def search(**fields: Any) -> Asked:
    return "SearchSchemas", pb.SearchSchemasRequest(**fields)


LOWERED: dict[str, tuple[int, Asked]] = {
    "limits.schema_bytes": (1_500, registration(V1.ljust(2_000))),
    "limits.data_bytes": (1_000, ("ValidateData", pb.ValidateDataRequest(schema_id=str(uuid4()), data=b"1" * 2_000))),
    "limits.references": (2, registration(references=[reference(n) for n in range(3)])),
    "limits.tags": (2, registration(tags=["a", "b", "c"])),
    "limits.metadata_bytes": (20, registration(metadata={"key": "v" * 30})),
    "limits.description_length": (10, registration(description="d" * 20)),
    "limits.tag_length": (5, registration(tags=["longer"])),
    "limits.request_items": (12, search(tags=[f"t{n}" for n in range(20)])),
    "limits.search_terms": (2, search(tags=["a", "b", "c"])),
    "limits.search_text": (10, search(query="w" * 20)),
    "http.max_body_bytes": (100_000, registration(b"x" * 200_000)),
    "http.max_escapes": (1_000, registration(description='"' * 2_000)),
}  # fmt: skip
"""The lowered value, and a request that is too much for it."""

ELSEWHERE = {
    "limits.reference_depth",  # needs schemas that are there: see test_graph.py
    # These bound what is done at the same time, is sent, or is a value of a whole body, and have tests of their own.
    "limits.page", "limits.page_bytes", "limits.calls_in_flight", "limits.streams", "limits.streams_per_caller",
    "limits.unread_bytes", "limits.unread_bytes_per_caller", "limits.socket_bytes", "limits.open_answers", "limits.open_answer_bytes", "http.max_batch_bytes", "http.max_values",
    "providers.files", "providers.profiles", "providers.profile_bytes", "providers.prove_seconds", "providers.form_bytes",
    "providers.watch_seconds", "providers.watch_share",
    "conformance.models", "conformance.keep_days", "conformance.waiting", "conformance.pause_seconds", "conformance.error",
    "conformance.margin",  # test_conformance.py, tests/unit/registry/test_conformance.py
    "mcp.enabled", "mcp.max_body_bytes", "mcp.max_values", "mcp.wait_seconds",  # tests/mcp_server
    "http.connections_per_address", "http.host", "http.hosts", "http.port", "http.origins",
}  # fmt: skip


def test_every_bound_of_a_request_has_a_test() -> None:
    sections = {
        "limits": LimitsSettings(),
        "http": HttpSettings(),
        "mcp": McpSettings(),
        "providers": ProvidersSettings(),
        "conformance": ConformanceSettings(),
    }
    names = {f"{section}.{field}" for section, values in sections.items() for field in values.model_dump()}

    assert names == {*LOWERED} | ELSEWHERE


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with every limit lowered."""
    lowered = {name.upper().replace(".", "__"): str(value) for name, (value, _) in LOWERED.items()}
    server = ServerProcess(tmp_path_factory.mktemp("strict"), **lowered)
    yield server
    assert server.stop() == 0


def outcome(wire: Wire, asked: Asked) -> str:
    """The message of the refusal; "" without one."""
    rpc, request = asked
    try:
        wire.call(rpc, request)
    except CallFailed as error:
        return error.message
    return ""


@pytest.mark.slow
@pytest.mark.parametrize("setting", [name for name in LOWERED if name.startswith("limits.")])
@pytest.mark.parametrize("over", ["grpc", "http"])
def test_a_lowered_limit_refuses_what_the_default_takes(
    setting: str, over: str, strict: ServerProcess, servers: Servers
) -> None:
    made: Any = HttpWire(strict.http) if over == "http" else GrpcWire("native", strict.grpc)
    try:
        message = outcome(made, LOWERED[setting][1])
    finally:
        made.close()

    assert setting in message
    assert str(LOWERED[setting][0]) in message
    assert "setting" not in outcome(servers.wire("native"), LOWERED[setting][1])


@pytest.mark.parametrize("setting", ["http.max_body_bytes", "http.max_escapes"])
def test_a_lowered_limit_of_bodies_refuses_what_the_default_takes(
    setting: str, strict: ServerProcess
) -> None:
    made = HttpWire(strict.http)
    try:
        message = outcome(made, LOWERED[setting][1])
    finally:
        made.close()

    assert setting in message
    assert str(LOWERED[setting][0]) in message
