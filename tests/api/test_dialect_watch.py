"""The dialect watch of a running server, on each back end: verdicts are listed, and owners are told what a changed profile means."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from llm_schema_registry.v1 import providers_pb2 as pb
from llm_schema_registry.v1 import schema_registry_pb2 as registry_pb
from tests.support.postgres import shared_server
from tests.support.profiles import REJECTED, profile

from .helpers import V1, delete, register
from .server import ServerProcess
from .wires import GrpcWire, HttpWire, Wire

SHORT = json.dumps({"type": "object", "properties": {"a": {"type": "string", "minLength": 3}}}).encode()
CHANGED = registry_pb.EVENT_TYPE_PROFILE_VERDICT_CHANGED
SETTINGS = {"PROVIDERS__WATCH_SECONDS": "0.1", "PROVIDERS__WATCH_SHARE": "1"}


def on(kind: str, home: Path) -> ServerProcess:
    storage = {"STORAGE__KIND": kind}
    if kind == "postgres":
        storage["STORAGE__POSTGRES__DSN"] = asyncio.run(shared_server().empty_database())
    return ServerProcess(home, **SETTINGS, **storage)


@pytest.fixture(scope="module", params=["memory", "sqlite", "postgres"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    made = on(request.param, tmp_path_factory.mktemp(request.param))
    yield made
    assert made.stop() == 0


@pytest.fixture(params=["grpc", "http"])
def wire(request: pytest.FixtureRequest, server: ServerProcess) -> Iterator[Wire]:
    made: Any = HttpWire(server.http) if request.param == "http" else GrpcWire("native", server.grpc)
    yield made
    made.close()


def listed(
    wire: Wire, name: str, fit: Any = pb.PROFILE_FIT_REFUSED, limit: int = 0
) -> list[pb.ProfileVerdict]:
    """All verdicts, page by page."""
    found: list[pb.ProfileVerdict] = []
    token = ""
    while True:
        request = pb.ListProfileVerdictsRequest(profile=name, fit=fit, limit=limit, page_token=token)
        page: pb.ListProfileVerdictsResponse = wire.call("ListProfileVerdicts", request)
        found += page.verdicts
        token = page.next_page_token
        if not token:
            return found


def complete(wire: Wire, name: str) -> None:
    """Wait until everything is judged by the profile as it is."""
    for _ in range(600):
        if wire.call("ListProfileVerdicts", pb.ListProfileVerdictsRequest(profile=name, limit=1)).complete:
            return
        time.sleep(0.1)
    raise AssertionError(f"not all is judged by {name}")


def put(wire: Wire, name: str, version: int, **keywords: Any) -> None:
    wire.call("PutProfile", pb.PutProfileRequest(profile=name, document=profile(name, version, **keywords)))


def test_what_a_changed_profile_refuses_is_listed_and_told_and_nothing_else(
    wire: Wire, name: Callable[[str], str]
) -> None:
    own = name("own").lower()
    put(wire, own, 1)
    short = [register(wire, name(f"short.{n}"), SHORT).schema_id for n in range(5)]
    plain = [register(wire, name(f"plain.{n}"), V1).schema_id for n in range(3)]
    gone = register(wire, name("gone"), SHORT)
    delete(wire, gone.schema_id)
    complete(wire, own)
    assert listed(wire, own) == []
    assert set(short + plain) <= {v.schema_id for v in listed(wire, own, pb.PROFILE_FIT_FITS, 3)}

    request = registry_pb.StreamRequest(
        subjects=[name("*")], event_types=[CHANGED], from_revision=gone.revision
    )
    with closing(wire.listing("StreamSchemaChanges", request)) as events:
        put(wire, own, 2, minLength=REJECTED)
        told = [next(events) for _ in short]
        complete(wire, own)
        put(wire, own, 3)
        back = [next(events) for _ in short]

    assert sorted(e.schema_id for e in told) == sorted(short)
    assert {(e.metadata["from"], e.metadata["to"]) for e in told} == {("FITS", "REFUSED")}
    assert {e.metadata["pointer"] for e in told} == {"/properties/a/minLength"}
    assert {(e.metadata["profile"], e.metadata["profile_version"]) for e in told} == {(own, "2")}
    assert {e.subject for e in told} == {name(f"short.{n}") for n in range(5)}
    assert sorted(e.schema_id for e in back) == sorted(short)
    assert {(e.metadata["from"], e.metadata["to"]) for e in back} == {("REFUSED", "FITS")}


def test_verdicts_tell_where_and_come_in_pages(wire: Wire, name: Callable[[str], str]) -> None:
    own = name("own").lower()
    ids = [register(wire, name(f"short.{n}"), SHORT).schema_id for n in range(5)]
    put(wire, own, 1, minLength=REJECTED)
    complete(wire, own)
    verdicts = listed(wire, own, limit=2)

    mine = [v for v in verdicts if v.subject.startswith(name(""))]
    assert [v.schema_id for v in mine] == ids, "in the order of registration"
    one = mine[0]
    assert (one.subject, one.version, one.ordinal) == (name("short.0"), "1.0.0", 1)
    assert (one.profile_version, one.fit, one.findings) == (1, pb.PROFILE_FIT_REFUSED, 1)
    assert (one.pointer, one.rule) == ("/properties/a/minLength", "keyword/minLength")
    assert "refuse the whole request" in one.message
    wire.call("DeleteProfile", pb.DeleteProfileRequest(profile=own))


def test_a_built_in_profile_is_applied_too(wire: Wire, name: Callable[[str], str]) -> None:
    schema_id = register(wire, name("s"), SHORT).schema_id
    complete(wire, "anthropic-strict")

    assert schema_id in {v.schema_id for v in listed(wire, "anthropic-strict")}


@pytest.mark.parametrize("kind", ["sqlite"])
def test_a_profile_of_a_file_that_is_newer_is_applied_when_the_server_starts(
    tmp_path: Path, kind: str
) -> None:
    home = tmp_path / "server"
    file = tmp_path / "filed.json"
    file.write_text(profile("filed", 1))
    for version, keywords in ((1, {}), (2, {"minLength": REJECTED})):
        file.write_text(profile("filed", version, **keywords))
        server = ServerProcess(home, **SETTINGS, PROVIDERS__FILES=str(file))
        wire = GrpcWire("native", server.grpc)
        try:
            if version == 1:
                first = register(wire, "s", SHORT)
            complete(wire, "filed")
            if version == 2:
                request = registry_pb.StreamRequest(from_revision=first.revision, event_types=[CHANGED])
                with closing(wire.listing("StreamSchemaChanges", request)) as events:
                    assert next(events).schema_id == first.schema_id
        finally:
            wire.close()
            assert server.stop() == 0
