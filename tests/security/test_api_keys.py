"""API keys over every wire, both gRPC engines and two servers on one storage: who gets in, and who does not any more."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from threading import Thread
from typing import Any
from uuid import uuid4

import pytest
from google.protobuf import duration_pb2, empty_pb2, timestamp_pb2

from llm_schema_registry.v1 import credentials_pb2 as keys_pb
from llm_schema_registry.v1 import schema_registry_pb2 as pb
from llm_schema_registry_server.auth.permissions import PERMISSIONS, ROLES
from tests.api.wires import CallFailed, Wire
from tests.security.replicas import WIRES, Replicas, bearer, caller

SECONDS = 1.0
"""Within this time every server knows."""
ALLOWANCE = 1.0
"""For a busy machine: calls take their time, too."""


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def replicas(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replicas]:
    made = Replicas(
        tmp_path_factory.mktemp("keys"),
        request.param,
        AUTH__API_KEYS__ENABLED="true",
        AUTH__LOCKOUT_SECONDS="0",
        AUTH__ROLES__KEYMASTER="admin:users,subject:read",
    )
    first = made.create_key("--name", "first", "--role", "admin")
    made.start()
    made.first = first["secret"]  # type: ignore[attr-defined]  # for `admin` alone
    yield made
    made.stop()
    assert not re.search(r"llmsr_\w", made.logs()), "a key has no place in the log, not even its beginning"


Open = Callable[[str, str], Wire]


@pytest.fixture
def opened(replicas: Replicas) -> Iterator[Open]:
    """Makes wires whose calls carry a key."""
    with ExitStack() as made:

        def opened(wire: str, secret: str) -> Wire:
            return made.enter_context(caller(wire, replicas.of(wire), bearer(secret)))

        yield opened


@pytest.fixture
def admin(replicas: Replicas, opened: Open) -> Wire:
    return opened("native", replicas.first)  # type: ignore[attr-defined]


def name() -> str:
    return f"key-{uuid4().hex[:10]}"


def grants(*roles: str) -> list[keys_pb.RoleGrant]:
    parts = [role.partition("@") for role in roles]
    return [keys_pb.RoleGrant(role=role, scope=scope) for role, _, scope in parts]


def create(by: Wire, *roles: str, **fields: Any) -> keys_pb.CreateApiKeyResponse:
    request = keys_pb.CreateApiKeyRequest(name=name(), grants=grants(*roles), **fields)
    made: keys_pb.CreateApiKeyResponse = by.call("CreateApiKey", request)
    return made


def at(moment: datetime) -> timestamp_pb2.Timestamp:
    made = timestamp_pb2.Timestamp()
    made.FromDatetime(moment)
    return made


def reason(wire: Wire, rpc: str = "ListSubjects", request: Any = None) -> str:
    """Why a call fails; "" when it does not."""
    try:
        wire.call(rpc, pb.ListSubjectsRequest() if request is None else request)
    except CallFailed as failed:
        return failed.reason
    return ""


def refused_within(wire: Wire, seconds: float = SECONDS + ALLOWANCE) -> float:
    """How long it takes until a caller that was let in is not any more."""
    began = time.monotonic()
    while reason(wire) != "UNAUTHENTICATED":
        assert time.monotonic() - began < seconds, "the key counts still"
        time.sleep(0.02)
    return time.monotonic() - began


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize(
    "form",
    [
        {"authorization": "Bearer {}"},
        {"authorization": "bearer {}"},
        {"authorization": "ApiKey {}"},
        {"authorization": "apikey  {}"},
        {"x-api-key": "{}"},
    ],
    ids=str,
)
def test_every_form_names_the_key(replicas: Replicas, admin: Wire, wire: str, form: dict[str, str]) -> None:
    made = create(admin, "reader")
    headers = {header: text.format(made.secret) for header, text in form.items()}
    with caller(wire, replicas.of(wire), headers) as wired:
        for _ in range(2):
            who = wired.call("WhoAmI", keys_pb.WhoAmIRequest())
            assert (who.name, who.kind, who.anonymous) == (made.api_key.name, "key", False)
            assert set(who.permissions) == ROLES["reader"]
            assert who.credential == f"key {made.api_key.key_id}"
            assert reason(wired) == ""


@pytest.mark.parametrize("wire", WIRES)
def test_what_is_nearly_a_key_is_none(replicas: Replicas, admin: Wire, wire: str) -> None:
    good, other = create(admin, "admin").secret, create(admin, "admin").secret
    swapped = "A" if good[-1] != "A" else "E"
    nearly = [
        good[:-1],
        good + "A",
        good[:-1] + swapped,
        good.upper(),
        good.swapcase().replace("LLMSR_", "llmsr_"),
        good[:14] + other[14:],
        good[:14],
        "llmsr_",
        good.replace("llmsr_", "sr_"),
        good[6:],
        good + "=",
        f"{good}, {other}",
        "llmsr_" + "A" * 43,
        "llmsr_" + "A" * 7000,
        "llmsr_" + "%00" * 10,
    ]
    for shown in nearly:
        with caller(wire, replicas.of(wire), bearer(shown)) as wired, pytest.raises(CallFailed) as refused:
            wired.call("HealthCheck", empty_pb2.Empty())
        assert refused.value.reason == "UNAUTHENTICATED", shown
        assert good not in str(refused.value)
        assert other[6:] not in str(refused.value)


@pytest.mark.parametrize("wire", WIRES)
def test_two_credentials_in_one_call_are_refused(replicas: Replicas, admin: Wire, wire: str) -> None:
    one, two = create(admin, "reader").secret, create(admin, "admin").secret
    for headers in ({**bearer(one), "x-api-key": two}, {**bearer(one), "x-api-key": one}):
        with caller(wire, replicas.of(wire), headers) as wired:
            assert reason(wired) == "UNAUTHENTICATED"


def test_two_lines_of_credentials_are_refused(replicas: Replicas, admin: Wire) -> None:
    one, two = create(admin, "reader").secret, create(admin, "admin").secret
    with caller("http", replicas.of("http"), {}) as http:
        client = http.client  # type: ignore[attr-defined]  # the HTTP wire has one
        for header, form in (("authorization", "Bearer {}"), ("x-api-key", "{}")):
            pairs = [(header, form.format(secret)) for secret in (one, two)]
            for lines in (pairs, pairs[::-1]):
                assert client.get("/api/v1/subjects", headers=lines).status_code == 401


def test_a_secret_is_shown_once(replicas: Replicas, admin: Wire) -> None:
    made = create(admin, "reader")
    asked = [
        admin.call("GetApiKey", keys_pb.GetApiKeyRequest(key_id=made.api_key.key_id)),
        admin.call("ListApiKeys", keys_pb.ListApiKeysRequest(limit=1000)),
        admin.call("UpdateApiKey", keys_pb.UpdateApiKeyRequest(key_id=made.api_key.key_id, enabled=True)),
    ]
    for answer in asked:
        assert made.secret[:14] in str(answer)
        assert made.secret not in str(answer)
    assert made.api_key.secret_prefix == made.secret[:14]


@pytest.mark.parametrize("wire", WIRES)
def test_a_disabled_key_counts_nowhere_within_a_second(opened: Open, admin: Wire, wire: str) -> None:
    made = create(admin, "reader")
    with_key = opened(wire, made.secret)
    assert reason(with_key) == ""
    admin.call("UpdateApiKey", keys_pb.UpdateApiKeyRequest(key_id=made.api_key.key_id, enabled=False))
    if wire != "grpcio":
        assert reason(with_key) == "UNAUTHENTICATED", "the server that made the change knows at once"
    assert refused_within(with_key) < SECONDS + ALLOWANCE
    admin.call("UpdateApiKey", keys_pb.UpdateApiKeyRequest(key_id=made.api_key.key_id, enabled=True))
    assert reason(with_key) == "", "nothing remembers that it was refused"


@pytest.mark.parametrize("wire", WIRES)
def test_a_deleted_key_counts_nowhere_within_a_second(opened: Open, admin: Wire, wire: str) -> None:
    made = create(admin, "reader")
    with_key = opened(wire, made.secret)
    assert reason(with_key) == ""
    admin.call("DeleteApiKey", keys_pb.DeleteApiKeyRequest(key_id=made.api_key.key_id))
    refused_within(with_key)
    assert (
        reason(admin, "GetApiKey", keys_pb.GetApiKeyRequest(key_id=made.api_key.key_id))
        == "API_KEY_NOT_FOUND"
    )


@pytest.mark.parametrize("wire", WIRES)
def test_a_rotated_key_has_two_secrets_for_a_while(opened: Open, admin: Wire, wire: str) -> None:
    made = create(admin, "reader")
    old = opened(wire, made.secret)
    assert reason(old) == ""
    rotated = admin.call(
        "RotateApiKey",
        keys_pb.RotateApiKeyRequest(
            key_id=made.api_key.key_id, overlap=duration_pb2.Duration(seconds=2, nanos=500_000_000)
        ),
    )
    assert rotated.secret != made.secret
    new = opened(wire, rotated.secret)
    assert (reason(old), reason(new)) == ("", "")
    assert rotated.api_key.previous_secret_prefix == made.secret[:14]
    refused_within(old, 2.5 + SECONDS + ALLOWANCE)
    assert reason(new) == ""
    again = admin.call("RotateApiKey", keys_pb.RotateApiKeyRequest(key_id=made.api_key.key_id))
    refused_within(new)
    assert reason(opened(wire, again.secret)) == ""
    assert not again.api_key.previous_secret_prefix


@pytest.mark.parametrize("wire", WIRES)
def test_an_expired_key_counts_no_more(opened: Open, admin: Wire, wire: str) -> None:
    ends = datetime.now(UTC) + timedelta(seconds=2)
    with_key = opened(wire, create(admin, "reader", expires_at=at(ends)).secret)
    assert reason(with_key) == ""
    refused_within(with_key, 2 + ALLOWANCE)
    assert datetime.now(UTC) >= ends
    past = at(datetime.now(UTC) - timedelta(seconds=1))
    with pytest.raises(CallFailed, match="lies in the past"):
        create(admin, "reader", expires_at=past)


@pytest.mark.parametrize("wire", WIRES)
def test_narrowed_grants_hold_within_a_second(opened: Open, admin: Wire, wire: str) -> None:
    made = create(admin, "admin")
    with_key = opened(wire, made.secret)
    listing = keys_pb.ListApiKeysRequest()
    assert reason(with_key, "ListApiKeys", listing) == ""
    narrowed = keys_pb.RoleGrants(grants=grants("reader"))
    admin.call("UpdateApiKey", keys_pb.UpdateApiKeyRequest(key_id=made.api_key.key_id, grants=narrowed))
    began = time.monotonic()
    while reason(with_key, "ListApiKeys", listing) != "PERMISSION_DENIED":
        assert time.monotonic() - began < SECONDS + ALLOWANCE
    assert reason(with_key) == ""


class Watching:
    """A stream of changes that is read by a thread of its own until it ends."""

    def __init__(self, wire: Wire) -> None:
        self.events: list[Any] = []
        self.reason: str | None = None
        self._wire = wire
        self._thread = Thread(target=self._read, daemon=True)
        self._thread.start()
        while not self.events and self.reason is None:
            time.sleep(0.01)

    def _read(self) -> None:
        request = pb.StreamRequest(heartbeat_interval=duration_pb2.Duration(seconds=20))
        try:
            for event in self._wire.listing("StreamSchemaChanges", request):
                self.events.append(event)
            self.reason = ""
        except CallFailed as failed:
            self.reason = failed.reason
        except Exception as error:  # the wire is closed with the test
            self.reason = repr(error)

    def ends_within(self, seconds: float) -> str | None:
        self._thread.join(seconds)
        return self.reason


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("way", ["disabled", "deleted", "rotated", "narrowed"])
def test_open_streams_end_with_the_key(opened: Open, admin: Wire, wire: str, way: str) -> None:
    made = create(admin, "reader")
    key_id = made.api_key.key_id
    watching = Watching(opened(wire, made.secret))
    assert watching.reason is None
    match way:
        case "disabled":
            admin.call("UpdateApiKey", keys_pb.UpdateApiKeyRequest(key_id=key_id, enabled=False))
        case "deleted":
            admin.call("DeleteApiKey", keys_pb.DeleteApiKeyRequest(key_id=key_id))
        case "rotated":
            admin.call("RotateApiKey", keys_pb.RotateApiKeyRequest(key_id=key_id))
        case "narrowed":
            other = keys_pb.RoleGrants(grants=grants("keymaster"))
            admin.call("UpdateApiKey", keys_pb.UpdateApiKeyRequest(key_id=key_id, grants=other))
            time.sleep(SECONDS)
            register(admin)
    ended = watching.ends_within(SECONDS + ALLOWANCE)
    assert ended == ("PERMISSION_DENIED" if way == "narrowed" else "UNAUTHENTICATED")


@pytest.mark.parametrize("wire", WIRES)
def test_open_streams_go_on_while_their_secret_counts(opened: Open, admin: Wire, wire: str) -> None:
    made = create(admin, "reader")
    key_id = made.api_key.key_id
    watching = Watching(opened(wire, made.secret))
    overlap = duration_pb2.Duration(seconds=3)
    admin.call("RotateApiKey", keys_pb.RotateApiKeyRequest(key_id=key_id, overlap=overlap))
    wider = keys_pb.RoleGrants(grants=grants("reader", "developer"))
    admin.call("UpdateApiKey", keys_pb.UpdateApiKeyRequest(key_id=key_id, grants=wider))
    assert watching.ends_within(1.0) is None
    subject = register(admin)
    time.sleep(SECONDS)
    assert subject in {event.subject for event in watching.events}
    assert watching.ends_within(3 + ALLOWANCE) == "UNAUTHENTICATED"


def test_nobody_is_told_of_keys_by_the_change_stream(opened: Open, admin: Wire) -> None:
    watching = [Watching(opened(wire, create(admin, "reader").secret)) for wire in WIRES]
    made = create(admin, "reader")
    admin.call("DeleteApiKey", keys_pb.DeleteApiKeyRequest(key_id=made.api_key.key_id))
    subject = register(admin)
    time.sleep(SECONDS)
    for each in watching:
        told = [event for event in each.events if not event.heartbeat]
        assert {event.subject for event in told} == {subject}
    reread = admin.listing(
        "StreamSchemaChanges",
        pb.StreamRequest(from_revision="earliest", heartbeat_interval=duration_pb2.Duration(seconds=1)),
    )
    seen = []
    for event in reread:
        if event.heartbeat and seen:
            break
        seen.append(event)
    assert made.api_key.key_id not in str(seen)
    assert all(event.subject or event.heartbeat for event in seen)


def register(by: Wire) -> str:
    subject = f"keys.s{uuid4().hex[:8]}"
    by.call(
        "RegisterSchema",
        pb.RegisterSchemaRequest(
            subject=subject, schema_content=b'{"type":"string"}', schema_type=pb.SCHEMA_TYPE_JSON
        ),
    )
    return subject


def test_nobody_gives_more_than_what_he_has(opened: Open, admin: Wire) -> None:
    master = opened("http", create(admin, "keymaster").secret)
    allowed = create(master, "keymaster")
    assert allowed.api_key.created_by.startswith("key:key-")
    for roles in (["admin"], ["developer"], ["reader"], ["keymaster", "admin"], ["admin@orders.*"]):
        with pytest.raises(CallFailed) as refused:
            create(master, *roles)
        assert refused.value.reason == "PERMISSION_DENIED", roles
    with pytest.raises(CallFailed) as unknown:
        create(master, "emperor")
    assert unknown.value.reason == "INVALID_REQUEST"


def test_a_key_that_may_more_is_nobodys_to_take(opened: Open, admin: Wire) -> None:
    """Whoever may manage keys may take power away, and gets none."""
    master = opened("grpcio", create(admin, "keymaster").secret)
    strong = create(admin, "admin", expires_at=at(datetime.now(UTC) + timedelta(days=1))).api_key
    update = keys_pb.UpdateApiKeyRequest

    def asked(rpc: str, request: Any) -> str:
        return reason(master, rpc, request)

    assert asked("RotateApiKey", keys_pb.RotateApiKeyRequest(key_id=strong.key_id)) == "PERMISSION_DENIED"
    later = at(datetime.now(UTC) + timedelta(days=2))
    assert asked("UpdateApiKey", update(key_id=strong.key_id, expires_at=later)) == "PERMISSION_DENIED"
    assert asked("UpdateApiKey", update(key_id=strong.key_id, never_expires=True)) == "PERMISSION_DENIED"
    sooner = at(datetime.now(UTC) + timedelta(hours=1))
    assert asked("UpdateApiKey", update(key_id=strong.key_id, expires_at=sooner)) == ""
    assert asked("UpdateApiKey", update(key_id=strong.key_id, enabled=False)) == ""
    assert asked("UpdateApiKey", update(key_id=strong.key_id, enabled=True)) == "PERMISSION_DENIED"
    assert asked("UpdateApiKey", update(key_id=strong.key_id, enabled=False)) == ""
    assert asked("DeleteApiKey", keys_pb.DeleteApiKeyRequest(key_id=strong.key_id)) == ""


def test_a_key_cannot_make_itself_stronger(opened: Open, admin: Wire) -> None:
    made = create(admin, "keymaster")
    own = opened("native", made.secret)
    stronger = keys_pb.RoleGrants(grants=grants("admin"))
    request = keys_pb.UpdateApiKeyRequest(key_id=made.api_key.key_id, grants=stronger)
    assert reason(own, "UpdateApiKey", request) == "PERMISSION_DENIED"
    assert set(own.call("WhoAmI", keys_pb.WhoAmIRequest()).permissions) == {"admin:users", "subject:read"}


@pytest.mark.parametrize("wire", WIRES)
def test_a_key_for_some_subjects_reads_those(opened: Open, admin: Wire, wire: str) -> None:
    inside, outside = register(admin), register(admin)
    scoped = opened(wire, create(admin, f"reader@{inside[:-1]}*").secret)
    latest = pb.GetLatestVersionRequest
    for _ in range(2):
        assert reason(scoped, "GetLatestVersion", latest(subject=inside)) == ""
        assert reason(scoped, "GetLatestVersion", latest(subject=outside)) == "SUBJECT_NOT_FOUND"
        assert list(scoped.call("ListSubjects", pb.ListSubjectsRequest()).subjects) == [inside]
    who = scoped.call("WhoAmI", keys_pb.WhoAmIRequest())
    assert (list(who.permissions), list(who.roles)) == ([], [])
    assert [(grant.role, grant.scope) for grant in who.grants] == [("reader", f"{inside[:-1]}*")]


def test_whoever_manages_keys_for_all_gives_only_where_he_has(opened: Open, admin: Wire) -> None:
    """A key that may read some subjects, and manage keys, makes others for just those."""
    master = opened("native", create(admin, "keymaster", "reader@orders.*").secret)
    assert create(master, "reader@orders.eu.*", "reader@orders.created").secret
    for scope in ("*", "", "order*", "orders", ":.staging:orders.*"):
        with pytest.raises(CallFailed) as refused:
            create(master, f"reader@{scope}")
        assert refused.value.reason == "PERMISSION_DENIED", scope


def test_an_admin_has_everything(admin: Wire) -> None:
    assert set(admin.call("WhoAmI", keys_pb.WhoAmIRequest()).permissions) == PERMISSIONS


def test_names_are_taken_once(admin: Wire) -> None:
    made = create(admin, "reader")
    again = keys_pb.CreateApiKeyRequest(name=made.api_key.name, grants=grants("reader"))
    assert reason(admin, "CreateApiKey", again) == "API_KEY_NAME_TAKEN"


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (keys_pb.CreateApiKeyRequest(name="", grants=grants("reader")), "name"),
        (keys_pb.CreateApiKeyRequest(name=" x", grants=grants("reader")), "name"),
        (keys_pb.CreateApiKeyRequest(name="x" * 101, grants=grants("reader")), "name"),
        (keys_pb.CreateApiKeyRequest(name="x\n", grants=grants("reader")), "name"),
        (keys_pb.CreateApiKeyRequest(name="x"), "grants"),
        (keys_pb.CreateApiKeyRequest(name="x", grants=grants(*["reader"] * 33)), "grants"),
        (keys_pb.CreateApiKeyRequest(name="x", grants=grants("")), "grants[0].role"),
        (keys_pb.CreateApiKeyRequest(name="x", grants=grants("reader@:.a")), "grants[0].scope"),
        (
            keys_pb.CreateApiKeyRequest(
                name="x", grants=grants("reader"), expires_at=timestamp_pb2.Timestamp(seconds=-1)
            ),
            "expires_at",
        ),
    ],
    ids=str,
)
def test_impossible_keys_are_refused(admin: Wire, request_: Any, field: str) -> None:
    with pytest.raises(CallFailed) as refused:
        admin.call("CreateApiKey", request_)
    assert (refused.value.reason, refused.value.fields) == ("INVALID_REQUEST", (field,))


def test_keys_come_in_pages(admin: Wire) -> None:
    made = sorted(create(admin, "reader").api_key.name for _ in range(5))
    found, token, pages = [], "", 0
    while True:
        answer = admin.call("ListApiKeys", keys_pb.ListApiKeysRequest(limit=3, page_token=token))
        assert len(answer.api_keys) <= 3
        found += [key.name for key in answer.api_keys]
        token, pages = answer.next_page_token, pages + 1
        if not token:
            break
    assert found == sorted(found)
    assert len(set(found)) == len(found)
    assert set(made) <= set(found)
    assert reason(admin, "ListApiKeys", keys_pb.ListApiKeysRequest(page_token="x")) == "PAGE_TOKEN_INVALID"
    assert reason(admin, "ListApiKeys", keys_pb.ListApiKeysRequest(limit=-1)) == "INVALID_REQUEST"


def test_a_key_that_is_made_beside_the_servers_counts_at_once(replicas: Replicas, opened: Open) -> None:
    made = replicas.create_key("--name", name(), "--role", "reader", "--expires-in", "1h")
    for wire in WIRES:
        assert reason(opened(wire, made["secret"])) == ""


@pytest.mark.parametrize("wire", WIRES)
def test_without_credentials_one_is_anonymous(replicas: Replicas, wire: str) -> None:
    with caller(wire, replicas.of(wire), {}) as wired:
        who = wired.call("WhoAmI", keys_pb.WhoAmIRequest())
        assert (who.name, who.anonymous, list(who.permissions)) == ("anonymous", True, [])
        assert reason(wired) == "UNAUTHENTICATED"
        assert reason(wired, "CreateApiKey", keys_pb.CreateApiKeyRequest(name="x")) == "UNAUTHENTICATED"


def test_whoever_guesses_waits_and_those_who_are_known_do_not(tmp_path: Any) -> None:
    alone = Replicas(tmp_path, "sqlite", AUTH__API_KEYS__ENABLED="true", AUTH__LOCKOUT_SECONDS="2")
    good = alone.create_key("--name", "good", "--role", "reader")["secret"]
    late = alone.create_key("--name", "late", "--role", "reader")["secret"]
    alone.start()
    try:
        with ExitStack() as made:
            wires = {
                secret: made.enter_context(caller("native", alone.of("native"), bearer(secret)))
                for secret in (good, late, "llmsr_" + "A" * 43)
            }
            *_, guess = wires.values()
            assert reason(wires[good]) == ""
            seen = [reason(guess) for _ in range(40)]
            assert seen.index("LIMIT_EXCEEDED") >= 10
            assert seen[-1] == "LIMIT_EXCEEDED"
            assert reason(wires[good]) == "", "who is known to be good is let in"
            assert reason(wires[late]) == "", (
                "and who comes for the first time, from the address of one who guesses"
            )
            assert reason(guess) == "LIMIT_EXCEEDED"
    finally:
        with suppress(Exception):
            alone.stop()
