"""A tool may what its caller may: no more over MCP than over any other face, and what is hidden is not there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from llm_schema_registry.v1 import schema_registry_pb2 as pb
from tests.security.callers import Callers, callers

from .speaker import ERAS, Failed, Speaker, ToolFailed

GRANTS = [
    ("user:reader", "reader", ["mine.*"]),
    ("user:writer", "developer", ["mine.*"]),
    ("user:owner", "admin", ["mine.*"]),
    ("user:other", "admin", ["mine.*"]),
]
SECRET = "secret.vault"
SCHEMA = {"type": "object", "properties": {"code": {"type": "string"}}}


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callers]:
    unlimited = {"RATE_LIMITS__MODE": "off"}
    with callers(tmp_path_factory.mktemp("mcp"), GRANTS, engines=("native",), **unlimited) as made:
        admin = made.wire("http", "root", ["admin"])
        for subject in (SECRET, "mine.order"):
            content = json.dumps(SCHEMA).encode()
            admin.call(
                "RegisterSchema",
                pb.RegisterSchemaRequest(
                    subject=subject, schema_content=content, schema_type=pb.SCHEMA_TYPE_JSON
                ),
            )
        yield made


class Ask:
    def __init__(self, servers: Callers, era: str) -> None:
        self._servers, self._era = servers, era

    def __call__(self, name: str) -> Speaker:
        return Speaker(self._servers.servers["native"].http, self._era, self._servers.headers(name))


@pytest.fixture(params=ERAS)
def ask(servers: Callers, request: pytest.FixtureRequest) -> Ask:
    """Who asks."""
    return Ask(servers, request.param)


def test_a_reader_reads_and_registers_nothing(ask: Ask) -> None:
    reader = ask("reader")
    assert reader.call("get_schema", subject="mine.order")["schema"] == SCHEMA
    for arguments in ({"dry_run": True}, {}):
        with pytest.raises(ToolFailed) as failed:
            reader.call("register_draft", subject="mine.order", schema={"type": "object"}, **arguments)
        assert failed.value.error == "PERMISSION_DENIED"
        assert "reader" in failed.value.told["message"]
        assert failed.value.told["way_out"]
    first = reader.call("delete_schema", subject="mine.order")
    with pytest.raises(ToolFailed) as failed:
        reader.call("delete_schema", subject="mine.order", confirmation=first["confirmation"])
    assert failed.value.error == "PERMISSION_DENIED"
    assert reader.call("get_schema", subject="mine.order")["version"] == "1.0.0"


def test_a_hidden_subject_is_not_there(ask: Ask) -> None:
    reader = ask("reader")
    for tool, arguments in (
        ("get_schema", {}),
        ("list_versions", {}),
        ("explain_schema", {}),
        ("validate_data", {"data": {}}),
        ("judge_answer", {"answer": "{}"}),
        ("judge_answer", {"answer": "{", "partial": True}),
        ("diff_schemas", {"old_version": "1"}),
        ("delete_schema", {}),
    ):
        told = []
        for subject in (SECRET, "nobody.knows"):
            with pytest.raises(ToolFailed) as failed:
                reader.call(tool, subject=subject, **arguments)
            told.append(failed.value.told)
        for one in told:
            one.pop("request_id", None)
        hidden, absent = (json.dumps(one) for one in told)
        assert hidden.replace(SECRET, "nobody.knows") == absent, tool
    assert reader.call("search_schemas")["total"] == 1
    assert [r["name"] for r in reader.ask("resources/list")["resources"]] == ["mine.order"]
    changes = reader.call("watch_changes", from_revision="earliest", wait_seconds=0)
    assert {e["subject"] for e in changes["events"]} == {"mine.order"}
    with pytest.raises(Failed, match="not found"):
        reader.ask("resources/read", uri=f"schema-registry://subjects/{SECRET}/versions/1")


def test_a_confirmation_is_good_for_whom_it_was_made(ask: Ask) -> None:
    subject = f"mine.doomed{ask('x')._headers['authorization'][-12:]}"
    owner, other = ask("owner"), ask("other")
    owner.call("register_draft", subject=subject, schema=SCHEMA)
    token = owner.call("delete_schema", subject=subject)["confirmation"]
    with pytest.raises(ToolFailed, match="another caller"):
        other.call("delete_schema", subject=subject, confirmation=token)
    assert owner.call("delete_schema", subject=subject, confirmation=token)["deleted"] is True


@pytest.mark.parametrize(
    "method", ["tools/list", "prompts/list", "tools/call", "resources/list", "initialize", "none"]
)
def test_bad_credentials_are_refused_whatever_is_asked(servers: Callers, method: str) -> None:
    speaker = Speaker(servers.servers["native"].http, headers={"authorization": "Bearer nonsense"})
    answer = speaker.send(
        method, {"name": "search_schemas", "arguments": {}, "protocolVersion": "2025-06-18"}
    )
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.json()["error"]["data"]["error"] == "UNAUTHENTICATED"


def test_nobody_calls_no_tool(ask: Ask) -> None:
    answer = ask("").send("tools/call", {"name": "search_schemas", "arguments": {}})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert ask("").send("tools/list", {}).status_code == 200


def test_nobody_may_ask_only_so_much(tmp_path: Path) -> None:
    more = "[rate_limits.anonymous]\nper_second = 0.01\nburst = 20"
    with callers(tmp_path, GRANTS, engines=("native",), more=more) as made:
        ask = Ask(made, ERAS[0])
        statuses = [ask("").send("tools/list", {}).status_code for _ in range(21)]
        assert statuses == [200] * 20 + [429]
        refused = ask("").send("prompts/list", {})
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) >= 1
        assert refused.json()["error"]["data"]["error"] == "RATE_LIMITED"
        assert ask("reader").send("tools/list", {}).status_code == 200
