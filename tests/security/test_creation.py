"""Who adds what is new, and who only looks up; and contexts as scopes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from llm_schema_registry.v1 import config_pb2
from llm_schema_registry.v1 import schema_registry_pb2 as pb
from tests.api.wires import CallFailed, Wire

from .callers import ENGINES, WIRES, Callers, callers

RULES = """
[[auth.create]]
on = ["prod.*", ":.live:*"]
by = ["role:release-bot", "user:ada"]

[[auth.create]]
on = ["prod.frozen.*"]
by = []
"""
GRANTS = [("user:team", "developer", [":.team:*"]), ("user:team", "keeper", [":.team:*"])]
OWN = {"keeper": ["compatibility:config:read", "compatibility:config:write"]}
FIRST, SECOND = b'{"type":"string"}', b'{"type":["string","null"]}'


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callers]:
    with callers(tmp_path_factory.mktemp("creation"), GRANTS, OWN, more=RULES) as made:
        for engine in ENGINES:
            ada = made.wire(engine, "ada", ["developer"])
            for subject in ("prod.a", ":.live:a", "dev.a"):
                ada.call("RegisterSchema", registration(subject, FIRST))
        yield made


@pytest.fixture(params=WIRES)
def ask(servers: Callers, request: pytest.FixtureRequest) -> Callable[..., Wire]:
    return lambda name, *roles: servers.wire(request.param, name, roles)


def registration(subject: str, content: bytes, **fields: object) -> pb.RegisterSchemaRequest:
    return pb.RegisterSchemaRequest(
        subject=subject,
        schema_content=content,
        schema_type=pb.SCHEMA_TYPE_JSON,
        **fields,  # type: ignore[arg-type]
    )


def outcome(asking: Wire, rpc: str, request: object) -> str:
    try:
        asking.call(rpc, request)  # type: ignore[arg-type]
    except CallFailed as failed:
        return failed.reason
    return ""


def test_only_those_who_are_named_add_where_a_rule_says_so(ask: Callable[..., Wire]) -> None:
    developer, admin, bot = (
        ask("dev", "developer"),
        ask("root", "admin"),
        ask("x", "developer", "release-bot"),
    )
    for subject in ("prod.a", ":.live:a"):
        for asking in (developer, admin):
            known = asking.call("RegisterSchema", registration(subject, FIRST))
            assert (known.created, known.version) == (False, "1.0.0")
            refused = outcome(asking, "RegisterSchema", registration(subject, SECOND))
            assert refused == "PERMISSION_DENIED", "administrators too"
    assert outcome(admin, "RegisterSchema", registration("prod.new", FIRST)) == "PERMISSION_DENIED"
    assert outcome(developer, "RegisterSchema", registration("dev.a", FIRST)) == ""
    assert outcome(bot, "RegisterSchema", registration("prod.a", FIRST)) == ""
    assert outcome(bot, "RegisterSchema", registration("prod.frozen.a", FIRST)) == "PERMISSION_DENIED", (
        "every rule counts"
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"dry_run": True},
        {"as_draft": True},
        {"normalize": True},
        {"auto_activate": False},
        {"compatibility_level": pb.COMPATIBILITY_LEVEL_NONE},
    ],
)
def test_a_look_up_changes_nothing(ask: Callable[..., Wire], fields: dict[str, object]) -> None:
    reader, admin = ask("reader", "reader"), ask("root", "admin")
    before = str(admin.call("GetSubjectVersions", pb.GetSubjectVersionsRequest(subject="prod.a")))
    assert outcome(reader, "RegisterSchema", registration("prod.a", SECOND, **fields)) in {
        "PERMISSION_DENIED",
        "LEVEL_MISMATCH",
    }
    outcome(reader, "RegisterSchema", registration("prod.a", FIRST, **fields))
    assert str(admin.call("GetSubjectVersions", pb.GetSubjectVersionsRequest(subject="prod.a"))) == before


def test_equal_content_is_found_by_a_look_up(ask: Callable[..., Wire]) -> None:
    spaced = b'{ "type" : "string" }'
    found = ask("reader", "reader").call("RegisterSchema", registration("prod.a", spaced, normalize=True))
    assert (found.created, found.version) == (False, "1.0.0")
    assert (
        outcome(ask("reader", "reader"), "RegisterSchema", registration("prod.a", spaced))
        == "PERMISSION_DENIED"
    )


def test_a_grant_of_a_context_reaches_its_configuration_and_no_other(ask: Callable[..., Wire]) -> None:
    team = ask("team", "nothing")
    level = config_pb2.Config(compatibility_level=pb.COMPATIBILITY_LEVEL_FULL)
    assert outcome(team, "SetConfig", config_pb2.SetConfigRequest(context=".team", config=level)) == ""
    assert outcome(team, "GetConfig", config_pb2.GetConfigRequest(context=".team")) == ""
    assert outcome(team, "GetConfig", config_pb2.GetConfigRequest(subject=":.team:x")) == ""
    for request in (
        config_pb2.GetConfigRequest(),
        config_pb2.GetConfigRequest(context="."),
        config_pb2.GetConfigRequest(context=".teams"),
        config_pb2.GetConfigRequest(subject="x"),
        config_pb2.GetConfigRequest(subject=":.live:a"),
    ):
        assert outcome(team, "GetConfig", request) == "PERMISSION_DENIED"
    assert outcome(team, "SetConfig", config_pb2.SetConfigRequest(config=level)) == "PERMISSION_DENIED"
    assert outcome(team, "RegisterSchema", registration(":.team:x", FIRST)) == ""
    assert outcome(team, "RegisterSchema", registration("x", FIRST)) == "PERMISSION_DENIED"
    assert list(team.call("ListSubjects", pb.ListSubjectsRequest()).subjects) == [":.team:x"]
