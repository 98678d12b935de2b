"""What the tools do, and that each answer is whole in its text, fits its outputSchema and stays small."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import jsonschema
import pytest

from llm_schema_registry.mcp_server.arguments import BadArguments, demand, unknown_keywords
from llm_schema_registry.mcp_server.tools import TOOLS
from tests.api.server import ServerProcess

from .speaker import Speaker, ToolFailed

Name = Callable[[str], str]

ORDER: dict[str, Any] = {
    "type": "object",
    "title": "Order",
    "properties": {
        "zeta": {"type": "string", "description": "stays first"},
        "id": {"type": "string"},
        "total": {"type": "number", "minimum": 0},
    },
    "required": ["id"],
    "additionalProperties": False,
}
MOST_TOKENS = 4000
"""Of the answer of tools/list, estimated as bytes / 3.5: tokenizers of today's models make one token of 3.5 to 4 bytes of such JSON."""


def register(server: ServerProcess, subject: str, schema: Any, **more: Any) -> str:
    """A version that counts; its schema id."""
    body = {"subject": subject, "schema": schema, "schema_type": "JSON", **more}
    answer = httpx.post(server.http + "/api/v1/schemas", json=body, trust_env=False, timeout=60)
    assert answer.is_success, answer.text
    found: str = answer.json()["schema_id"]
    return found


@pytest.fixture
def orders(server: ServerProcess, name: Name) -> str:
    """A subject with one version."""
    register(server, name("orders"), ORDER)
    return name("orders")


def test_the_list_of_tools_costs_little(speaker: Speaker) -> None:
    listed = speaker.ask("tools/list")
    tools = listed["tools"]
    assert len(tools) <= 12
    size = len(json.dumps(tools, separators=(",", ":"), ensure_ascii=False).encode())
    assert size / 3.5 <= MOST_TOKENS, f"{size} bytes"
    for tool in tools:
        jsonschema.Draft202012Validator.check_schema(tool["inputSchema"])
        jsonschema.Draft202012Validator.check_schema(tool["outputSchema"])
        assert tool["inputSchema"]["additionalProperties"] is False
        known = next(t for t in TOOLS if t.name == tool["name"]).input["properties"]
        assert set(tool["inputSchema"]["properties"]) == set(known)
        assert "summary" in tool["outputSchema"]["required"]
        assert tool["description"]


def test_all_that_an_input_schema_demands_is_checked() -> None:
    for tool in TOOLS:
        assert unknown_keywords(tool.input) == set(), tool.name


def fits(tool: str, told: dict[str, Any]) -> dict[str, Any]:
    """The answer, which fits the outputSchema."""
    jsonschema.validate(told, next(t for t in TOOLS if t.name == tool).output)
    assert isinstance(told["summary"], str)
    return told


def test_a_draft_is_registered_and_is_not_the_latest(speaker: Speaker, orders: str) -> None:
    wider = {**ORDER, "properties": {**ORDER["properties"], "note": {"type": "string"}}}
    tried = fits("register_draft", speaker.call("register_draft", subject=orders, schema=wider, dry_run=True))
    assert tried["created"] is False
    assert "would be" in tried["summary"]
    done = fits("register_draft", speaker.call("register_draft", subject=orders, schema=wider, tags=["mine"]))
    assert (done["created"], done["state"]) == (True, "DRAFT")
    assert speaker.call("get_schema", subject=orders)["ordinal"] == 1
    again = speaker.call("register_draft", subject=orders, schema=wider, dry_run=True)
    assert "known already" in again["summary"]
    found = fits("list_versions", speaker.call("list_versions", subject=orders))
    assert [v["state"] for v in found["versions"]] == ["ACTIVE", "DRAFT"]


def test_a_schema_that_is_none_says_where(speaker: Speaker, name: Name) -> None:
    with pytest.raises(ToolFailed) as failed:
        speaker.call("register_draft", subject=name("x"), schema={"type": "objec"})
    told = failed.value.told
    assert told["error"] == "INVALID_SCHEMA"
    assert told["fields"][0]["field"].startswith("schema")
    assert told["report"]["issues"][0]["pointer"] == "/type"
    assert told["way_out"]


def test_search_finds_by_words_pattern_and_tag(server: ServerProcess, speaker: Speaker, name: Name) -> None:
    for part, tags in (("a", ["red"]), ("b", ["blue"])):
        register(server, name(part), {"type": "object", "title": name("word")}, tags=[*tags, name("tag")])
    pattern = name("") + "*"
    found = fits("search_schemas", speaker.call("search_schemas", subject_pattern=pattern))
    assert [s["subject"] for s in found["schemas"]] == [name("a"), name("b")]
    page = speaker.call("search_schemas", subject_pattern=pattern, limit=1)
    rest = speaker.call(
        "search_schemas", subject_pattern=pattern, limit=1, page_token=page["next_page_token"]
    )
    assert [s["subject"] for s in page["schemas"] + rest["schemas"]] == [name("a"), name("b")]
    assert [s["subject"] for s in speaker.call("search_schemas", tags=["blue", name("tag")])["schemas"]] == [
        name("b")
    ]
    assert speaker.call("search_schemas", query="nothingofthesort")["summary"].startswith("nothing found")


def test_a_schema_is_read_whole_or_in_parts_with_its_keys_in_order(speaker: Speaker, orders: str) -> None:
    whole = fits("get_schema", speaker.call("get_schema", subject=orders))
    assert json.dumps(whole["schema"]) == json.dumps(ORDER)
    part = fits("get_schema", speaker.call("get_schema", subject=orders, pointer="/properties/total"))
    assert part["schema"] == ORDER["properties"]["total"]
    small = fits("get_schema", speaker.call("get_schema", subject=orders, max_bytes=100))
    assert small["truncated"] is True
    assert "schema" not in small
    pointers = [p["pointer"] for p in small["parts"]]
    assert pointers[2:5] == ["/properties/zeta", "/properties/id", "/properties/total"]
    for pointer in pointers:
        assert not speaker.call("get_schema", schema_id=whole["schema_id"], pointer=pointer)["truncated"]
    with pytest.raises(ToolFailed, match="/properties/zeta"):
        speaker.call("get_schema", subject=orders, pointer="/properties/none")
    with pytest.raises(ToolFailed, match="schema_id"):
        speaker.call("get_schema")
    with pytest.raises(ToolFailed, match="SUBJECT_NOT_FOUND"):
        speaker.call("get_schema", subject=orders + "x")


def test_schemas_that_are_no_json_come_as_text(server: ServerProcess, speaker: Speaker, name: Name) -> None:
    proto = 'syntax = "proto3";\nmessage Order { string id = 1; }\n' + "// " + "x" * 200
    done = speaker.call("register_draft", subject=name("p"), schema=proto, schema_type="PROTOBUF")
    found = fits("get_schema", speaker.call("get_schema", schema_id=done["schema_id"]))
    assert found["schema"] == proto
    cut = fits("get_schema", speaker.call("get_schema", schema_id=done["schema_id"], max_bytes=100))
    assert cut["truncated"] is True
    assert cut["schema"] == proto[:100]
    assert cut["uri"] in cut["summary"]
    with pytest.raises(ToolFailed, match="cannot be cut"):
        speaker.call("get_schema", schema_id=done["schema_id"], pointer="/x")
    assert fits("explain_schema", speaker.call("explain_schema", schema_id=done["schema_id"]))["fields"] == []


def test_large_schemas_are_told_in_parts_and_very_large_ones_as_text(speaker: Speaker, name: Name) -> None:
    for kind, count in (("large", 1000), ("huge", 2500)):
        many = {f"p{n}": {"type": "string", "description": "d" * 60} for n in range(count)}
        text = json.dumps({"type": "object", "properties": many})
        schema_id = speaker.call("register_draft", subject=name(kind), schema=text)["schema_id"]
        told = fits("get_schema", speaker.call("get_schema", schema_id=schema_id))
        assert told["truncated"] is True
        assert len(json.dumps(told)) < 20_000
        explained = speaker.call("explain_schema", schema_id=schema_id)
        if kind == "large":
            assert told["parts"][1] == {"pointer": "/properties/p0", "bytes": 94}
            part = speaker.call("get_schema", schema_id=schema_id, pointer="/properties/p999")
            assert part["schema"] == many["p999"]
            assert explained["more_fields"] == 980
        else:
            assert told["schema"] == text[:8000]
            assert explained["fields"] == []


def test_numbers_beyond_a_double_are_told_as_text(
    server: ServerProcess, speaker: Speaker, name: Name
) -> None:
    schema = '{"type":"number","examples":[1e400]}'
    done = speaker.call("register_draft", subject=name("n"), schema=schema)
    assert speaker.call("get_schema", schema_id=done["schema_id"])["schema"] == schema


def test_explain_tells_fields_users_and_history(
    server: ServerProcess, speaker: Speaker, name: Name, orders: str
) -> None:
    register(
        server, name("cart"), {"type": "array", "items": {"$ref": "order"}},
        references=[{"name": "order", "subject": orders, "version": "1"}],
    )  # fmt: skip
    told = fits("explain_schema", speaker.call("explain_schema", subject=orders))
    assert told["fields"][0] == {
        "pointer": "/properties/zeta",
        "type": "string",
        "required": False,
        "about": "stays first",
    }
    assert [f["required"] for f in told["fields"]] == [False, True, False]
    assert told["used_by"][0]["subject"] == name("cart")
    assert told["history"][-1]["to"] == "ACTIVE"
    assert told["level"] == "BACKWARD"
    cart = speaker.call("explain_schema", subject=name("cart"))
    assert cart["uses"][0]["subject"] == orders


def test_a_break_comes_with_its_witness_and_the_way_out(speaker: Speaker, orders: str) -> None:
    stricter = {**ORDER, "required": ["id", "total"]}
    told = fits("check_compatibility", speaker.call("check_compatibility", subject=orders, schema=stricter))
    assert (told["compatible"], told["verdict"]) == (False, "NO")
    violation = told["violations"][0]
    jsonschema.validate(json.loads(violation["witness"]), ORDER)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(json.loads(violation["witness"]), stricter)
    assert told["remedies"]
    assert told["summary"].startswith("NOT compatible")
    assert (
        speaker.call("check_compatibility", subject=orders, schema=stricter, level="FORWARD")["compatible"]
        is True
    )
    same = speaker.call("check_compatibility", subject=orders, schema=json.dumps(ORDER))
    assert (same["verdict"], same["summary"][:10]) == ("YES", "compatible")
    draft = fits("register_draft", speaker.call("register_draft", subject=orders, schema=stricter))
    assert draft["created"] is True
    assert draft["report"]["violations"][0]["witness"] == violation["witness"]
    assert "activating it will be refused" in draft["summary"]


def test_data_is_validated_with_all_errors(speaker: Speaker, orders: str) -> None:
    good = fits("validate_data", speaker.call("validate_data", subject=orders, data={"id": "1"}))
    assert (good["valid"], good["errors"]) == (True, [])
    bad = fits("validate_data", speaker.call("validate_data", subject=orders, data={"id": 1, "total": -1}))
    assert bad["valid"] is False
    assert {e["path"] for e in bad["errors"]} == {"/id", "/total"}
    assert "NOT valid" in bad["summary"]
    assert speaker.call("validate_data", subject=orders, text='{"id": "1", "total": 1e3}')["valid"] is True
    assert speaker.call("validate_data", subject=orders, data="")["valid"] is False
    assert speaker.call("validate_data", subject=orders, data=None)["valid"] is False
    for wrong in ({}, {"data": 1, "text": "1"}):
        with pytest.raises(ToolFailed, match="either data"):
            speaker.call("validate_data", subject=orders, **wrong)


def test_answers_are_judged_while_they_arrive_and_asked_again(speaker: Speaker, orders: str) -> None:
    def judged(**arguments: Any) -> dict[str, Any]:
        return fits("judge_answer", speaker.call("judge_answer", subject=orders, **arguments))

    assert judged(answer='{"id": "1', partial=True)["status"] == "VIABLE"
    assert judged(answer='{"id": "1"}', partial=True)["status"] == "COMPLETE"
    dead = judged(answer='{"id": 1', partial=True)
    assert (dead["status"], dead["failure"]["pointer"], dead["failure"]["byte_offset"]) == ("DEAD", "/id", 7)
    assert "byte 7" in dead["summary"]
    assert (
        judged(answer='Here it is:\n```json\n{"id": "1"}\n```', partial=True, lenient=True)["status"]
        == "COMPLETE"
    )
    assert judged(answer='{"id": "1"}')["status"] == "COMPLETE"
    asked = judged(answer='{"id": 4711}', redact=True)
    assert asked["tokens"] <= 80
    assert "/id" in asked["reask"]
    assert "4711" not in json.dumps(asked)
    with pytest.raises(ToolFailed, match="VERSION_NOT_FOUND"):
        judged(answer="{", partial=True, version="9.9.9")


def test_a_diff_says_what_changed_and_for_whom(speaker: Speaker, orders: str) -> None:
    changed = {**ORDER, "properties": {**ORDER["properties"], "total": {"type": "integer", "minimum": 0}}}
    told = fits("diff_schemas", speaker.call("diff_schemas", subject=orders, old_version="1", schema=changed))
    assert (told["backward"]["verdict"], told["forward"]["verdict"]) == ("NO", "YES")
    assert any(d["path"].startswith("/properties/total") for d in told["differences"])
    same = speaker.call("diff_schemas", subject=orders, old_version="1", new_version="latest")
    assert same["differences"] == []


def test_watching_goes_on_from_a_revision(server: ServerProcess, speaker: Speaker, name: Name) -> None:
    mine = name("") + "*"
    start = fits("watch_changes", speaker.call("watch_changes", subjects=[mine], wait_seconds=0))
    assert start["events"] == []
    register(server, name("w"), {"type": "string"})
    told = speaker.call("watch_changes", subjects=[mine], from_revision=start["revision"], wait_seconds=20)
    assert {e["subject"] for e in told["events"]} == {name("w")}
    assert "SCHEMA_REGISTERED" in {e["type"] for e in told["events"]}
    after = speaker.call("watch_changes", subjects=[mine], from_revision=told["revision"], wait_seconds=0)
    assert after["events"] == []
    with pytest.raises(ToolFailed, match="REVISION"):
        speaker.call("watch_changes", from_revision="nonsense")


@pytest.mark.parametrize("version", ["1", None])
def test_deleting_takes_two_steps(
    server: ServerProcess, speaker: Speaker, orders: str, version: str | None
) -> None:
    what: dict[str, Any] = {"subject": orders, **({"version": version} if version else {})}
    first = fits("delete_schema", speaker.call("delete_schema", **what))
    assert first["deleted"] is False
    assert first["versions"] == ["1.0.0"]
    assert "nothing is deleted yet" in first["summary"]
    assert speaker.call("get_schema", subject=orders)["version"] == "1.0.0"
    token = first["confirmation"]
    for wrong in (
        {**what, "permanent": True, "confirmation": token},
        {**what, "confirmation": token[:-4] + "AAA="},
        {**what, "confirmation": "del_"},
        {**what, "confirmation": "x" * 64},
    ):
        with pytest.raises(ToolFailed, match="nothing was deleted"):
            speaker.call("delete_schema", **wrong)
    register(server, orders + ".other", ORDER)
    with pytest.raises(ToolFailed, match="nothing was deleted"):
        speaker.call("delete_schema", subject=orders + ".other", confirmation=token)
    if version is None:  # what would be destroyed is not what was shown
        register(server, orders, {**ORDER, "title": "Another"})
        with pytest.raises(ToolFailed, match="has changed"):
            speaker.call("delete_schema", **what, confirmation=token)
        token = speaker.call("delete_schema", **what)["confirmation"]
    done = fits("delete_schema", speaker.call("delete_schema", **what, confirmation=token))
    assert done["deleted"] is True
    with pytest.raises(ToolFailed):
        speaker.call("get_schema", subject=orders)
    with pytest.raises(ToolFailed):
        speaker.call("delete_schema", **what, confirmation=token)


def test_what_is_in_use_is_told_and_not_deleted_for_good(
    server: ServerProcess, speaker: Speaker, name: Name, orders: str
) -> None:
    register(
        server, name("cart"), {"type": "array", "items": {"$ref": "order"}},
        references=[{"name": "order", "subject": orders, "version": "1"}],
    )  # fmt: skip
    first = speaker.call("delete_schema", subject=orders, version="1")
    assert first["used_by"] == [{"subject": name("cart"), "version": "1.0.0"}]
    assert "use it" in first["summary"]
    assert speaker.call("delete_schema", subject=orders, version="1", confirmation=first["confirmation"])[
        "deleted"
    ]
    gone = speaker.call("delete_schema", subject=orders, version="1", permanent=True)
    with pytest.raises(ToolFailed, match="HAS_DEPENDENTS"):
        speaker.call(
            "delete_schema", subject=orders, version="1", permanent=True, confirmation=gone["confirmation"]
        )
    with pytest.raises(ToolFailed, match="exact version"):
        speaker.call("delete_schema", subject=name("cart"), version="latest")


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("list_versions", {}, "subject: is missing"),
        ("list_versions", {"subject": ""}, "characters"),
        ("list_versions", {"subject": "x" * 256}, "characters"),
        ("list_versions", {"subject": 5}, "must be string"),
        ("list_versions", {"subject": "s", "limit": True}, "must be integer"),
        ("list_versions", {"subject": "s", "limit": 101}, "1 to 100"),
        ("list_versions", {"subject": "s", "limit": 1.5}, "must be integer"),
        ("list_versions", {"subject": "s", "subjct": 1}, "is no argument"),
        ("search_schemas", {"tags": ["x"] * 21}, "at most 20"),
        ("search_schemas", {"tags": [1]}, "/tags/0"),
        ("search_schemas", {"schema_type": "XML"}, "one of"),
        ("register_draft", {"subject": "s", "schema": 1}, "object or boolean or string"),
        (
            "register_draft",
            {"subject": "s", "schema": {}, "references": [{"name": "x"}]},
            "/references/0/subject",
        ),
        ("judge_answer", {"subject": "s", "answer": "", "max_tokens": 10**9}, "16 to 4000"),
    ],
)
def test_arguments_that_do_not_fit_are_told_to_the_model(
    speaker: Speaker, tool: str, arguments: dict[str, Any], said: str
) -> None:
    with pytest.raises(ToolFailed) as failed:
        speaker.call(tool, **arguments)
    assert failed.value.error == "INVALID_ARGUMENTS"
    assert said in failed.value.told["message"]
    assert failed.value.told["way_out"]


@pytest.mark.parametrize("arguments", [[], "x", 1, None])
def test_arguments_are_an_object(modern: Speaker, arguments: Any) -> None:
    result = modern.ask("tools/call", name="list_versions", arguments=arguments)
    assert result["isError"] is True
    assert "must be object" in result["content"][0]["text"]


def test_whole_numbers_may_be_written_with_a_point() -> None:
    tool = next(t for t in TOOLS if t.name == "list_versions")
    assert demand(tool.input, {"subject": "s", "limit": 5.0})["limit"] == 5
    with pytest.raises(BadArguments):
        demand(tool.input, {"subject": "s", "limit": 5.5})


def test_resources_are_listed_in_pages_and_read_exactly(
    server: ServerProcess, speaker: Speaker, name: Name
) -> None:
    subject = name("a/b c%é")
    text = '{ "type" : "object",\n  "b": 1.0, "a": 1e2 }'
    body = {"subject": subject, "schema": text, "schema_type": "JSON"}
    assert httpx.post(server.http + "/api/v1/schemas", json=body, trust_env=False).is_success
    there = httpx.get(server.http + "/api/v1/subjects?limit=1", trust_env=False).json()["total_count"]
    with ThreadPoolExecutor(8) as pool:
        for done in [
            pool.submit(register, server, name(f"r{count}"), {"type": "string"})
            for count in range(there, 105)
        ]:
            done.result()
    found, cursor, pages = [], "", 0
    while True:
        pages += 1
        page = speaker.ask("resources/list", **({"cursor": cursor} if cursor else {}))
        assert len(page["resources"]) <= 100
        found += page["resources"]
        cursor = page.get("nextCursor", "")
        if not cursor:
            break
    mine = {r["name"]: r["uri"] for r in found}
    assert pages > 1
    listed = speaker.ask("resources/read", uri=mine[subject])["contents"][0]
    versions = json.loads(listed["text"])["versions"]
    assert [v["version"] for v in versions] == ["1.0.0"]
    read = speaker.ask("resources/read", uri=versions[0]["uri"])["contents"][0]
    assert (read["text"], read["mimeType"]) == (text, "application/schema+json")
    assert (
        speaker.ask("resources/read", uri=mine[subject] + "/versions/latest")["contents"][0]["text"] == text
    )


def test_prompts_are_filled_with_the_arguments_and_nothing_else(speaker: Speaker) -> None:
    for prompt in speaker.ask("prompts/list")["prompts"]:
        given = {a["name"]: f"<{{{a['name']}}} of {{subject}}>" for a in prompt["arguments"]}
        found = speaker.ask("prompts/get", name=prompt["name"], arguments=given)
        text = found["messages"][0]["content"]["text"]
        for value in given.values():
            assert value in text
