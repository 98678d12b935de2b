"""MCP on the wire: both eras, what each demands, and what hostile or confused clients are answered."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.api.server import ServerProcess

from .speaker import META, MODERN, OLD, Failed, Speaker

OLDER = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")


@pytest.mark.parametrize(
    ("wanted", "given"), [*((r, r) for r in OLDER), ("1999-01-01", OLDER[-1]), (MODERN, OLDER[-1])]
)
def test_initialize_agrees_on_a_revision(server: ServerProcess, wanted: str, given: str) -> None:
    speaker = Speaker(server.http, OLD)
    answer = speaker.post(
        {"jsonrpc": "2.0", "id": "i", "method": "initialize",
         "params": {"protocolVersion": wanted, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}},
        {"content-type": "application/json"},
    )  # fmt: skip
    assert answer.status_code == 200
    assert "mcp-session-id" not in answer.headers
    body = answer.json()
    assert (body["id"], body["result"]["protocolVersion"]) == ("i", given)
    assert set(body["result"]["capabilities"]) == {"tools", "prompts", "resources"}
    assert body["result"]["serverInfo"]["name"] == "llm-schema-registry"
    assert not {"resultType", "ttlMs", "cacheScope"} & set(body["result"])


def test_discover_says_what_there_is(modern: Speaker) -> None:
    found = modern.ask("server/discover")
    assert found["supportedVersions"] == [MODERN]
    assert found["resultType"] == "complete"
    assert found["capabilities"]["resources"] == {"subscribe": True, "listChanged": True}
    assert found["cacheScope"] == "public"
    assert found["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "llm-schema-registry"


@pytest.mark.parametrize(
    "method", ["tools/list", "prompts/list", "resources/list", "resources/templates/list"]
)
def test_lists_say_how_long_they_hold_and_have_one_order(modern: Speaker, method: str) -> None:
    first, second = modern.ask(method), modern.ask(method)
    assert isinstance(first["ttlMs"], int)
    assert first["cacheScope"] in ("public", "private")
    assert json.dumps(first) == json.dumps(second)


def test_notifications_are_taken_and_not_answered(speaker: Speaker) -> None:
    headers, params = speaker.envelope("notifications/initialized", {})
    answer = speaker.post(
        {"jsonrpc": "2.0", "method": "notifications/initialized", "params": params}, headers
    )
    assert (answer.status_code, answer.content) == (202, b"")


def test_ping_is_of_the_era_that_has_it(server: ServerProcess) -> None:
    assert Speaker(server.http, OLD).ask("ping") == {}
    with pytest.raises(Failed) as failed:
        Speaker(server.http).ask("ping")
    assert (failed.value.status, failed.value.code) == (404, -32601)
    with pytest.raises(Failed) as failed:
        Speaker(server.http, OLD).ask("server/discover")
    assert (failed.value.status, failed.value.code) == (200, -32601)


def test_a_request_of_2026_says_what_it_is(modern: Speaker) -> None:
    for missing in ("io.modelcontextprotocol/protocolVersion", "io.modelcontextprotocol/clientCapabilities"):
        headers, params = modern.envelope("tools/list", {})
        params["_meta"] = {k: v for k, v in META.items() if k != missing}
        answer = modern.post({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": params}, headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32602)
        assert missing in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("mcp-method", "prompts/list"),
        ("mcp-method", None),
        ("mcp-name", "delete_schema"),
        ("mcp-name", None),
        ("mcp-name", "=?base64?!!!?="),
        ("mcp-name", "=?base64?/////w==?="),
        ("mcp-protocol-version", None),
    ],
)
def test_headers_and_body_must_agree(modern: Speaker, header: str, value: str | None) -> None:
    headers, params = modern.envelope("tools/call", {"name": "search_schemas", "arguments": {}})
    headers.pop(header)
    if value is not None:
        headers[header] = value
    answer = modern.post({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}, headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32020)


def test_an_old_revision_in_the_header_with_a_new_one_in_the_body_is_refused(modern: Speaker) -> None:
    answer = modern.send("tools/list", {}, **{"mcp-protocol-version": OLD})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32020)


def test_a_revision_that_nobody_knows_is_told_which_there_are(modern: Speaker) -> None:
    answer = modern.send("tools/list", {}, **{"mcp-protocol-version": "2031-01-01"})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, -32022)
    assert error["data"] == {"supported": [MODERN], "requested": "2031-01-01"}


def test_a_header_that_comes_twice_is_refused(modern: Speaker) -> None:
    headers, params = modern.envelope("tools/list", {})
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": params}).encode()
    twice = [*headers.items(), ("mcp-method", "tools/list")]
    answer = httpx.post(modern.url, content=body, headers=twice, trust_env=False)
    assert answer.status_code == 400
    assert "twice" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"nothing",
        b"\xff\xfe",
        b'{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/list"}',
        b"[" * 100_000,
        b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
        b'{"jsonrpc":"2.0","id":1,"method":"\\ud800"}',
        b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":' + b"9" * 5000 + b"}}",
        b'{"jsonrpc":"2.0","id":1e999,"method":"ping"}',
    ],
)
def test_what_is_no_json_is_a_parse_error(modern: Speaker, body: bytes) -> None:
    answer = modern.post(body, modern.envelope("ping", {})[0])
    assert answer.status_code == 400
    assert (answer.json()["id"], answer.json()["error"]["code"]) == (None, -32700)


@pytest.mark.parametrize(
    "message",
    [
        [],
        [{"jsonrpc": "2.0", "id": 1, "method": "ping"}],
        1,
        None,
        {},
        {"jsonrpc": "1.0", "id": 1, "method": "ping"},
        {"jsonrpc": "2.0", "id": 1},
        {"jsonrpc": "2.0", "id": 1, "method": 5},
        {"jsonrpc": "2.0", "id": 1, "method": "x" * 101},
        {"jsonrpc": "2.0", "id": None, "method": "ping"},
        {"jsonrpc": "2.0", "id": True, "method": "ping"},
        {"jsonrpc": "2.0", "id": {}, "method": "ping"},
        {"jsonrpc": "2.0", "id": 2**70, "method": "ping"},
        {"jsonrpc": "2.0", "id": "x" * 201, "method": "ping"},
        {"jsonrpc": "2.0", "id": 1, "result": {}},
        {"jsonrpc": "2.0", "id": 1, "error": {"code": 1, "message": ""}},
    ],
)
def test_what_is_no_request_is_refused(speaker: Speaker, message: Any) -> None:
    answer = speaker.post(message, speaker.envelope("ping", {})[0])
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32600)


@pytest.mark.parametrize("params", [[], "x", 1, None])
def test_params_are_an_object(speaker: Speaker, params: Any) -> None:
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": params}
    answer = speaker.post(body, speaker.envelope("tools/list", {})[0])
    assert answer.json()["error"]["code"] == -32602


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("tools/call", {}),
        ("tools/call", {"name": 1}),
        ("tools/call", {"name": "rm"}),
        ("prompts/get", {"name": "none"}),
        ("prompts/get", {"name": "change_schema"}),
        ("prompts/get", {"name": "change_schema", "arguments": {"subject": "s", "change": 1}}),
        ("prompts/get", {"name": "change_schema", "arguments": {"subject": "s", "change": "x", "more": "x"}}),
        ("resources/read", {}),
        ("resources/read", {"uri": "file:///etc/passwd"}),
        ("resources/read", {"uri": "schema-registry://subjects/"}),
        ("resources/read", {"uri": "schema-registry://subjects/%ff"}),
        ("resources/read", {"uri": "schema-registry://subjects/a/versions/1/x"}),
        ("resources/read", {"uri": "schema-registry://subjects/" + "a" * 3000}),
        ("resources/list", {"cursor": "nonsense"}),
        ("resources/list", {"cursor": 1}),
        ("tools/list", {"cursor": "x"}),
        ("subscriptions/listen", {}),
        ("subscriptions/listen", {"notifications": {"resourceSubscriptions": ["file:///x"]}}),
        (
            "subscriptions/listen",
            {"notifications": {"resourceSubscriptions": ["schema-registry://subjects/a"] * 101}},
        ),
        (
            "subscriptions/listen",
            {"notifications": {"resourceSubscriptions": ["schema-registry://subjects/%2A"]}},
        ),
    ],
)
def test_params_that_do_not_fit_are_refused(modern: Speaker, method: str, params: dict[str, Any]) -> None:
    with pytest.raises(Failed) as failed:
        modern.ask(method, **params)
    assert (failed.value.status, failed.value.code) == (400, -32602)


def test_a_body_that_is_too_large_is_refused(modern: Speaker) -> None:
    answer = modern.post(b" " * 300_001, modern.envelope("ping", {})[0])
    assert answer.status_code == 413
    assert "mcp.max_body_bytes" in answer.json()["error"]["message"]


def test_a_message_of_too_many_values_is_refused(modern: Speaker) -> None:
    answer = modern.post(b"[" + b"0," * 50_000 + b"0]", modern.envelope("ping", {})[0])
    assert answer.json()["error"]["code"] == -32700
    assert "mcp.max_values" in answer.json()["error"]["message"]


def test_what_arrives_in_another_form_is_refused(modern: Speaker) -> None:
    headers = modern.envelope("ping", {})[0]
    for changed in (
        {"content-type": "text/plain"},
        {"content-type": "application/json; charset=utf-16"},
        {"content-encoding": "gzip"},
    ):
        assert modern.post(b"{}", {**headers, **changed}).status_code == 415
    assert modern.post(b"{}", {**headers, "accept": "text/html"}).status_code == 400


@pytest.mark.parametrize("verb", ["GET", "DELETE", "PUT", "OPTIONS", "HEAD"])
def test_only_post_is_served(server: ServerProcess, verb: str) -> None:
    answer = httpx.request(verb, server.http + "/mcp", trust_env=False)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def test_nothing_is_served_below_the_path(server: ServerProcess) -> None:
    assert httpx.post(server.http + "/mcp/x", json={}, trust_env=False).status_code == 404


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "https://localhost.evil.example", "http://127.0.0.1:1"]
)
@pytest.mark.parametrize("shown", [{}, {"authorization": "Bearer found"}, {"x-api-key": "found"}])
def test_pages_of_other_sites_are_refused_whatever_they_show(
    modern: Speaker, origin: str, shown: dict[str, str]
) -> None:
    answer = modern.send("tools/list", {}, origin=origin, **shown)
    assert answer.status_code == 403
    assert "http.origins" in answer.json()["error"]["message"]


def test_the_servers_own_page_is_let_in(server: ServerProcess, modern: Speaker) -> None:
    assert modern.send("tools/list", {}, origin=server.http).status_code == 200


def test_a_name_that_leads_here_is_no_name_of_this_server(modern: Speaker) -> None:
    answer = modern.send("tools/list", {}, host="evil.example:8080", origin="http://evil.example:8080")
    assert answer.status_code == 403
    assert "http.hosts" in answer.json()["error"]["message"]


def test_it_can_be_switched_off(tmp_path: Any) -> None:
    made = ServerProcess(tmp_path, MCP__ENABLED="false")
    try:
        assert httpx.post(made.http + "/mcp", json={}, trust_env=False).status_code == 404
    finally:
        made.stop()
