"""Who may read some subjects learns of no others: lists, search, suggestions, statistics, dependencies, errors, changes, kept answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest
from google.protobuf import empty_pb2

from llm_schema_registry.v1 import admin_pb2, lifecycle_pb2, tools_pb2
from llm_schema_registry.v1 import schema_registry_pb2 as pb
from tests.api.wires import CallFailed, Wire

from .callers import WIRES, Callers, callers

SECRET = "secret.vault"
MINE = "mine.order"
CONTEXT = ":.hidden:payroll"
LOCK, KNOWN = "zanzibarlock", "shippingcode"
GRANTS = [
    ("user:reader", "reader", ["mine.*"]),
    ("user:writer", "developer", ["mine.*"]),
    ("user:owner", "admin", ["mine.*"]),
    ("user:counter", "counter", ["*"]),
    ("user:counter", "reader", ["mine.*"]),
    ("user:fringe", "reader", ["mine.order"]),
]


def schema(*names: str) -> bytes:
    return json.dumps({"type": "object", "properties": {name: {"type": "string"} for name in names}}).encode()


def registration(subject: str, content: bytes, *references: str) -> pb.RegisterSchemaRequest:
    return pb.RegisterSchemaRequest(
        subject=subject,
        schema_content=content,
        schema_type=pb.SCHEMA_TYPE_JSON,
        references=[pb.SchemaReference(name=name, subject=name) for name in references],
    )


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callers]:
    uncounted = {"STATISTICS__REFRESH_SECONDS": "0"}  # before anything is registered
    with callers(
        tmp_path_factory.mktemp("closed"), GRANTS, {"counter": ["metrics:read"]}, **uncounted
    ) as made:
        for wire in WIRES[:2]:
            admin = made.wire(wire, "root", ["admin"])
            for request in (
                registration(SECRET, schema(LOCK)),
                registration(CONTEXT, schema("salary")),
                registration("mine.address", schema("street", KNOWN)),
                registration("secret.uses", b'{"$ref":"mine.address"}', "mine.address"),
                registration(MINE, b'{"$ref":"mine.address"}', "mine.address"),
            ):
                admin.call("RegisterSchema", request)
            admin.call("GetStatistics", admin_pb2.GetStatisticsRequest(fresh=True))
        yield made


Ask = Callable[[str], Wire]


@pytest.fixture(params=WIRES)
def ask(servers: Callers, request: pytest.FixtureRequest) -> Ask:
    """Who asks."""
    return lambda name: servers.wire(request.param, name, ["admin"] if name == "root" else [])


def latest(asking: Wire, subject: str) -> pb.SchemaInfo:
    found: pb.SchemaInfo = asking.call("GetLatestVersion", pb.GetLatestVersionRequest(subject=subject)).schema
    return found


def refused(asking: Wire, rpc: str, request: object) -> CallFailed:
    with pytest.raises(CallFailed) as failed:
        asking.call(rpc, request)  # type: ignore[arg-type]
    return failed.value


def test_lists_and_counts_have_what_may_be_read(ask: Ask) -> None:
    reader = ask("reader")
    listed = reader.call("ListSubjects", pb.ListSubjectsRequest())
    assert {"mine.address", MINE} <= set(listed.subjects)
    assert all(subject.startswith("mine.") for subject in listed.subjects)
    assert listed.total_count == len(listed.subjects)
    versions = [s.subject for s in reader.listing("ListSchemas", pb.ListSchemasRequest())]
    assert set(versions) == set(listed.subjects)
    assert reader.call("ListSubjects", pb.ListSubjectsRequest(prefix="secret")).total_count == 0
    pages = reader.call("ListSubjects", pb.ListSubjectsRequest(limit=1))
    rest = reader.call("ListSubjects", pb.ListSubjectsRequest(limit=5, page_token=pages.next_page_token))
    assert [*pages.subjects, *rest.subjects] == list(listed.subjects)
    assert rest.next_page_token == ""
    assert {SECRET, CONTEXT} <= set(ask("root").call("ListSubjects", pb.ListSubjectsRequest()).subjects)


def test_searches_find_what_may_be_read(ask: Ask) -> None:
    reader = ask("reader")
    for query in ("", LOCK, "vault", KNOWN):
        found = reader.call("SearchSchemas", pb.SearchSchemasRequest(query=query))
        assert all(s.subject.startswith("mine.") for s in found.schemas), query
        assert found.total_count == len(found.schemas)
    assert reader.call("SearchSchemas", pb.SearchSchemasRequest(query=KNOWN)).total_count == 1
    assert reader.call("SearchSchemas", pb.SearchSchemasRequest(subject_pattern="secret*")).total_count == 0
    assert ask("root").call("SearchSchemas", pb.SearchSchemasRequest(query=LOCK)).total_count == 1


def test_a_suggestion_does_not_tell_which_words_others_have(ask: Ask) -> None:
    """Whether a word is corrected would tell whether somebody's schema has it."""
    near = LOCK.replace("b", "d")
    assert ask("root").call("SearchSchemas", pb.SearchSchemasRequest(query=near)).did_you_mean == LOCK
    assert ask("reader").call("SearchSchemas", pb.SearchSchemasRequest(query=near)).did_you_mean == ""


def test_statistics_name_what_may_be_read(ask: Ask) -> None:
    counted = ask("counter").call("GetStatistics", admin_pb2.GetStatisticsRequest())
    everything = ask("root").call("GetStatistics", admin_pb2.GetStatisticsRequest())
    assert counted.subjects == everything.subjects >= 5
    assert {x.subject for x in counted.largest} == {"mine.address", MINE}
    assert {g.name for g in counted.prefixes} == {"mine."}
    assert [g.name for g in counted.contexts] == []
    assert {"secret."} <= {g.name for g in everything.prefixes}
    assert SECRET not in str(counted)
    assert "hidden" not in str(counted)
    assert (
        refused(ask("reader"), "GetStatistics", admin_pb2.GetStatisticsRequest()).reason
        == "PERMISSION_DENIED"
    )


def test_health_tells_how_much_there_is_to_those_who_may_know(ask: Ask) -> None:
    for name in ("", "reader"):
        told = ask(name).call("HealthCheck", empty_pb2.Empty())
        assert told.status == told.STATUS_HEALTHY
        assert {component.status for component in told.components.values()} == {pb.ComponentHealth.STATUS_UP}
        assert all(not component.details for component in told.components.values()), name
    for name in ("counter", "root"):
        assert ask(name).call("HealthCheck", empty_pb2.Empty()).components["storage"].details["subjects"]


def test_dependencies_and_dependents_have_what_may_be_read(ask: Ask) -> None:
    address = latest(ask("root"), "mine.address").id
    asked = pb.GetDependentsRequest(schema_id=address, transitive=True)
    assert {d.subject for d in ask("reader").call("GetDependents", asked).dependencies} == {MINE}
    assert {d.subject for d in ask("root").call("GetDependents", asked).dependencies} == {MINE, "secret.uses"}
    used = pb.GetDependenciesRequest(schema_id=latest(ask("root"), MINE).id)
    assert [d.subject for d in ask("fringe").call("GetDependencies", used).dependencies] == []
    assert [d.subject for d in ask("reader").call("GetDependencies", used).dependencies] == ["mine.address"]


def test_a_refusal_counts_hidden_dependents_and_does_not_name_them(ask: Ask) -> None:
    admin, owner = ask("root"), ask("owner")
    subject = "mine.shared"
    admin.call("RegisterSchema", registration(subject, schema("a")))
    admin.call("RegisterSchema", registration("secret.leans", b'{"$ref":"mine.shared"}', subject))
    schema_id = latest(admin, subject).id
    owner.call("DeleteSchema", pb.DeleteSchemaRequest(schema_id=schema_id))
    failed = refused(owner, "DeleteSchema", pb.DeleteSchemaRequest(schema_id=schema_id, permanent=True))
    owner.call("UndeleteSchema", lifecycle_pb2.UndeleteSchemaRequest(schema_id=schema_id))
    assert failed.reason == "HAS_DEPENDENTS"
    assert failed.metadata["dependents"] == "1"
    assert "secret" not in str(failed)


@pytest.mark.parametrize("rpc", ["RegisterSchema", "CheckCompatibility", "ValidateSchema", "DiffSchemas"])
def test_a_reference_to_what_is_hidden_points_to_nothing(ask: Ask, rpc: str) -> None:
    told = []
    for target in (SECRET, "secret.missin"):
        references = [pb.SchemaReference(name="r", subject=target)]
        content = b'{"$ref":"r"}'
        given = tools_pb2.SchemaOperand(
            schema_content=content, schema_type=pb.SCHEMA_TYPE_JSON, references=references
        )
        requests = {
            "RegisterSchema": pb.RegisterSchemaRequest(
                subject=MINE, schema_content=content, schema_type=pb.SCHEMA_TYPE_JSON, references=references
            ),
            "CheckCompatibility": pb.CompatibilityCheckRequest(
                subject=MINE, new_schema=content, references=references
            ),
            "ValidateSchema": pb.ValidateSchemaRequest(
                schema_content=content, schema_type=pb.SCHEMA_TYPE_JSON, references=references
            ),
            "DiffSchemas": tools_pb2.DiffSchemasRequest(old=given, new=given),
        }
        failed = refused(ask("writer"), rpc, requests[rpc])
        assert failed.reason == "REFERENCE_NOT_FOUND"
        told.append(failed.message.replace(target, "X"))
    assert told[0] == told[1]


def test_an_answer_that_is_kept_for_others_stays_hidden(ask: Ask) -> None:
    admin, reader = ask("root"), ask("reader")
    schema_id = latest(admin, SECRET).id
    questions = (
        ("GetSchema", pb.GetSchemaRequest(schema_id=schema_id), "SCHEMA_NOT_FOUND"),
        ("GetLatestVersion", pb.GetLatestVersionRequest(subject=SECRET), "SUBJECT_NOT_FOUND"),
        (
            "GetSchemaByVersion",
            pb.GetSchemaByVersionRequest(subject=SECRET, version="1"),
            "SUBJECT_NOT_FOUND",
        ),
    )
    for rpc, question, reason in questions:
        for _ in range(3):
            admin.call(rpc, question)
        failed = refused(reader, rpc, question)
        assert failed.reason == reason
        assert (
            "vault" not in str(failed).replace(SECRET, "")
            if rpc != "GetSchema"
            else SECRET not in str(failed)
        )
        admin.call(rpc, question)
    for _ in range(3):
        assert latest(reader, MINE).subject == MINE


def test_a_kept_check_with_references_stays_hidden_from_who_may_not_read_them(ask: Ask) -> None:
    question = pb.CompatibilityCheckRequest(
        subject=MINE,
        new_schema=b'{"$ref":"mine.address"}',
        references=[pb.SchemaReference(name="mine.address", subject=SECRET)],
        level=pb.COMPATIBILITY_LEVEL_NONE,
    )
    for _ in range(2):
        ask("root").call("CheckCompatibility", question)
    assert refused(ask("writer"), "CheckCompatibility", question).reason == "REFERENCE_NOT_FOUND"


@pytest.mark.parametrize("gather", [0, 50])
def test_changes_are_those_of_what_may_be_read(ask: Ask, gather: int) -> None:
    asked = pb.StreamRequest(from_revision="earliest")
    asked.gather.FromMilliseconds(gather)
    asked.heartbeat_interval.FromSeconds(1)
    events = ask("reader").listing("StreamSchemaChanges", asked)
    seen: list[pb.SchemaChangeEvent] = []
    for event in events:
        if event.heartbeat and seen:
            break
        seen += [event, *event.more] * (not event.heartbeat)
    assert {event.subject for event in seen} >= {"mine.address", MINE}
    assert all(event.subject.startswith("mine.") for event in seen)


def test_who_only_reads_registers_nothing_and_finds_what_is_known(ask: Ask) -> None:
    known = latest(ask("root"), "mine.address")
    answered = ask("reader").call("RegisterSchema", registration("mine.address", schema("street", KNOWN)))
    assert (answered.schema_id, answered.created) == (known.id, False)
    for subject in ("mine.address", "mine.new"):
        failed = refused(ask("reader"), "RegisterSchema", registration(subject, schema("other")))
        assert failed.reason == "PERMISSION_DENIED"
    failed = refused(ask("reader"), "RegisterSchema", registration(SECRET, schema(LOCK)))
    assert (failed.reason, "schema:write" in failed.message) == ("PERMISSION_DENIED", True)
    subjects = ask("root").call("ListSubjects", pb.ListSubjectsRequest(prefix="mine.new")).subjects
    assert list(subjects) == []
