"""The HTTP twin over real sockets: every binding, every way to be wrong, streams, probes, drain."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest

from llm_schema_registry.v1 import schema_registry_pb2 as pb
from llm_schema_registry_server.calls.guards.limits import Limits
from llm_schema_registry_server.faces import mounts
from llm_schema_registry_server.model.health import HealthStatus
from llm_schema_registry_server.rpc.protobuf.rpcs import Rpcs
from llm_schema_registry_server.transports.http.dispatcher import Dispatcher
from llm_schema_registry_server.transports.http.listener import HttpListener
from llm_schema_registry_server.transports.http.options import HttpOptions
from llm_schema_registry_server.transports.http.probes import Probes
from llm_schema_registry_server.transports.http.routes import Match, Routes
from llm_schema_registry_server.transports.http.twin import HttpTwin
from llm_schema_registry_server.transports.listener import ListenError
from llm_schema_registry_server.transports.servers import Servers
from tests.unit.transports.toy import REGISTRY, ToyHealth, ToyRegistry, rpcs, unread

OPTIONS = HttpOptions(
    max_body_bytes=100_000,
    max_batch_bytes=200_000,
    unread=unread(30),
    live=frozenset({f"/{REGISTRY}/StreamSchemaChanges"}),
    sockets={"/api/v1/schemas/subscribe": f"/{REGISTRY}/StreamSchemaChanges"},
    statuses={f"/{REGISTRY}/HealthCheck": lambda answer: 503 if answer.status == 3 else 200},
)


def dispatcher(rpcs: Rpcs, health: ToyHealth, options: HttpOptions = OPTIONS) -> Dispatcher:
    """What a server has on its HTTP port."""
    return Dispatcher(mounts(HttpTwin(rpcs, options), Probes(health)))


@dataclass
class World:
    registry: ToyRegistry
    health: ToyHealth
    servers: Servers
    http: httpx.AsyncClient
    limits: Limits
    port: int


@pytest.fixture
async def world(stall_seconds: float) -> AsyncIterator[World]:
    registry, health, limits = ToyRegistry(), ToyHealth(), Limits(calls=50, streams=50)
    app = dispatcher(rpcs(registry, limits=limits), health, replace(OPTIONS, unread=unread(stall_seconds)))
    servers = Servers([HttpListener(app, "127.0.0.1", 0)], registry.end_streams)
    await servers.start()
    port = servers.ports["http"]
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}", timeout=20, headers={"content-type": "application/json"}
    ) as client:
        yield World(registry, health, servers, client, limits, port)
        registry.released.set()
        await servers.drain(0)


async def test_a_read_by_id_is_json_with_snake_case_names_revision_and_security_headers(world: World) -> None:
    answer = await world.http.get("/api/v1/schemas/a")

    assert answer.status_code == 200
    assert answer.json()["schema"]["id"] == "a"
    assert answer.json()["schema"]["schema_type"] == "SCHEMA_TYPE_UNSPECIFIED"
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-registry-revision"] == "r-7"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["x-request-id"]


async def test_the_same_question_again_is_answered_without_the_handler(world: World) -> None:
    answers = [await world.http.get("/api/v1/schemas/a") for _ in range(3)]

    assert len({a.content for a in answers}) == 1
    assert len({a.headers["x-request-id"] for a in answers}) == 3
    assert len(world.registry.seen) == 1


async def test_a_path_that_is_asked_again_is_matched_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    matched: list[str] = []

    def counting(routes: Routes, verb: str, raw_path: str) -> Match:
        matched.append(raw_path)
        return match(routes, verb, raw_path)

    match = Routes.match
    monkeypatch.setattr(Routes, "match", counting)
    for _ in range(5):
        await world.http.get("/api/v1/schemas/a")
    others = [await world.http.request(verb, "/api/v1/schemas/a") for verb in ("PATCH", "HEAD", "OPTIONS")]
    missing = [await world.http.get("/api/v1/schemas/a/nothing") for _ in range(2)]

    assert (
        matched[:2] == ["/api/v1/schemas/a"] * 2
    )  # computed, then found in the cache; after that the path is known
    assert len(matched) == 2 + 3 + 2
    assert [answer.status_code for answer in others] == [405, 200, 204]
    assert [answer.status_code for answer in missing] == [404, 404]


async def test_an_etag_that_matches_saves_the_body(world: World) -> None:
    first = await world.http.get("/api/v1/schemas/a")
    again = await world.http.get("/api/v1/schemas/a", headers={"if-none-match": first.headers["etag"]})

    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]


async def test_head_has_the_headers_of_get_and_no_body(world: World) -> None:
    got, head = await world.http.get("/api/v1/schemas/a"), await world.http.head("/api/v1/schemas/a")

    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["content-length"] == str(len(got.content))


@pytest.mark.parametrize(
    ("raw", "subject"),
    [
        ("orders", "orders"),
        ("a%2Fb", "a/b"),
        ("a%20b", "a b"),
        ("100%25", "100%"),
        ("%3A.ctx%3Aname", ":.ctx:name"),
        (":.ctx:name", ":.ctx:name"),
        ("%C3%A9t%C3%A9.v1", "été.v1"),
        ("a%252Fb", "a%2Fb"),
    ],
)
async def test_any_subject_survives_the_path(world: World, raw: str, subject: str) -> None:
    answer = await world.http.get(f"/api/v1/subjects/{raw}/versions/1.x")

    assert answer.json()["schema"] == answer.json()["schema"] | {"subject": subject, "version": "1.x"}


@pytest.mark.parametrize(
    ("path", "request_type"),
    [
        ("/api/v1/subjects/s/versions/latest", pb.GetLatestVersionRequest),
        ("/api/v1/subjects/s/versions/3", pb.GetSchemaByVersionRequest),
        ("/api/v1/subjects/s/versions:list", pb.ListVersionsRequest),
        ("/api/v1/subjects/s/versions", pb.GetSubjectVersionsRequest),
        ("/api/v1/subjects", pb.ListSubjectsRequest),
        ("/api/v1/schemas/x/dependencies?transitive", pb.GetDependenciesRequest),
        ("/api/v1/schemas/x/dependents?transitive=true", pb.GetDependentsRequest),
    ],
)
async def test_a_literal_path_wins_over_a_capture(world: World, path: str, request_type: type) -> None:
    assert (await world.http.get(path)).status_code == 200

    (request,) = world.registry.seen
    assert type(request) is request_type
    assert getattr(request, "transitive", True)


async def test_a_registration_answers_201_and_takes_the_schema_as_text_json_or_base64(world: World) -> None:
    content = '{"type":"object"}'
    bodies: list[dict[str, Any]] = [
        {"schema": content},
        {"schema": {"type": "object"}},
        {"schema_content": base64.b64encode(content.encode()).decode()},
        {"schemaContent": base64.b64encode(content.encode()).decode()},
    ]
    for body in bodies:
        answer = await world.http.post(
            "/api/v1/schemas", json={"subject": "s", "schema_type": "JSON", "tags": ["a", "b"], **body}
        )
        assert answer.status_code == 201, answer.text

    assert {r.schema_content for r in world.registry.seen} == {content.encode()}  # type: ignore[attr-defined]
    first = world.registry.seen[0]
    assert isinstance(first, pb.RegisterSchemaRequest)
    assert (first.schema_type, list(first.tags)) == (pb.SCHEMA_TYPE_JSON, ["a", "b"])


async def test_data_is_taken_as_base64_or_as_json(world: World) -> None:
    await world.http.post("/api/v1/schemas/x/validate", json={"data_json": {"b": 1, "a": "é"}})
    await world.http.post("/api/v1/schemas/x/validate", json={"data": "AAE="})

    one, two = world.registry.seen
    assert isinstance(one, pb.ValidateDataRequest)
    assert isinstance(two, pb.ValidateDataRequest)
    assert (one.schema_id, one.data, two.data) == ("x", '{"b":1,"a":"é"}'.encode(), b"\0\1")


async def test_a_delete_answers_204_and_knows_soft(world: World) -> None:
    answer = await world.http.delete("/api/v1/schemas/x?soft=true")

    assert (answer.status_code, answer.content) == (204, b"")
    assert world.registry.seen == [pb.DeleteSchemaRequest(schema_id="x", soft_delete=True)]


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("", {}),
        ("?permanent", {"permanent": True}),
        ("?permanent=true", {"permanent": True}),
        ("?permanent=false", {}),
        ("?soft=false", {"permanent": True}),
        ("?soft_delete=0", {"permanent": True}),
    ],
)
async def test_a_delete_is_permanent_only_when_the_query_says_so(
    world: World, query: str, fields: dict[str, bool]
) -> None:
    answer = await world.http.delete(f"/api/v1/schemas/x{query}")

    assert answer.status_code == 204
    assert world.registry.seen == [pb.DeleteSchemaRequest(schema_id="x", **fields)]


async def test_query_parameters_are_typed_with_short_enum_names_and_repetition(world: World) -> None:
    await world.http.get(
        "/api/v1/schemas?state=ACTIVE&schema_type=SCHEMA_TYPE_AVRO&limit=2&subject_prefix=a%2Fb"
    )
    await world.http.get("/api/v1/schemas?state=2&schemaType=avro&limit=2")
    stream = world.http.stream("GET", "/api/v1/changes?subjects=a*&subjects=b&event_types=SCHEMA_DELETED")
    async with stream:
        pass

    first, second, third = world.registry.seen
    assert first == pb.ListSchemasRequest(
        state=pb.SCHEMA_STATE_ACTIVE, schema_type=pb.SCHEMA_TYPE_AVRO, limit=2, subject_prefix="a/b"
    )
    assert second == pb.ListSchemasRequest(
        state=pb.SCHEMA_STATE_ACTIVE, schema_type=pb.SCHEMA_TYPE_AVRO, limit=2
    )
    assert third == pb.StreamRequest(subjects=["a*", "b"], event_types=[pb.EVENT_TYPE_SCHEMA_DELETED])


async def test_a_body_may_be_one_field_with_the_rest_in_path_and_query(world: World) -> None:
    answer = await world.http.put("/api/v1/config/subjects/a%2Fb", json={"compatibility_level": "FULL"})

    assert answer.status_code == 200
    assert answer.json()["config"]["compatibility_level"] == "COMPATIBILITY_LEVEL_FULL"


@pytest.mark.parametrize(
    ("verb", "path", "body", "status", "code", "field"),
    [
        ("GET", "/api/v1/nothing", None, 404, "ROUTE_NOT_FOUND", None),
        ("GET", "/api/v1/schemas/a/b/c", None, 404, "ROUTE_NOT_FOUND", None),
        ("PATCH", "/api/v1/schemas/a", None, 405, "VERB_NOT_ALLOWED", None),
        ("GET", "/api/v1/schemas?limit=zebra", None, 400, "INVALID_REQUEST", "limit"),
        ("GET", "/api/v1/schemas?limit=99999999999", None, 400, "INVALID_REQUEST", "limit"),
        ("GET", "/api/v1/schemas?state=ASLEEP", None, 400, "INVALID_REQUEST", "state"),
        ("GET", "/api/v1/schemas?colour=red", None, 400, "INVALID_REQUEST", "colour"),
        ("GET", "/api/v1/schemas?limit=1&limit=2", None, 400, "INVALID_REQUEST", "limit"),
        ("GET", "/api/v1/schemas?subject_prefix=%FF", None, 400, "INVALID_REQUEST", None),
        ("GET", "/api/v1/subjects/%FF/versions", None, 400, "INVALID_REQUEST", "subject"),
        ("GET", "/api/v1/subjects//versions", None, 400, "INVALID_REQUEST", "subject"),
        ("GET", "/api/v1/schemas/x/dependents?transitive=maybe", None, 400, "INVALID_REQUEST", "transitive"),
        ("POST", "/api/v1/schemas", b"{", 400, "INVALID_REQUEST", None),
        ("POST", "/api/v1/schemas", b"[1]", 400, "INVALID_REQUEST", None),
        ("POST", "/api/v1/schemas", b"\xff\xfe", 400, "INVALID_REQUEST", None),
        ("POST", "/api/v1/schemas", b'{"subject": 1}', 400, "INVALID_REQUEST", "subject"),
        ("POST", "/api/v1/schemas", b'{"colour": 1}', 400, "INVALID_REQUEST", "colour"),
        ("POST", "/api/v1/schemas", b'{"subject":"a","subject":"b"}', 400, "INVALID_REQUEST", None),
        ("POST", "/api/v1/schemas", b'{"schema": NaN}', 400, "INVALID_REQUEST", None),
        ("POST", "/api/v1/schemas", b'{"schema": 1e999}', 400, "INVALID_REQUEST", None),
        ("POST", "/api/v1/schemas", b'{"schema": "\\ud800"}', 400, "INVALID_REQUEST", "schema"),
        (
            "POST",
            "/api/v1/schemas",
            b'{"schema": {}, "schema_content": ""}',
            400,
            "INVALID_REQUEST",
            "schema_content",
        ),
        ("POST", "/api/v1/schemas", b'{"schema":' + b"[" * 90_000, 400, "INVALID_REQUEST", None),
        ("POST", "/api/v1/schemas", b'{"schema_type": "YAML"}', 400, "INVALID_REQUEST", "schema_type"),
        (
            "POST",
            "/api/v1/schemas",
            b'{"references":[{"nam":1}]}',
            400,
            "INVALID_REQUEST",
            "references[0].nam",
        ),
        ("POST", "/api/v1/schemas?subject=x", b"{}", 400, "INVALID_REQUEST", "subject"),
        ("POST", "/api/v1/schemas", b"x" * 100_001, 413, "REQUEST_TOO_LARGE", None),
        ("POST", "/api/v1/schemas/x/validate", b'{"schema_id":"y"}', 400, "INVALID_REQUEST", "schema_id"),
        ("POST", "/api/v1/schemas", b'{"subject":"invalid"}', 422, "INVALID_SCHEMA", "schema_content"),
        ("POST", "/api/v1/schemas", b'{"subject":"incompatible"}', 409, "INCOMPATIBLE_SCHEMA", None),
        ("GET", "/api/v1/schemas/missing", None, 404, "SCHEMA_NOT_FOUND", None),
        ("GET", "/api/v1/schemas/crash", None, 500, "INTERNAL", None),
        ("GET", "/api/v1/schemas?subject_prefix=missing&limit=-1", None, 404, "SCHEMA_NOT_FOUND", None),
    ],
)
@pytest.mark.slow
async def test_what_is_wrong_is_answered_with_its_status_and_named(
    world: World, verb: str, path: str, body: bytes | None, status: int, code: str, field: str | None
) -> None:
    answer = await world.http.request(verb, path, content=body)

    assert (answer.status_code, answer.json()["error_code"]) == (status, code), answer.text
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    info = answer.json()["details"][0]
    assert info["reason"] == code
    if field is not None:
        assert info["metadata"]["field"] == field
    assert "swordfish" not in answer.text


async def test_a_wrong_verb_is_told_the_right_ones(world: World) -> None:
    refused = await world.http.patch("/api/v1/schemas/a")
    asked = await world.http.options("/api/v1/schemas/a")

    assert refused.headers["allow"] == "GET, PUT, DELETE"
    assert (asked.status_code, asked.headers["allow"]) == (204, "GET, PUT, DELETE, OPTIONS")


async def test_details_that_trailers_could_not_hold_arrive_whole(world: World) -> None:
    answer = await world.http.post("/api/v1/schemas", json={"subject": "incompatible", "description": "many"})

    report = answer.json()["details"][2]
    assert report["@type"].endswith("/schema_registry.v1.CompatibilityReport")
    assert len(report["violations"]) == 100


@pytest.mark.parametrize("header", [{"x-timeout-ms": "100"}, {"grpc-timeout": "100m"}])
async def test_a_deadline_header_ends_the_handler(world: World, header: dict[str, str]) -> None:
    answer = await world.http.get("/api/v1/schemas/wait", headers=header)

    assert (answer.status_code, answer.json()["error_code"]) == (504, "DEADLINE_EXCEEDED")
    assert world.registry.ended.is_set()


@pytest.mark.parametrize("header", [{"x-timeout-ms": "soon"}, {"x-timeout-ms": "-1"}, {"grpc-timeout": "5"}])
async def test_a_deadline_that_is_none_is_refused(world: World, header: dict[str, str]) -> None:
    answer = await world.http.get("/api/v1/schemas/a", headers=header)

    assert answer.status_code == 400
    assert answer.json()["details"][0]["metadata"]["field"] in header


async def test_a_list_is_an_array_or_lines_when_asked(world: World) -> None:
    array = await world.http.get("/api/v1/schemas?limit=3")
    empty = await world.http.get("/api/v1/schemas?limit=-1")
    lines = await world.http.get("/api/v1/schemas?limit=3", headers={"accept": "application/x-ndjson"})

    assert [item["id"] for item in array.json()] == ["0", "1", "2"]
    assert empty.json() == []
    assert lines.headers["content-type"] == "application/x-ndjson"
    assert [json.loads(line)["id"] for line in lines.text.splitlines()] == ["0", "1", "2"]


async def test_lines_that_fail_in_the_middle_end_with_the_error(world: World) -> None:
    answer = await world.http.get(
        "/api/v1/schemas?limit=2&subject_prefix=missing", headers={"accept": "application/x-ndjson"}
    )

    *items, last = [json.loads(line) for line in answer.text.splitlines()]
    assert len(items) == 2
    assert last["error"]["error_code"] == "SCHEMA_NOT_FOUND"


async def test_an_array_that_fails_in_the_middle_is_never_taken_for_whole(world: World) -> None:
    try:
        answer = await world.http.get("/api/v1/schemas?limit=2&subject_prefix=missing")
    except httpx.RemoteProtocolError:
        return
    with pytest.raises(json.JSONDecodeError):
        answer.json()


async def test_a_batch_answers_each_line_in_order(world: World) -> None:
    lines = [{"schema_id": "a", "data_json": 1}, {"schema_id": "bad"}, {"schema_id": "c"}]
    body = "\n".join(json.dumps(line) for line in lines) + "\n\n"
    answer = await world.http.post("/api/v1/validate:batch", content=body)

    got = [json.loads(line) for line in answer.text.splitlines()]
    assert [(r["schema_id"], r["valid"], r["index"]) for r in got] == [
        ("a", True, "0"),
        ("bad", False, "1"),
        ("c", True, "2"),
    ]


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/api/v1/schemas", {"content-encoding": "gzip"}),
        ("/api/v1/schemas", {"content-encoding": "identity, br"}),
        ("/api/v1/validate:batch", {"content-encoding": "deflate"}),
        ("/api/v1/schemas", {"content-type": "application/json; charset=utf-16"}),
        ("/api/v1/schemas", {"content-type": "text/plain"}),
        ("/api/v1/schemas", {"content-type": "application/x-www-form-urlencoded"}),
        ("/api/v1/schemas", {"content-type": "multipart/form-data; boundary=x"}),
        ("/api/v1/schemas", {"content-type": "application/x-ndjson"}),
        ("/api/v1/schemas", {"content-type": "text/plain; a=application/json"}),
        ("/api/v1/schemas", {"content-type": "application/jsonx"}),
        ("/api/v1/schemas", {"content-type": ""}),
        ("/api/v1/validate:batch", {"content-type": "text/plain"}),
        ("/api/v1/validate:batch", {"content-type": ""}),
        ("/api/v1/schemas", {"content-type": 'application/json; Charset="ISO-8859-1"'}),
    ],
)
async def test_a_body_that_is_not_plain_text_is_refused_before_it_is_read(
    world: World, path: str, headers: dict[str, str]
) -> None:
    answer = await world.http.post(path, content=b'{"subject":"s"}', headers=headers)

    assert (answer.status_code, answer.json()["error_code"]) == (415, "UNSUPPORTED_BODY")
    assert answer.headers["accept-encoding"] == "identity"
    assert answer.json()["details"][1]["field_violations"][0]["field"] in headers


@pytest.mark.parametrize(
    "kind", ["application/json", "application/json; charset=UTF-8", 'application/x-ndjson;charset="utf8"']
)
async def test_a_body_in_utf_8_is_read(world: World, kind: str) -> None:
    headers = {"content-type": kind, "content-encoding": "identity"}
    answer = await world.http.post("/api/v1/validate:batch", content=b'{"schema_id":"a"}', headers=headers)

    assert answer.status_code == 200


async def test_a_line_of_a_batch_that_cannot_be_read_is_answered_in_its_place(world: World) -> None:
    body = b'{"schema_id":"a"}\n{oops\n\n{"strict":7}\n{"schema_id":"c"}\n'
    answer = await world.http.post("/api/v1/validate:batch", content=body)

    first, second, third, last = [json.loads(line) for line in answer.text.splitlines()]
    assert (first["schema_id"], last["schema_id"], last["index"]) == ("a", "c", "3")
    assert second["error"]["message"].startswith("line 2: the body is not JSON")
    assert third["error"]["message"].startswith("strict: must be true or false")
    assert third["error"]["message"].endswith("(line 4)")
    assert third["error"]["details"][0]["metadata"]["field"] == "strict"


async def test_a_batch_over_the_limit_is_refused(world: World) -> None:
    answer = await world.http.post("/api/v1/validate:batch", content=b"\n" * 200_001)

    assert (answer.status_code, answer.json()["error_code"]) == (413, "REQUEST_TOO_LARGE")


async def read_events(response: httpx.Response, count: int) -> list[dict[str, str]]:
    events: list[dict[str, str]] = []
    event: dict[str, str] = {}
    async for line in response.aiter_lines():
        name, _, value = line.partition(": ")
        if line:
            event[name] = value
        elif event:
            events.append(event)
            event = {}
        if len(events) == count:
            break
    return events


async def test_changes_are_server_sent_events_that_resume_where_the_browser_was(world: World) -> None:
    async with world.http.stream("GET", "/api/v1/changes", headers={"last-event-id": "4"}) as response:
        assert response.headers["content-type"] == "text/event-stream"
        retry, first, second = await read_events(response, 3)

    assert retry == {"retry": "2000"}
    assert (first["id"], second["id"]) == ("5", "6")
    assert json.loads(first["data"])["revision"] == "5"
    await world.registry.ended.wait()


async def test_an_event_stream_without_events_opens_at_once(world: World) -> None:
    world.registry.silent = True
    async with world.http.stream("GET", "/api/v1/changes") as response:
        assert response.status_code == 200
        opening = await anext(response.aiter_text())

    assert opening.startswith("retry: ")


async def test_a_stream_that_fails_says_so_as_an_event(world: World) -> None:
    async with world.http.stream("GET", "/api/v1/changes") as response:
        world.registry.going.set()
        text = (await response.aread()).decode()

    assert text.rstrip().splitlines()[-2] == "event: error"
    error = json.loads(text.rstrip().splitlines()[-1].removeprefix("data: "))
    assert (error["error_code"], error["details"][0]["metadata"]["revision"]) == ("SHUTTING_DOWN", "3")


@pytest.mark.parametrize("stall_seconds", [0.5])
async def test_a_reader_that_never_reads_is_ended(world: World) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
    writer.write(b"GET /api/v1/changes?subjects=flood HTTP/1.1\r\nhost: x\r\n\r\n")
    await reader.read(100)

    await world.registry.streams_ended.get()
    assert (await world.http.get("/api/v1/schemas/a")).status_code == 200
    writer.close()


async def test_over_the_limit_a_request_is_refused_with_429_at_once(world: World) -> None:
    waiting = [asyncio.create_task(world.http.get("/api/v1/schemas/wait")) for _ in range(50)]
    for _ in waiting:
        await world.registry.waits.get()
    refused = await world.http.get("/api/v1/schemas/a")
    world.registry.released.set()

    assert (refused.status_code, refused.json()["error_code"]) == (429, "LIMIT_EXCEEDED")
    assert {(await task).status_code for task in waiting} == {200}


async def test_probes_tell_alive_ready_and_started(world: World) -> None:
    world.health.status = HealthStatus.UNHEALTHY
    sick = {p: (await world.http.get(f"/health/{p}")).status_code for p in ("live", "ready", "startup")}
    world.health.status = HealthStatus.DEGRADED
    well = {p: (await world.http.get(f"/health/{p}")).status_code for p in ("live", "ready", "startup")}
    world.health.status = HealthStatus.UNHEALTHY
    later = (await world.http.get("/health/startup")).status_code

    assert sick == {"live": 200, "ready": 503, "startup": 503}
    assert well == {"live": 200, "ready": 200, "startup": 200}
    assert later == 200


async def test_the_health_rpc_has_its_twin(world: World) -> None:
    answer = await world.http.get("/health")

    assert (answer.status_code, answer.json()["status"]) == (200, "STATUS_HEALTHY")


async def test_drain_lets_requests_finish_refuses_new_ones_and_turns_ready_off(world: World) -> None:
    waiting = asyncio.create_task(world.http.get("/api/v1/schemas/wait"))
    await world.registry.entered.wait()
    await world.http.get("/health/live")  # a connection that is open already

    draining = asyncio.create_task(world.servers.drain(10))
    await world.registry.going.wait()
    ready = await world.http.get("/health/ready")
    refused = await world.http.get("/api/v1/schemas/a")
    world.registry.released.set()

    assert (await waiting).status_code == 200
    assert ready.status_code == 503
    assert (refused.status_code, refused.json()["error_code"]) == (503, "SHUTTING_DOWN")
    await draining


async def test_drain_cuts_what_does_not_finish(world: World) -> None:
    waiting = asyncio.create_task(world.http.get("/api/v1/schemas/wait"))
    await world.registry.entered.wait()
    await world.servers.drain(0.1)

    assert (await waiting).status_code == 503


async def test_a_port_that_is_taken_is_named(world: World) -> None:
    app = dispatcher(rpcs(ToyRegistry()), ToyHealth())

    with pytest.raises(ListenError, match=str(world.port)):
        await HttpListener(app, "127.0.0.1", world.port).start()


@pytest.mark.parametrize(
    "junk",
    [
        b"\x00\x01\x02\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 40_000 + b"\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: -5\r\n\r\n",
    ],
)
async def test_junk_ends_its_connection_and_nothing_else(world: World, junk: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
    writer.write(junk)
    answer = await reader.read(12)
    writer.close()

    assert answer in (b"", b"HTTP/1.1 400", b"HTTP/1.1 431")
    assert (await world.http.get("/api/v1/schemas/a")).status_code == 200
