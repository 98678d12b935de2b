"""Routes and the way from JSON to messages, without a socket."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_schema_registry.v1 import lifecycle_pb2, policy_pb2
from llm_schema_registry.v1 import schema_registry_pb2 as pb
from llm_schema_registry_server.errors import InvalidRequest
from llm_schema_registry_server.rpc.protobuf.method import Binding, Method, methods
from llm_schema_registry_server.transports.http.errors import RouteNotFound, VerbNotAllowed
from llm_schema_registry_server.transports.http.json_in import request_message
from llm_schema_registry_server.transports.http.routes import RecentRoutes, Route, Routes
from llm_schema_registry_server.transports.http.stream_formats import (
    Events,
    JsonArray,
    Lines,
    choose,
)
from tests.unit.transports.toy import METHODS

LIFECYCLE = methods((lifecycle_pb2.DESCRIPTOR.services_by_name["LifecycleService"],), policy_pb2.policy)
ROUTES = Routes((*METHODS, *LIFECYCLE))
GET_SCHEMA, REGISTER = METHODS[1], METHODS[0]


def bound(method: Method, *bindings: tuple[str, str]) -> Method:
    return replace(method, bindings=tuple(Binding(verb, path, "") for verb, path in bindings))


@pytest.mark.parametrize(
    ("verb", "path", "name", "captured"),
    [
        ("POST", "/api/v1/schemas/x:undelete", "UndeleteSchema", {"schema_id": "x"}),
        ("GET", "/api/v1/schemas/x:undelete", "GetSchema", {"schema_id": "x:undelete"}),
        ("DELETE", "/api/v1/subjects/a%3Ab", "DeleteSubject", {"subject": "a:b"}),
        ("POST", "/api/v1/validate:batch", "BatchValidate", {}),
        ("GET", "/api/v1/subjects/latest/versions/latest", "GetLatestVersion", {"subject": "latest"}),
        ("GET", "/health", "HealthCheck", {}),
    ],
)
def test_a_path_finds_its_method(verb: str, path: str, name: str, captured: dict[str, str]) -> None:
    route, got = ROUTES.match(verb, path)

    assert (route.method.name, got) == (name, captured)


def test_recent_routes_are_bounded_in_number_and_in_the_length_of_a_path() -> None:
    recent = RecentRoutes(most=2, longest=20)
    paths = [f"/api/v1/schemas/{name}" for name in ("a", "b", "c", "x" * 20)]

    for path in paths:
        recent.add(path.encode(), ROUTES.match("GET", path))

    assert [recent.get(path.encode()) is not None for path in paths] == [False, True, True, False]
    assert recent.get(paths[1].encode()) == ROUTES.match("GET", paths[1])


def test_only_a_post_to_a_collection_creates() -> None:
    creating = [
        path
        for path in (
            "/api/v1/schemas",
            "/api/v1/schemas/x:undelete",
            "/api/v1/search",
            "/api/v1/validate:batch",
        )
        if ROUTES.match("POST", path)[0].creates
    ]

    assert creating == ["/api/v1/schemas"]


def test_every_binding_can_be_reached() -> None:
    for method in (*METHODS, *LIFECYCLE):
        for binding in method.bindings:
            path = binding.path.replace("{", "").replace("}", "")
            assert ROUTES.match(binding.verb, path)[0].method is method


@pytest.mark.parametrize("template", ["/a/{b=**}", "/a/*", "/a/x{b}", "/a//b", "/{b}:c:d"])
def test_a_template_that_we_cannot_serve_stops_the_start(template: str) -> None:
    with pytest.raises(TypeError, match="cannot serve"):
        Routes((bound(GET_SCHEMA, ("GET", template)),))


def test_two_methods_with_one_path_stop_the_start() -> None:
    with pytest.raises(TypeError, match="belongs to"):
        Routes((bound(GET_SCHEMA, ("GET", "/a/{schema_id}")), bound(REGISTER, ("GET", "/a/{subject}"))))


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(codec="latin-1"), max_size=60), st.sampled_from(["GET", "POST", "PURGE"]))
def test_any_path_is_a_route_or_a_clear_refusal(path: str, verb: str) -> None:
    with suppress(RouteNotFound, VerbNotAllowed, InvalidRequest):
        assert ROUTES.match(verb, "/" + path)[0].verb == verb


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(
    [*pb.RegisterSchemaRequest.DESCRIPTOR.fields_by_name, "schema", "data_json", "schemaType", "nothing"]
)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(st.dictionaries(NAMES, JSON, max_size=5))
def test_any_json_is_a_message_or_an_invalid_request(tree: dict[str, object]) -> None:
    route = Route(REGISTER, "POST", "/x", (), "*")
    with suppress(InvalidRequest):
        message = request_message(route, {}, "", json.dumps(tree).encode())
        assert isinstance(message, pb.RegisterSchemaRequest)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.text(max_size=80))
def test_any_query_is_a_message_or_an_invalid_request(query: str) -> None:
    route, captured = ROUTES.match("GET", "/api/v1/changes")
    with suppress(InvalidRequest):
        message = request_message(route, captured, query, b"")
        assert isinstance(message, pb.StreamRequest)


def test_a_duration_is_a_parameter() -> None:
    route, captured = ROUTES.match("GET", "/api/v1/changes")
    message = request_message(route, captured, "heartbeat_interval=5s", b"")

    assert isinstance(message, pb.StreamRequest)
    assert message.heartbeat_interval.seconds == 5


@pytest.mark.parametrize(
    ("accept", "style"),
    [
        ("", JsonArray),
        ("*/*", JsonArray),
        ("application/json", JsonArray),
        ("text/html, application/x-ndjson;q=0.9", Lines),
        ("text/event-stream", Events),
    ],
)
def test_accept_chooses_how_a_stream_is_written(accept: str, style: type) -> None:
    assert type(choose(accept, JsonArray)) is style


def test_a_heartbeat_moves_the_place_to_resume_and_is_no_event() -> None:
    assert Events().item(pb.SchemaChangeEvent(heartbeat=True, revision="r-9"), first=True) == b"id: r-9\n\n"
