"""What somebody meets who has never called the API: names as they are, what there is, and words that help."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from http.client import HTTPResponse
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from .helpers import JSON, V1, register
from .server import ServerProcess

Name = Callable[[str], str]


@pytest.fixture
def http(servers: Any) -> httpx.Client:
    client: httpx.Client = servers.wire("http").client
    return client


def raw(http: httpx.Client, head: bytes, body: bytes = b"") -> tuple[int, Any]:
    """The answer to a request of just these bytes."""
    with socket.create_connection((http.base_url.host, http.base_url.port), timeout=20) as connection:
        connection.sendall(head + b"connection: close\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        answer = HTTPResponse(connection)
        answer.begin()
        content = answer.read()
        return answer.status, json.loads(content) if content else None


@pytest.mark.parametrize("ending", ["\u00e9", "\u00fc/\u20ac", "\U0001f600", "e\u0301"])
def test_a_path_in_raw_utf8_names_the_same_subject_as_an_encoded_one(
    http: httpx.Client, name: Name, ending: str
) -> None:
    subject = name(ending)
    path = f"/api/v1/config/subjects/{subject.replace('/', '%2F')}"
    put = f"PUT {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n".encode()
    status, _ = raw(http, put, b'{"compatibility_level": "FULL"}')

    assert status == 200
    seen = http.get(f"/api/v1/config/subjects/{quote(subject, safe='')}").json()
    assert seen["config"]["compatibility_level"] == "COMPATIBILITY_LEVEL_FULL"
    listed = raw(http, f"GET /api/v1/subjects?prefix={subject} HTTP/1.1\r\nhost: x\r\n".encode())
    assert listed[0] == 200


@pytest.mark.parametrize("where", ["/api/v1/config/subjects/%s", "/api/v1/subjects?prefix=%s"])
@pytest.mark.parametrize("junk", [b"\xe9", b"%E9", b"\xed\xa0\x80"])
def test_a_path_or_query_that_is_no_utf8_is_refused(http: httpx.Client, where: str, junk: bytes) -> None:
    status, told = raw(http, b"GET " + where.encode() % junk + b" HTTP/1.1\r\nhost: x\r\n")

    assert status == 400
    if junk == b"%E9":  # raw bytes that are no UTF-8 do not come through the HTTP parser
        assert told["error_code"] == "INVALID_REQUEST"
        assert "UTF-8" in told["message"]


@pytest.mark.parametrize("hosts", [b"", b"host: \r\n", b"host: a\r\nHost: b\r\n"])
def test_a_request_without_one_host_is_refused(http: httpx.Client, hosts: bytes) -> None:
    status, told = raw(http, b"GET /api/v1/subjects HTTP/1.1\r\n" + hosts)

    assert (status, told["error_code"]) == (400, "INVALID_REQUEST")
    assert "Host" in told["message"]
    assert raw(http, b"GET /api/v1/subjects HTTP/1.0\r\n")[0] == 200


@pytest.mark.parametrize("context", [".a:b", ".:", ".a:", ":", "a", ". ", ".a\x00"])
def test_a_context_that_is_none_is_refused_and_sets_no_other(http: httpx.Client, context: str) -> None:
    before = [http.get(f"/api/v1/config/contexts/{c}").json()["config"] for c in ("%2E", ".a")]
    answer = http.put(
        f"/api/v1/config/contexts/{quote(context, safe='')}", json={"compatibility_level": "NONE"}
    )

    assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_REQUEST")
    assert "context" in answer.json()["message"]
    assert [http.get(f"/api/v1/config/contexts/{c}").json()["config"] for c in ("%2E", ".a")] == before


@pytest.mark.parametrize("path", ["/", "/api/v1", "/api/v1/"])
def test_the_root_lists_what_there_is(http: httpx.Client, path: str) -> None:
    answer = http.get(path)
    routes = [(route["verb"], route["path"], route["rpc"]) for route in answer.json()["routes"]]

    assert answer.status_code == 200
    assert ("GET", "/api/v1/schemas/{schema_id}", "GetSchema") in routes
    assert "docs/http.md" in answer.json()["documentation"]
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_path_that_is_not_served_is_answered_with_the_nearest_one(http: httpx.Client) -> None:
    answer = http.get("/api/v1/schema/1")

    assert answer.status_code == 404
    assert "did you mean GET /api/v1/schemas/{schema_id}?" in answer.json()["message"]


def test_a_verb_that_is_not_served_is_answered_with_those_that_are(http: httpx.Client) -> None:
    answer = http.patch("/api/v1/schemas/1")

    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, PUT, DELETE")
    assert "use GET, PUT, DELETE" in answer.json()["message"]


def test_data_that_is_missing_is_named(servers: Any, http: httpx.Client, name: Name) -> None:
    schema_id = register(servers.wire("http"), name("s"), V1, JSON).schema_id
    answer = http.post(f"/api/v1/schemas/{schema_id}/validate", json={})
    empty = http.post(f"/api/v1/schemas/{schema_id}/validate", json={"data": ""})

    assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_REQUEST")
    assert answer.json()["message"] == "data: is missing; in JSON it may be given as `data_json` too"
    assert (empty.status_code, empty.json()["valid"]) == (200, False)


def test_a_fault_of_the_schema_is_told_in_the_caller_s_words(http: httpx.Client, name: Name) -> None:
    body = {"subject": name("s"), "schema_type": "JSON", "schema": {"type": 7}}
    friendly = http.post("/api/v1/schemas", json=body).json()

    assert friendly["message"].startswith("schema: ")
    assert "schema_content" not in json.dumps(friendly)


def test_a_type_that_is_none_lists_those_that_work(http: httpx.Client, name: Name) -> None:
    for kind in ("THRFT", 7, []):
        body = {"subject": name("s"), "schema_type": kind, "schema": {}}
        message = http.post("/api/v1/schemas", json=body).json()["message"]
        assert "PROTOBUF" in message
        assert "THRIFT" not in message


def test_a_call_that_another_face_names_is_told_by_its_path(http: httpx.Client, name: Name) -> None:
    body = {"subject": name("s"), "schema_type": "JSON", "schema": {}}
    schema_id = http.post("/api/v1/schemas", json=body).json()["schema_id"]
    http.delete(f"/api/v1/schemas/{schema_id}")
    answer = http.put(f"/api/v1/schemas/{schema_id}", json={"description": "x"})

    assert "POST /api/v1/schemas/{schema_id}:undelete" in answer.json()["message"]


@pytest.mark.slow
def test_callers_learn_which_part_fails_and_not_where_it_is(tmp_path: Any) -> None:
    server = ServerProcess(tmp_path / "server")
    try:
        (tmp_path / "server" / "registry.db").rename(tmp_path / "gone.db")
        body = {"subject": "s", "schema_type": "JSON", "schema": {}}
        answer = httpx.post(f"{server.http}/api/v1/schemas", json=body, trust_env=False, timeout=30)
        health = httpx.get(f"{server.http}/health", trust_env=False, timeout=30)
    finally:
        server.kill()

    assert answer.status_code == 503
    assert "the database file is gone" in answer.json()["message"]
    assert str(tmp_path) not in answer.text + health.text
    assert any(str(tmp_path) in str(line["error"]) for line in server.events("call_failed"))


def test_who_reads_a_subject_is_not_told_of_deletion_alone(http: httpx.Client) -> None:
    answer = http.get("/api/v1/subjects/orders")

    assert (answer.status_code, answer.headers["allow"]) == (405, "DELETE")
    assert answer.json()["message"].endswith("GET is served at /api/v1/subjects/{subject}/versions")
    assert http.put("/api/v1/subjects/orders").json()["message"].endswith("; use DELETE")


@pytest.mark.parametrize(
    ("path", "body", "told"),
    [
        ("/api/v1/subjects/o/versions/latest/validate", {"id": 1}, "data_json"),
        ("/api/v1/search", {"querry": "x"}, "did you mean 'query'?"),
        ("/api/v1/schemas", {"compatibility": "FULL"}, "did you mean 'compatibility_level'?"),
        ("/api/v1/schemas", {"content": "{}"}, "; it has subject, schema, schema_type"),
    ],
)
def test_a_field_that_there_is_not_is_answered_with_those_that_there_are(
    http: httpx.Client, path: str, body: dict[str, Any], told: str
) -> None:
    answer = http.post(path, json=body)

    assert answer.status_code == 400
    assert told in answer.json()["message"]
    assert "schema_content" not in answer.json()["message"]


def test_a_subject_where_an_id_is_meant_is_told_how_to_read_it(http: httpx.Client) -> None:
    for text in ("orders", "123"):
        answer = http.get(f"/api/v1/schemas/{text}")

        assert (answer.status_code, answer.json()["error_code"]) == (404, "SCHEMA_NOT_FOUND")
        assert "no schema id, which is a UUID" in answer.json()["message"]
        assert "GET /api/v1/subjects/{subject}/versions/" in answer.json()["message"]
    unknown = http.get("/api/v1/schemas/0198c0de-0000-7000-8000-000000000001")
    assert "UUID" not in unknown.json()["message"]
