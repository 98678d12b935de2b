"""Grants that are managed at run time: who may give them, and that they count on every server within a second."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from llm_schema_registry.v1 import access_pb2
from llm_schema_registry.v1 import schema_registry_pb2 as pb
from tests.api.wires import CallFailed, Wire
from tests.support.postgres import own_server

from .callers import ENGINES, WIRES, Callers, callers

CONTENT = b'{"type":"string"}'
FIXED = [("user:fixed", "reader", ["fixed.*"]), ("role:ops", "admin", ["ops.*"])]
OWN_ROLES = {"keeper": ["admin:users", "schema:read"]}
SOON = 1.0


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callers]:
    # More calls at once than one caller may make by default.
    unlimited = {"RATE_LIMITS__MODE": "off"}
    with callers(tmp_path_factory.mktemp("grants"), FIXED, OWN_ROLES, **unlimited) as made:
        for wire in ENGINES:
            for subject in ("orders.a", "fixed.a", "ops.a"):
                register(made.wire(wire, "root", ["admin"]), subject)
        yield made


@pytest.fixture(params=WIRES)
def ask(servers: Callers, request: pytest.FixtureRequest) -> Callable[..., Wire]:
    """Who asks, and which roles stand in the token."""
    return lambda name, *roles: servers.wire(request.param, name, roles or ["admin"] * (name == "root"))


def register(asking: Wire, subject: str) -> None:
    request = pb.RegisterSchemaRequest(
        subject=subject, schema_content=CONTENT, schema_type=pb.SCHEMA_TYPE_JSON
    )
    asking.call("RegisterSchema", request)


def reads(asking: Wire, subject: str = "orders.a") -> bool:
    try:
        asking.call("GetLatestVersion", pb.GetLatestVersionRequest(subject=subject))
    except CallFailed as failed:
        if failed.reason not in {"PERMISSION_DENIED", "SUBJECT_NOT_FOUND"}:
            raise
        return False
    return True


def give(asking: Wire, holder: str, role: str, scope: str) -> access_pb2.SetGrantResponse:
    request = access_pb2.SetGrantRequest(holder=holder, role=role, scope=scope)
    answer: access_pb2.SetGrantResponse = asking.call("SetGrant", request)
    return answer


def take_back(asking: Wire, holder: str, role: str, scope: str) -> None:
    asking.call("DeleteGrant", access_pb2.DeleteGrantRequest(holder=holder, role=role, scope=scope))


def refused(call: Callable[[], object]) -> CallFailed:
    with pytest.raises(CallFailed) as failed:
        call()
    return failed.value


def test_a_grant_counts_at_once_and_until_it_is_taken_back(ask: Callable[..., Wire]) -> None:
    root, ada = ask("root"), ask("ada", "nothing")
    assert not reads(ada)
    given = give(root, "user:ada", "reader", "orders.*")
    assert (given.created, given.grant.created_by, given.grant.scope) == (True, "root", "orders.*")
    assert given.revision
    assert reads(ada)
    assert not reads(ada, "fixed.a")
    again = give(root, "user:ada", "reader", "orders.*")
    assert (again.created, again.revision) == (False, "")
    assert again.grant.created_at == given.grant.created_at
    take_back(root, "user:ada", "reader", "orders.*")
    assert not reads(ada)
    missing = refused(lambda: take_back(root, "user:ada", "reader", "orders.*"))
    assert missing.reason == "GRANT_NOT_FOUND"


def test_grants_to_roles_and_to_everyone(ask: Callable[..., Wire]) -> None:
    root, bob, nobody = ask("root"), ask("bob", "team"), ask("")
    give(root, "role:team", "reader", "orders.a")
    assert reads(bob)
    assert not reads(ask("eve", "teams"))
    take_back(root, "role:team", "reader", "orders.a")
    give(root, "*", "reader", "orders.*")
    assert reads(bob)
    assert refused(lambda: nobody.call("ListSubjects", pb.ListSubjectsRequest())).reason == "UNAUTHENTICATED"
    take_back(root, "*", "reader", "orders.*")
    give(root, "anonymous", "reader", "orders.*")
    assert reads(nobody)
    assert not reads(bob)
    hidden = refused(lambda: nobody.call("GetLatestVersion", pb.GetLatestVersionRequest(subject="ops.a")))
    assert hidden.reason == "SUBJECT_NOT_FOUND"
    take_back(root, "anonymous", "reader", "orders.*")
    assert refused(lambda: nobody.call("ListSubjects", pb.ListSubjectsRequest())).reason == "UNAUTHENTICATED"


def test_grants_are_listed_page_by_page(ask: Callable[..., Wire]) -> None:
    root = ask("root")
    given = [
        ("user:list 1", "reader", "*"),
        ("user:list 2", "reader", ":.x:*"),
        ("user:list 2", "service", "a"),
    ]
    for grant in given:
        give(root, *grant)
    seen, token = [], ""
    while True:
        page = root.call("ListGrants", access_pb2.ListGrantsRequest(limit=1, page_token=token))
        seen += [(g.holder, g.role, g.scope) for g in page.grants]
        assert bool(page.fixed) == (not token)
        token = page.next_page_token
        if not token:
            break
    assert seen == given
    own = root.call("ListGrants", access_pb2.ListGrantsRequest(holder="user:list 2"))
    assert [g.role for g in own.grants] == ["reader", "service"]
    fixed = root.call("ListGrants", access_pb2.ListGrantsRequest()).fixed
    assert [(g.holder, g.role, g.scope) for g in fixed] == [
        ("user:fixed", "reader", "fixed.*"), ("role:ops", "admin", "ops.*")
    ]  # fmt: skip
    for grant in given:
        take_back(root, *grant)
    for token in ("nonsense", "WyJhIl0", "WyJ1c2VyOmEiLCJiIl0"):
        failed = refused(
            lambda token=token: root.call("ListGrants", access_pb2.ListGrantsRequest(page_token=token))
        )
        assert failed.reason == "PAGE_TOKEN_INVALID"


@pytest.mark.parametrize(
    ("holder", "role", "scope", "field"),
    [
        ("ada", "reader", "*", "holder"),
        ("user:", "reader", "*", "holder"),
        ("user:a\x00b", "reader", "*", "holder"),
        ("user:" + "x" * 300, "reader", "*", "holder"),
        ("user:ada", "", "*", "role"),
        ("user:ada", "no such role", "*", "role"),
        ("user:ada", "reader", ":.*:orders", "scope"),
        ("user:ada", "reader", "*a*b*c*d*e*f*g*h*i", "scope"),
        ("user:ada", "reader", "x" * 256, "scope"),
    ],
)
def test_what_is_no_grant_is_refused(
    ask: Callable[..., Wire], holder: str, role: str, scope: str, field: str
) -> None:
    failed = refused(lambda: give(ask("root"), holder, role, scope))
    assert (failed.reason, failed.fields) == ("INVALID_REQUEST", (field,))


def test_nobody_gives_what_he_does_not_hold_and_a_scoped_admin_gives_nothing(
    ask: Callable[..., Wire],
) -> None:
    keeper = ask("kay", "keeper")
    failed = refused(lambda: give(keeper, "user:kay", "reader", "orders.*"))
    assert (failed.reason, failed.metadata["permission"]) == ("PERMISSION_DENIED", "schema:validate")
    assert give(keeper, "user:other", "keeper", "orders.*").created
    take_back(keeper, "user:other", "keeper", "orders.*")
    failed = refused(lambda: give(ask("olga", "ops"), "user:olga", "admin", "*"))
    assert failed.reason == "PERMISSION_DENIED"
    failed = refused(lambda: give(ask("olga", "ops"), "user:olga", "admin", "ops.*"))
    assert failed.reason == "PERMISSION_DENIED", "admin:users must hold everywhere"


def test_a_holder_has_so_many_grants_and_no_more(ask: Callable[..., Wire]) -> None:
    root = ask("root")
    for number in range(100):
        give(root, "user:collector", "reader", f"n{number}")
    assert refused(lambda: give(root, "user:collector", "reader", "one more")).reason == "LIMIT_EXCEEDED"
    for number in range(100):
        take_back(root, "user:collector", "reader", f"n{number}")


@pytest.mark.parametrize("gather", [0, 50])
def test_a_stream_is_decided_anew_when_grants_change(ask: Callable[..., Wire], gather: int) -> None:
    root, watcher = ask("root"), ask("watcher", "nothing")
    give(root, "user:watcher", "reader", "orders.*")
    give(root, "user:watcher", "reader", "kept.*")
    stream = pb.StreamRequest()
    stream.heartbeat_interval.FromSeconds(1)
    stream.gather.FromMilliseconds(gather)
    seen: list[str] = []
    ended: list[CallFailed] = []
    live = threading.Event()

    def watch() -> None:
        try:
            for event in watcher.listing("StreamSchemaChanges", stream):
                live.set()
                if not event.heartbeat:
                    seen.extend(e.subject for e in (event, *event.more))
        except CallFailed as failed:
            ended.append(failed)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    assert live.wait(10)
    mark = f"s{time.monotonic_ns()}"
    register(root, f"orders.{mark}1")
    take_back(root, "user:watcher", "reader", "orders.*")
    register(root, f"orders.{mark}2")
    register(root, f"kept.{mark}")
    register(root, f"secret.{mark}")
    if gather:  # what is held back is decided when it is sent
        _wait(lambda: f"kept.{mark}" in seen)
    give(root, "user:watcher", "reader", "orders.*")
    register(root, f"orders.{mark}3")
    _wait(lambda: f"orders.{mark}3" in seen)
    assert [s for s in seen if mark in s] == [f"orders.{mark}1", f"kept.{mark}", f"orders.{mark}3"]
    take_back(root, "user:watcher", "reader", "orders.*")
    take_back(root, "user:watcher", "reader", "kept.*")
    thread.join(10)
    assert not thread.is_alive(), "a stream whose caller may see nothing any more ends"
    assert ended[0].reason == "PERMISSION_DENIED"


def test_a_stream_of_who_sees_everything_is_decided_anew(ask: Callable[..., Wire]) -> None:
    root, watcher = ask("root"), ask("overseer", "nothing")
    give(root, "user:overseer", "reader", "*")
    give(root, "user:overseer", "reader", "kept.*")
    stream = pb.StreamRequest()
    stream.heartbeat_interval.FromSeconds(1)
    events = watcher.listing("StreamSchemaChanges", stream)
    assert next(iter(events)).heartbeat
    take_back(root, "user:overseer", "reader", "*")
    mark = f"s{time.monotonic_ns()}"
    register(root, f"secret.{mark}")
    register(root, f"kept.{mark}")
    assert next(event.subject for event in events if not event.heartbeat) == f"kept.{mark}"
    take_back(root, "user:overseer", "reader", "kept.*")


def _wait(condition: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
def replicas(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callers]:
    """Two servers of one registry; by the names of the engines."""
    if request.param == "sqlite":
        with callers(tmp_path, STORAGE__PATH=str(tmp_path / "shared.db")) as made:
            yield made
        return
    with own_server() as database:
        asyncio.run(database.ready())
        dsn = asyncio.run(database.create_database())
        with callers(tmp_path, STORAGE__KIND="postgres", STORAGE__POSTGRES__DSN=dsn) as made:
            yield made


def test_a_grant_counts_on_every_server_within_a_second(replicas: Callers) -> None:
    here, there = (replicas.wire(engine, "root", ["admin"]) for engine in ENGINES)
    ada = replicas.wire(ENGINES[1], "ada", ["nothing"])
    register(here, "orders.a")
    for _ in range(3):
        give(here, "user:ada", "reader", "orders.*")
        _wait(lambda: reads(ada), SOON)
        take_back(here, "user:ada", "reader", "orders.*")
        _wait(lambda: not reads(ada), SOON)
    give(there, "user:ada", "reader", "orders.*")
    assert reads(ada)
