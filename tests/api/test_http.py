"""What only HTTP has: statuses, routes, encodings of bodies, server-sent events, WebSocket, headers."""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from .helpers import V1, V2_BREAKING, V2_COMPATIBLE

Name = Callable[[str], str]


@pytest.fixture
def http(servers: Any) -> httpx.Client:
    client: httpx.Client = servers.wire("http").client
    return client


def post(http: httpx.Client, subject: str, content: bytes = V1, **fields: Any) -> httpx.Response:
    body = {
        "subject": subject,
        "schema_type": "SCHEMA_TYPE_JSON",
        "schema_content": base64.b64encode(content).decode(),
        **fields,
    }
    return http.post("/api/v1/schemas", json=body)


def test_making_answers_201_and_deleting_204(http: httpx.Client, name: Name) -> None:
    made = post(http, name("s"))
    gone = http.delete(f"/api/v1/schemas/{made.json()['schema_id']}", params={"soft": "true"})

    assert (made.status_code, gone.status_code, gone.content) == (201, 204, b"")


def test_registering_what_is_there_already_answers_200(http: httpx.Client, name: Name) -> None:
    made, again = post(http, name("s")), post(http, name("s"))

    assert (made.status_code, made.json()["created"]) == (201, True)
    assert (again.status_code, again.json()["created"]) == (200, False)


def test_registering_softly_deleted_content_names_the_old_version(http: httpx.Client, name: Name) -> None:
    old = post(http, name("s")).json()
    http.delete(f"/api/v1/schemas/{old['schema_id']}")
    made = post(http, name("s"))

    assert made.status_code == 201
    assert made.json()["softly_deleted_schema_id"] == old["schema_id"]


def test_names_are_those_of_the_proto(http: httpx.Client, name: Name) -> None:
    made = post(http, name("s")).json()
    info = http.get(f"/api/v1/schemas/{made['schema_id']}").json()["schema"]

    assert {"schema_id", "subject", "version", "created_at", "checksum", "ordinal", "global_id"} <= set(made)
    assert base64.b64decode(info["schema_content"]) == V1
    assert (info["schema_type"], info["state"]) == ("SCHEMA_TYPE_JSON", "SCHEMA_STATE_ACTIVE")
    assert info["created_at"].endswith("Z")


def test_a_schema_may_be_given_as_json_or_text_and_data_as_json(http: httpx.Client, name: Name) -> None:
    value = http.post(
        "/api/v1/schemas",
        json={"subject": name("a"), "schema_type": "JSON", "schema": {"type": "object", "required": ["a"]}},
    )
    text = http.post(
        "/api/v1/schemas", json={"subject": name("b"), "schema_type": "json", "schema": V1.decode()}
    )
    valid = http.post(
        f"/api/v1/schemas/{value.json()['schema_id']}/validate", json={"data_json": {"a": None}}
    )
    invalid = http.post(f"/api/v1/schemas/{value.json()['schema_id']}/validate", json={"data_json": {}})

    assert (value.status_code, text.status_code) == (201, 201)
    assert (valid.json().get("valid"), invalid.json().get("valid", False)) == (True, False)


def test_short_names_of_enums_filter(http: httpx.Client, name: Name) -> None:
    post(http, name("s"))
    found = http.get(
        "/api/v1/schemas", params={"subject_prefix": name(""), "state": "ACTIVE", "schema_type": "JSON"}
    )

    assert [s["subject"] for s in found.json()] == [name("s")]


@pytest.mark.parametrize("subject", ["a/b", "a b", "50%", "a%2Fb", "ü😀", "a+b?c#d", ":.ctx:n/m"])
def test_a_subject_is_one_segment_of_the_path(http: httpx.Client, name: Name, subject: str) -> None:
    full = subject + name("")[:-1]
    post(http, full)
    found = http.get(f"/api/v1/subjects/{quote(full, safe='')}/versions/latest")

    assert (found.status_code, found.json()["schema"]["subject"]) == (200, full)


def test_incompatible_is_409_invalid_is_422_with_the_facts(http: httpx.Client, name: Name) -> None:
    post(http, name("s"))
    incompatible, invalid = post(http, name("s"), V2_BREAKING), post(http, name("t"), b'{"type": 1}')
    kinds = [detail["@type"].rpartition("/")[2] for detail in incompatible.json()["details"]]

    assert (incompatible.status_code, incompatible.json()["error_code"]) == (409, "INCOMPATIBLE_SCHEMA")
    assert "schema_registry.v1.CompatibilityReport" in kinds
    assert (invalid.status_code, invalid.json()["error_code"]) == (422, "INVALID_SCHEMA")
    assert invalid.headers["x-request-id"] == invalid.json()["request_id"]


def test_a_callers_request_id_is_kept(http: httpx.Client) -> None:
    answer = http.get("/api/v1/schemas/nobody", headers={"x-request-id": "mine-1"})

    assert answer.json()["request_id"] == answer.headers["x-request-id"] == "mine-1"


@pytest.mark.parametrize(
    ("verb", "path", "status", "code"),
    [
        ("POST", "/", 405, "VERB_NOT_ALLOWED"),
        ("POST", "/api/v1", 405, "VERB_NOT_ALLOWED"),
        ("GET", "/nothing", 404, "ROUTE_NOT_FOUND"),
        ("GET", "/api/v1/nothing", 404, "ROUTE_NOT_FOUND"),
        ("GET", "/api/v1/schemas/x/y/z", 404, "ROUTE_NOT_FOUND"),
        ("GET", "/api/v1/../../etc/passwd", 404, "ROUTE_NOT_FOUND"),
        ("PATCH", "/api/v1/schemas", 405, "VERB_NOT_ALLOWED"),
        ("DELETE", "/api/v1/search", 405, "VERB_NOT_ALLOWED"),
    ],
)
def test_what_is_not_served_is_said_so(
    http: httpx.Client, verb: str, path: str, status: int, code: str
) -> None:
    answer = http.request(verb, path)

    assert (answer.status_code, answer.json()["error_code"]) == (status, code)
    assert (status == 405) == ("allow" in answer.headers)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limt=3", "limt"),
        ("limit=three", "limit"),
        ("limit=1&limit=2", "limit"),
        ("limit=99999999999", "limit"),
        ("state=NOTHING", "state"),
        ("include_deleted=maybe", "include_deleted"),
        ("subject_prefix=%ff", ""),
    ],
)
def test_a_bad_parameter_is_named(http: httpx.Client, query: str, field: str) -> None:
    answer = http.get(f"/api/v1/schemas?{query}")

    assert answer.status_code == 400
    assert field in answer.json()["message"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"7",
        b"null",
        b"\xff",
        b'{"nobody": 1}',
        b'{"subject": 7}',
        b'{"tags": "x"}',
        b'{"schema_content": "!!"}',
        b'{"schema_content": "e30=", "schema": {}}',
        b'{"subject": "a", "subject": "b"}',
        b"[" * 100_000,
        b'{"metadata":' * 50_000,
    ],
    ids=lambda b: repr(b[:20]),
)
def test_a_body_that_is_no_request_is_refused(http: httpx.Client, body: bytes) -> None:
    answer = http.post("/api/v1/schemas", content=body)

    assert answer.status_code in {400, 422}, answer.text
    assert answer.json()["error_code"]
    assert answer.json()["message"]


def test_a_body_over_the_limit_is_refused_before_it_is_read(http: httpx.Client) -> None:
    answer = http.post("/api/v1/schemas", content=b"x" * (20 << 20))

    assert (answer.status_code, answer.json()["error_code"]) == (413, "REQUEST_TOO_LARGE")
    # Nothing can follow what is not read: a client that were not told would send its next request in vain.
    assert answer.headers["connection"] == "close"
    assert http.get("/api/v1/subjects").status_code == 200


def test_an_answer_that_is_known_already_is_not_sent_again(http: httpx.Client, name: Name) -> None:
    path = f"/api/v1/schemas/{post(http, name('s')).json()['schema_id']}"
    first = http.get(path)
    again = http.get(path, headers={"if-none-match": first.headers["etag"]})

    assert (again.status_code, again.content) == (304, b"")
    for _ in range(3):
        assert http.get(path).content == first.content


def test_a_write_tells_its_revision(http: httpx.Client, name: Name) -> None:
    answer = post(http, name("s"))

    assert answer.headers["x-registry-revision"] == answer.json()["revision"]


def test_browsers_are_told_not_to_guess_or_frame(http: httpx.Client) -> None:
    for path in ("/health", "/api/v1/subjects", "/nothing"):
        answer = http.get(path)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"


def test_a_deadline_in_a_header_is_kept(http: httpx.Client) -> None:
    batch = http.post(
        "/api/v1/validate:batch",
        content=b"",
        headers={"x-timeout-ms": "5000", "accept": "application/x-ndjson"},
    )
    bad = http.get("/api/v1/subjects", headers={"x-timeout-ms": "soon"})

    assert batch.status_code == 200
    assert bad.status_code in {200, 400}


def test_events_resume_where_a_browser_was(http: httpx.Client, name: Name) -> None:
    first = post(http, name("s")).json()
    second = post(http, name("s"), V2_COMPATIBLE).json()
    with http.stream(
        "GET",
        "/api/v1/changes",
        params={"subjects": name("s")},
        headers={"last-event-id": first["revision"], "accept": "text/event-stream"},
    ) as answer:
        lines = answer.iter_lines()
        data = next(line for line in lines if line.startswith("data:"))

    assert answer.headers["content-type"].startswith("text/event-stream")
    assert json.loads(data.removeprefix("data:"))["schema_id"] == second["schema_id"]


def events(socket: Any) -> Iterator[dict[str, Any]]:
    while True:
        yield json.loads(socket.recv())


def test_a_websocket_subscribes_with_its_first_message(http: httpx.Client, name: Name) -> None:
    first = post(http, name("s")).json()
    url = str(http.base_url).replace("http", "ws", 1)
    with connect(f"{url}/api/v1/schemas/subscribe", proxy=None) as ws:
        ws.send(json.dumps({"subjects": [name("*")], "from_revision": "earliest"}))
        told = events(ws)
        replayed = next(told)
        second = post(http, name("s"), V2_COMPATIBLE).json()
        live = next(told)

    assert [e["schema_id"] for e in (replayed, live)] == [first["schema_id"], second["schema_id"]]


def test_a_websocket_that_asks_for_changes_together_gets_the_others_in_more(
    http: httpx.Client, name: Name
) -> None:
    made = [post(http, name(f"s{number}")).json() for number in range(4)]
    url = str(http.base_url).replace("http", "ws", 1)
    told: list[dict[str, Any]] = []
    with connect(f"{url}/api/v1/schemas/subscribe", proxy=None) as ws:
        ws.send(json.dumps({"subjects": [name("*")], "from_revision": "earliest", "gather": "0.5s"}))
        while sum(1 + len(message["more"]) for message in told) < 4:
            told.append(next(events(ws)))

    assert len(told) < 4
    apart = [event for message in told for event in (message, *message["more"])]
    assert [(e["schema_id"], e["revision"]) for e in apart] == [(m["schema_id"], m["revision"]) for m in made]


@pytest.mark.parametrize(
    "message", ["{", "[]", '{"nobody": 1}', '{"event_types": ["NOTHING"]}', '{"from_revision": "junk"}']
)
def test_a_bad_first_message_ends_a_websocket_with_the_reason(http: httpx.Client, message: str) -> None:
    url = str(http.base_url).replace("http", "ws", 1)
    with connect(f"{url}/api/v1/schemas/subscribe", proxy=None) as ws:
        ws.send(message)
        told = next(events(ws))
        with pytest.raises(ConnectionClosed) as closed:
            ws.recv()

    assert told["error"]["error_code"]
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008


@pytest.mark.parametrize(
    "order",
    [
        (b"content-length: 4", b"transfer-encoding: chunked"),
        (b"transfer-encoding: chunked", b"content-length: 4"),
    ],
)
def test_two_lengths_of_a_body_cannot_hide_a_second_request(
    http: httpx.Client, order: tuple[bytes, bytes]
) -> None:
    """RFC 9112 6.3: the body is read in chunks, and what follows it on this connection is nobody's request."""
    head = (b"POST /api/v1/schemas HTTP/1.1", b"host: x", b"content-type: application/json", *order)
    request = b"\r\n".join(head) + b"\r\n\r\n"
    hidden = b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n"
    with socket.create_connection((http.base_url.host, http.base_url.port), timeout=10) as raw:
        raw.sendall(request + b"2\r\n{}\r\n0\r\n\r\n" + hidden)
        answer = b"".join(iter(lambda: raw.recv(65536), b""))

    assert answer.startswith(b"HTTP/1.1 400")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"ALIVE" not in answer


def test_a_transfer_coding_that_is_not_undone_is_refused(http: httpx.Client) -> None:
    request = b"POST /api/v1/schemas HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip, chunked\r\n\r\n"
    with socket.create_connection((http.base_url.host, http.base_url.port), timeout=10) as raw:
        raw.sendall(request + b"2\r\n{}\r\n0\r\n\r\n")
        assert raw.recv(65536).startswith(b"HTTP/1.1 415")


@pytest.mark.parametrize(
    "junk",
    [
        b"\x00\x01\x02\x03\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /" + b"x" * 200_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 20_000 + b"\r\n",
        b"POST /api/v1/schemas HTTP/1.1\r\nhost: x\r\ncontent-length: -5\r\n\r\n",
        b"POST /api/v1/schemas HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    ],
    ids=lambda b: repr(b[:24]),
)
def test_bytes_that_are_no_http_harm_nobody(http: httpx.Client, junk: bytes) -> None:
    with (
        suppress(OSError),
        socket.create_connection((http.base_url.host, http.base_url.port), timeout=10) as raw,
    ):
        raw.sendall(junk)
        raw.shutdown(socket.SHUT_WR)  # fails where the server has closed already

    assert http.get("/health").status_code == 200
