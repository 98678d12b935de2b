"""The command line: what it asks, what it shows, how it ends."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from google.protobuf.empty_pb2 import Empty
from google.protobuf.timestamp_pb2 import Timestamp

from llm_schema_registry import Code, FieldViolation
from llm_schema_registry.cli import options, run
from llm_schema_registry.cli.app import app
from llm_schema_registry.cli.exits import BY_CODE, MEANINGS, Exit
from llm_schema_registry.cli.output import Format, Output
from llm_schema_registry.cli.session import CONNECT_SECONDS, Session
from llm_schema_registry.cli.wording import spoken
from llm_schema_registry.v1 import config_pb2, lifecycle_pb2, tools_pb2
from llm_schema_registry.v1 import schema_registry_pb2 as pb
from llm_schema_registry_server.errors import SchemaNotFound, SubjectNotFound
from tests.cli.conftest import Cli
from tests.sdk.fake_registry import FakeRegistry, Script, answers, described, fails, filled

ID = "0198c0de-0000-7000-8000-000000000001"
COMPATIBLE = pb.CompatibilityReport(
    compatible=True,
    verdict=pb.VERDICT_YES,
    level=pb.COMPATIBILITY_LEVEL_BACKWARD,
    compared_versions=["1.0.0"],
    change_class=pb.CHANGE_CLASS_COMPATIBLE,
    suggested_version="1.1.0",
)

CHANGED = tools_pb2.DiffSchemasResponse(
    differences=[
        tools_pb2.SchemaDifference(kind=tools_pb2.SchemaDifference.KIND_NARROWED, message="a is narrower")
    ]
)


def incompatible() -> pb.CompatibilityReport:
    report = pb.CompatibilityReport(verdict=pb.VERDICT_NO, level=pb.COMPATIBILITY_LEVEL_FULL, message="no")
    report.compared_versions.append("1.0.0")
    report.violations.add(
        rule="TYPE_NARROWED",
        path="/properties/a",
        message="string is no longer accepted",
        severity=pb.SEVERITY_ERROR,
        witness=b'{"a": ""}',
        direction="backward",
        compared_version="1.0.0",
    )
    return report


def info(**fields: Any) -> pb.SchemaInfo:
    defaults: dict[str, Any] = {
        "id": ID,
        "subject": "orders",
        "version": "1.1.0",
        "ordinal": 2,
        "schema_type": pb.SCHEMA_TYPE_JSON,
        "schema_content": b'{"type":"object"}',
        "state": pb.SCHEMA_STATE_ACTIVE,
        "created_at": Timestamp(seconds=1_800_000_000),
    }
    return pb.SchemaInfo(**(defaults | fields))


def found(**fields: Any) -> Script:
    return answers(pb.GetSchemaResponse(schema=info(**fields)))


def test_register_tells_what_it_did(cli: Cli, fake: FakeRegistry, tmp_path: Path) -> None:
    file = tmp_path / "order.avsc"
    file.write_text('"int"')
    fake.script(
        "RegisterSchema",
        answers(
            pb.RegisterSchemaResponse(
                schema_id=ID,
                subject="orders",
                version="1.1.0",
                ordinal=2,
                created=True,
                state=pb.SCHEMA_STATE_ACTIVE,
                report=COMPATIBLE,
            )
        ),
    )

    fake.script("ListVersions", fails(Code.NOT_FOUND, reason="SUBJECT_NOT_FOUND"))
    ran = cli(
        "register", "orders", str(file), "-r", "m=money@^1", "--meta", "k=v=w", "--tag", "a", "-l", "full"
    )
    assert ran.code == 0
    assert "registered orders 1.1.0 (version 2, ACTIVE)" in ran.out
    assert "compatible at level BACKWARD, compared with 1.0.0" in ran.out
    request = fake.calls["RegisterSchema"][0].request
    assert (request.schema_type, request.schema_content) == (pb.SCHEMA_TYPE_AVRO, b'"int"')
    (reference,) = request.references
    assert (reference.name, reference.subject, reference.version) == ("m", "money", "^1")
    assert dict(request.metadata) == {"k": "v=w"}
    assert request.compatibility_level == pb.COMPATIBILITY_LEVEL_FULL
    assert not request.HasField("auto_activate")


def test_register_does_not_change_the_level_of_a_subject(
    cli: Cli, fake: FakeRegistry, tmp_path: Path
) -> None:
    file = tmp_path / "order.json"
    file.write_text("{}")
    effective = config_pb2.Config(compatibility_level=pb.COMPATIBILITY_LEVEL_FULL)
    fake.script("GetConfig", answers(config_pb2.GetConfigResponse(effective=effective)))
    fake.script("ListVersions", answers(pb.ListVersionsResponse(versions=["1.0.0"])))
    fake.script("RegisterSchema", answers(pb.RegisterSchemaResponse(version="1.0.0")))

    ran = cli("register", "orders", str(file), "--level", "none")
    assert ran.code == Exit.REFUSED
    assert "has the level FULL" in ran.err
    assert "schema-registry config set orders --level none" in ran.err
    assert not fake.calls["RegisterSchema"]
    assert cli("register", "orders", str(file), "--level", "full").code == 0


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_promotion_is_no_version_that_was_there_already(
    dry_run: bool, cli: Cli, fake: FakeRegistry, tmp_path: Path
) -> None:
    file = tmp_path / "order.json"
    file.write_text("{}")
    response = pb.RegisterSchemaResponse(
        subject="orders",
        version="1.0.0",
        ordinal=1,
        state=pb.SCHEMA_STATE_ACTIVE,
        previous_state=pb.SCHEMA_STATE_DRAFT,
        report=COMPATIBLE,
    )
    fake.script("RegisterSchema", answers(response))
    ran = cli("register", "orders", str(file), *(["--dry-run"] if dry_run else []))
    what = "would promote" if dry_run else "promoted"
    assert ran.out.startswith(f"{what} orders 1.0.0 (version 1, ACTIVE), which was DRAFT\n")
    assert "change: COMPATIBLE\n" in ran.out  # its version has been told


def test_without_a_server_the_command_ends_at_once_unless_it_is_to_wait(cli: Cli) -> None:
    ran = cli("--server", "localhost:1", "list", server=False)
    assert (ran.code, "waiting" in ran.err) == (Exit.UNAVAILABLE, False)
    assert "schema-registry-server serve" in ran.err
    ran = cli("--server", "localhost:1", "--timeout", "0.2", "list", server=False)
    assert ran.code == Exit.UNAVAILABLE
    assert "waiting up to 0.2 s for a registry at localhost:1" in ran.err


def test_only_who_gives_a_timeout_waits_for_a_server(cli: Cli) -> None:
    output = Output(Format.TABLE, color=False)
    assert CONNECT_SECONDS < 2
    for patient, connect in ((False, CONNECT_SECONDS), (True, None)):
        with Session(cli.target, None, 30.0, output, patient=patient).registry() as client:
            assert (client._options.retry.connect, client._options.timeout) == (connect, 30.0)


MESSAGES = [
    (
        "schema 'x' is live; delete it softly first (without `permanent`), then permanently",
        "schema 'x' is live; delete it softly first (without --permanent), then permanently",
    ),
    ("tags[0]: '' must be 1 to 256 characters", "--tag: '' must be 1 to 256 characters"),
    ("references[0].name: 'a' points to nothing", "--reference: 'a' points to nothing"),
    (
        "leave the level out, or set it with SetConfig",
        "leave the level out, or set it with `schema-registry config set`",
    ),
    (
        "leave compatibility_level out or change it through ConfigService",
        "leave --level out or change it with `schema-registry config set`",
    ),
    ("the field 'metadata' of orders", "the field 'metadata' of orders"),
    (
        SubjectNotFound("orders", deleted=2).message,
        "subject 'orders' not found; it has softly deleted versions (2): `schema-registry versions SUBJECT --deleted` lists "
        "them, `schema-registry undelete SUBJECT@VERSION` brings one back",
    ),
    (
        SchemaNotFound("orders", no_id=True).message,
        "schema 'orders' not found: that is no schema id, which is a UUID; by its subject a schema is read with "
        "`schema-registry get SUBJECT[@VERSION]`, and data is validated with `schema-registry validate SUBJECT[@VERSION]`",
    ),
]


@pytest.mark.parametrize(("message", "words"), MESSAGES)
def test_messages_speak_the_words_of_the_command_line(message: str, words: str) -> None:
    assert spoken(message) == words


def test_register_reads_the_standard_input(cli: Cli, fake: FakeRegistry) -> None:
    fake.script("RegisterSchema", answers(pb.RegisterSchemaResponse(version="1.0.0")))

    assert cli("register", "s", "-", "-t", "json", "--no-activate", stdin=b"{}\n").code == 0
    request = fake.calls["RegisterSchema"][0].request
    assert request.schema_content == b"{}\n"
    assert request.auto_activate is False
    assert request.HasField("auto_activate")


def test_an_incompatible_registration_says_no_and_why(cli: Cli, fake: FakeRegistry) -> None:
    fake.script(
        "RegisterSchema",
        fails(Code.FAILED_PRECONDITION, "too bad", reason="INCOMPATIBLE_SCHEMA", details=(incompatible(),)),
    )

    ran = cli("register", "s", "-", "-t", "json", stdin=b"{}")
    assert ran.code == Exit.NEGATIVE
    assert ran.out == ""
    assert "error: the schema cannot be the next version of the subject" in ran.err
    assert "error: TYPE_NARROWED at /properties/a (backward, against 1.0.0)" in ran.err
    assert 'for example: {"a": ""}' in ran.err
    assert "request id: req-1" in ran.err


def test_an_invalid_schema_says_where(cli: Cli, fake: FakeRegistry) -> None:
    report = pb.SchemaValidationReport()
    report.issues.add(rule="R", message="no such type", pointer="/type", line=3, column=4)
    fake.script("RegisterSchema", fails(Code.INVALID_ARGUMENT, reason="INVALID_SCHEMA", details=(report,)))

    ran = cli("register", "s", "-", "-t", "json", stdin=b"{}")
    assert ran.code == Exit.NEGATIVE
    assert "line 3, column 4: /type: no such type [R]" in ran.err


def misspelled() -> pb.SchemaIssue:
    return pb.SchemaIssue(
        rule="json/misspelled-keyword",
        message="'x' is meant?",
        pointer="/y",
        severity=pb.SEVERITY_WARNING,
        hint="Correct the spelling.",
    )


def test_a_registration_shows_its_warnings(cli: Cli, fake: FakeRegistry) -> None:
    answer = pb.RegisterSchemaResponse(
        schema_id=ID,
        subject="s",
        version="1.0.0",
        created=True,
        warnings=[misspelled()],
        warnings_truncated=True,
    )
    fake.script("RegisterSchema", answers(answer), answers(answer))

    ran = cli("register", "s", "-", "-t", "json", stdin=b"{}")
    assert ran.code == 0
    assert "warning: /y: 'x' is meant? [json/misspelled-keyword]" in ran.out.splitlines()
    assert ran.out.splitlines()[-1] == "there are more warnings; `schema-registry lint` shows them"
    (warning,) = cli("register", "s", "-", "-t", "json", "-o", "json", stdin=b"{}").json["warnings"]
    assert (warning["rule"], warning["hint"]) == ("json/misspelled-keyword", "Correct the spelling.")


def test_what_the_lint_policy_refuses_is_shown_with_the_way_out(cli: Cli, fake: FakeRegistry) -> None:
    report = pb.SchemaValidationReport(valid=True, issues=[misspelled()])
    metadata = {"subject": "s", "lint": "REFUSE_WARNINGS", "findings": "3"}
    fake.script(
        "RegisterSchema",
        fails(Code.FAILED_PRECONDITION, reason="LINT_REFUSED", details=(report,), metadata=metadata),
    )

    ran = cli("register", "s", "-", "-t", "json", stdin=b"{}")
    assert ran.code == Exit.NEGATIVE
    assert ran.err.splitlines()[:5] == [
        "error: `lint` of subject 's' is REFUSE_WARNINGS",
        "  warning: /y: 'x' is meant? [json/misspelled-keyword]",
        "    Correct the spelling.",
        "  and 2 more; `schema-registry lint` shows them all",
        "hint: `schema-registry config set s --lint warn` lets it in",
    ]


def test_the_lint_policy_is_a_setting(cli: Cli, fake: FakeRegistry) -> None:
    fake.script("SetConfig", answers(config_pb2.SetConfigResponse()))

    assert cli("config", "set", "s", "--lint", "refuse_errors").code == 0
    sent = fake.calls["SetConfig"][0].request
    assert sent.config == config_pb2.Config(lint=config_pb2.LINT_POLICY_REFUSE_ERRORS)


def test_check_answers_with_its_exit_code(cli: Cli, fake: FakeRegistry) -> None:
    fake.script("CheckCompatibility", answers(COMPATIBLE), answers(incompatible()))

    yes = cli("check", "orders", "-", stdin=b"{}")
    assert (yes.code, yes.out.splitlines()[0]) == (0, "compatible at level BACKWARD, compared with 1.0.0")
    no = cli("check", "orders", "-", "--against", "1", "--output", "json", stdin=b"{}")
    assert no.code == Exit.NEGATIVE
    assert no.json["violations"][0]["witness"] == '{"a": ""}'
    assert fake.calls["CheckCompatibility"][1].request.compare_version == "1"


async def validates(requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
    async for request in requests:
        report = pb.ValidationReport(valid=b"bad" not in request.data, schema_id=request.schema_id)
        if not report.valid:
            report.errors.add(path="/a", message="is bad", error_type="type")
        yield report


def test_validate_judges_each_file(cli: Cli, fake: FakeRegistry, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text("{}")
    bad.write_text('{"a": "bad"}')
    fake.script("GetSchemaByVersion", found())
    fake.script("BatchValidate", validates)

    ran = cli("validate", "orders@^1", str(good), str(bad), "--strict")
    assert ran.code == Exit.NEGATIVE
    assert ran.out.splitlines() == [f"{good}: valid", f"{bad}: invalid", "  /a: is bad [type]"]
    assert fake.calls["GetSchemaByVersion"][0].request.version == "^1"
    assert all(request.strict for request in fake.calls["BatchValidate"][0].requests)


def test_validate_takes_lines_from_the_standard_input(cli: Cli, fake: FakeRegistry) -> None:
    fake.script("BatchValidate", validates)

    ran = cli("validate", ID, "--lines", "-o", "json", stdin=b"1\n\n2\nbad\n")
    assert ran.code == Exit.NEGATIVE
    rows = [json.loads(line) for line in ran.out.splitlines()]
    assert [(row["source"], row["report"]["valid"]) for row in rows] == [
        ("-:1", True),
        ("-:3", True),
        ("-:4", False),
    ]


def test_validate_schema(cli: Cli, fake: FakeRegistry) -> None:
    report = pb.SchemaValidationReport(valid=False, errors=["no"])
    fake.script("ValidateSchema", answers(pb.SchemaValidationReport(valid=True)), answers(report))

    assert cli("validate-schema", "-", "-t", "json", stdin=b"{}").code == 0
    ran = cli("validate-schema", "-", "-t", "json", stdin=b"{")
    assert (ran.code, ran.out) == (Exit.NEGATIVE, "-: invalid\n  no\n")


def test_get_shows_what_is_known_and_the_content(cli: Cli, fake: FakeRegistry) -> None:
    fake.script("GetSchemaByVersion", found(tags=["a", "b"], metadata={"owner": "shop"}))

    ran = cli("get", "orders")
    assert ran.code == 0
    for text in ("1.1.0 (2)", ID, "owner=shop", "a, b", '  "type": "object"'):
        assert text in ran.out


def test_get_raw_is_byte_for_byte(cli: Cli, fake: FakeRegistry) -> None:
    fake.script("GetSchema", answers(pb.GetSchemaResponse(schema=info(schema_content=b'{ "a":1 }'))))

    assert cli("get", ID, "--raw").out == '{ "a":1 }'


def test_json_and_yaml_are_complete_and_the_same(cli: Cli, fake: FakeRegistry) -> None:
    fake.script("GetSchemaByVersion", answers(filled(described("GetSchemaByVersion"))))

    as_json = cli("get", "orders", "-o", "json").json
    assert yaml.safe_load(cli("get", "orders", "--output=yaml").out) == as_json
    assert set(as_json) >= {"id", "subject", "version", "content", "state", "fingerprints", "references"}
    assert as_json["state"] == "DRAFT"
    assert as_json["created_at"] == "1970-01-01T00:00:01Z"


def test_what_is_no_text_is_base64(cli: Cli, fake: FakeRegistry) -> None:
    fake.script("GetSchemaByVersion", found(schema_content=b"\xff\x00"))

    assert cli("get", "orders", "-o", "json").json["content"] == {"base64": "/wA="}


def test_list_shows_subjects_or_versions(cli: Cli, fake: FakeRegistry) -> None:
    fake.script("ListSubjects", answers(pb.ListSubjectsResponse(subjects=["a", "b"], total_count=2)))
    fake.script("ListSchemas", answers(info(), info(subject="other")))

    assert cli("list", "a").out == "a\nb\n"
    assert cli("list", "-o", "json").json == ["a", "b"]
    table = cli("list", "--type", "json", "--state", "active").out
    assert [line.split()[0] for line in table.splitlines()] == ["SUBJECT", "orders", "other"]
    assert fake.calls["ListSchemas"][0].request.state == pb.SCHEMA_STATE_ACTIVE


@pytest.mark.parametrize("columns", ["60", "200"])
def test_lines_of_a_table_end_with_what_they_say(
    columns: str, cli: Cli, fake: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    response = pb.GetSubjectVersionsResponse(subject="orders")
    for version in ("1.0.0", "1.0.0-a-long-one"):
        response.versions.add(version=version, schema_id=ID, ordinal=1, created_at=Timestamp(seconds=1))
    fake.script("GetSubjectVersions", answers(response))
    lines = cli("versions", "orders").out.split("\n")

    assert lines[-1] == ""
    assert any(ID in line for line in lines)
    assert [line for line in lines if line != line.rstrip()] == []


def test_versions_fit_eighty_columns(cli: Cli, fake: FakeRegistry) -> None:
    response = pb.GetSubjectVersionsResponse(subject="orders")
    response.versions.add(
        version="10.20.30",
        schema_id=ID,
        state=pb.SCHEMA_STATE_DEPRECATED,
        ordinal=12,
        created_at=Timestamp(seconds=1),
    )
    response.versions.add(
        version="11.0.0",
        schema_id=ID,
        ordinal=13,
        created_at=Timestamp(seconds=1),
        deleted_at=Timestamp(seconds=2),
    )
    fake.script("GetSubjectVersions", answers(response))

    lines = cli("versions", "orders").out.splitlines()
    assert len(lines) == 3
    assert max(len(line.rstrip()) for line in lines) <= 80
    assert lines[1].split() == ["12", "10.20.30", "DEPRECATED", "1970-01-01", ID]
    assert "DELETED" in lines[2]


def test_long_names_are_folded_never_cut(cli: Cli, fake: FakeRegistry) -> None:
    name = "a" * 200
    fake.script(
        "SearchSchemas", answers(pb.SearchSchemasResponse(schemas=[info(subject=name)], total_count=9))
    )

    ran = cli("search", "x", "--latest", "--meta", "k=v", "--order", "name")
    assert fake.calls["SearchSchemas"][0].request.order_by == pb.SEARCH_ORDER_NAME
    assert "".join(line.split()[0] for line in ran.out.splitlines()[1:]).count("a") == 200
    assert max(len(line.rstrip()) for line in ran.out.splitlines()) <= 80
    assert "1 of 9; --limit shows more" in ran.err


def test_a_search_that_finds_nothing_says_what_may_be_meant(cli: Cli, fake: FakeRegistry) -> None:
    fake.script("SearchSchemas", answers(pb.SearchSchemasResponse(did_you_mean="customer order")))

    assert "did you mean 'customer order'?" in cli("search", "custmer order").err


def test_deps(cli: Cli, fake: FakeRegistry) -> None:
    dependency = pb.DependenciesResponse()
    dependency.dependencies.add(
        subject="money", version="1.0.0", name="m", dependency_type="reference", depth=1
    )
    fake.script("GetSchemaByVersion", found())
    fake.script("GetDependencies", answers(dependency))
    fake.script("GetDependents", answers(pb.DependenciesResponse()))

    assert cli("deps", "orders").out.splitlines()[1].split() == ["1", "money", "1.0.0", "m", "reference"]
    assert cli("deps", "orders", "--dependents", "-a", "-o", "json").json == []
    assert fake.calls["GetDependents"][0].request.transitive


def test_diff_shows_the_difference_and_the_verdict(cli: Cli, fake: FakeRegistry) -> None:
    fake.script(
        "GetSchemaByVersion", found(), found(version="1.0.0", ordinal=1, schema_content=b'{"type":"string"}')
    )
    fake.script("CheckCompatibility", answers(incompatible()))
    fake.script("DiffSchemas", answers(CHANGED))

    ran = cli("diff", "orders")
    assert ran.code == 0
    assert ran.out.splitlines()[:2] == ["--- orders 1.0.0", "+++ orders 1.1.0"]
    assert '-  "type": "string"' in ran.out
    assert '+  "type": "object"' in ran.out
    assert "< a is narrower" in ran.out
    assert "incompatible at level FULL" in ran.out
    assert [c.request.version for c in fake.calls["GetSchemaByVersion"]] == ["latest", "1"]
    check = fake.calls["CheckCompatibility"][0].request
    assert (check.new_schema, check.compare_version) == (b'{"type":"object"}', "1")


def test_diff_with_a_file_can_gate_a_pipeline(cli: Cli, fake: FakeRegistry, tmp_path: Path) -> None:
    file = tmp_path / "order.json"
    file.write_text("true")
    fake.script("GetSchemaByVersion", found())
    fake.script("CheckCompatibility", answers(incompatible()))
    fake.script("DiffSchemas", answers(CHANGED))

    ran = cli("diff", "orders", "--file", str(file), "--exit-code", "-o", "json")
    assert ran.code == Exit.NEGATIVE
    assert ran.json["new"] == str(file)
    assert "+true" in ran.json["lines"]
    assert ran.json["diff"]["differences"][0]["kind"] == "NARROWED"


def test_diff_of_a_first_version_explains(cli: Cli, fake: FakeRegistry) -> None:
    fake.script("GetSchemaByVersion", found(version="1.0.0", ordinal=1))

    ran = cli("diff", "orders")
    assert ran.code == Exit.USAGE
    assert "nothing before it" in ran.err


def test_convert(cli: Cli, fake: FakeRegistry) -> None:
    converted = tools_pb2.ConvertSchemaResponse(schema_content=b'"int"', schema_type=pb.SCHEMA_TYPE_AVRO)
    converted.losses.add(kind=tools_pb2.ConversionLoss.KIND_DROPPED, path="/title", message="no place for it")
    fake.script("GetSchemaByVersion", found())
    fake.script("ConvertSchema", answers(converted))

    assert cli("convert", "orders", "avro").out == '"int"\nlost: dropped /title: no place for it\n'
    assert cli("convert", "orders", "avro", "--raw").out == '"int"'
    assert fake.calls["ConvertSchema"][0].request.source.schema_id == ID


def test_state_update_and_history(cli: Cli, fake: FakeRegistry) -> None:
    fake.script("GetSchemaByVersion", found())
    fake.script("UpdateSchemaMetadata", answers(pb.UpdateSchemaMetadataResponse(schema=info(state=3))))
    past = lifecycle_pb2.GetSchemaHistoryResponse()
    past.transitions.add(
        to_state=pb.SCHEMA_STATE_ACTIVE, actor="me", trigger="activate", at=Timestamp(seconds=1)
    )
    fake.script("GetSchemaHistory", answers(past))

    assert cli("state", "orders@1", "deprecated", "--reason", "old").out == "orders 1.1.0 is DEPRECATED\n"
    assert cli("update", "orders", "--clear-tags", "--meta", "a=b").code == 0
    first, second = (call.request for call in fake.calls["UpdateSchemaMetadata"])
    assert (first.state, first.reason) == (pb.SCHEMA_STATE_DEPRECATED, "old")
    assert (second.clear_tags, dict(second.metadata), second.HasField("description")) == (
        True,
        {"a": "b"},
        False,
    )
    assert "ACTIVE" in cli("history", ID).out


def test_delete_takes_a_version_softly_without_asking(cli: Cli, fake: FakeRegistry) -> None:
    fake.script("GetSchemaByVersion", found())
    fake.script("DeleteSchema", answers(Empty()))

    fake.script("GetDependents", answers(pb.DependenciesResponse()))
    assert cli("delete", "orders@1.1.0").out == "deleted orders@1.1.0\n"
    assert fake.calls["DeleteSchema"][0].request.soft_delete


def test_deleting_much_or_for_ever_needs_a_yes(cli: Cli, fake: FakeRegistry) -> None:
    fake.script("DeleteSubject", answers(lifecycle_pb2.DeleteSubjectResponse(versions=["1.0.0"])))
    fake.script("GetSubjectVersions", answers(pb.GetSubjectVersionsResponse()))

    assert cli("delete", "orders").code == Exit.USAGE
    assert cli("delete", f"{ID}", "--permanent").code == Exit.USAGE
    assert not fake.calls["DeleteSubject"]
    assert cli("delete", "orders", "--yes").out == "deleted orders: 1.0.0\n"


def test_undelete_finds_versions_that_are_gone(cli: Cli, fake: FakeRegistry) -> None:
    response = pb.GetSubjectVersionsResponse()
    response.versions.add(version="1.0.0", ordinal=1, schema_id=ID)
    fake.script("GetSubjectVersions", answers(response))
    fake.script("UndeleteSchema", answers(lifecycle_pb2.UndeleteSchemaResponse(schema=info(version="1.0.0"))))

    gone = info(version="1.0.0", deleted_at=Timestamp(seconds=1))
    fake.script("GetSchema", answers(pb.GetSchemaResponse(schema=gone)))
    assert cli("undelete", "orders@1").out == "undeleted orders 1.0.0 (ACTIVE)\n"
    assert fake.calls["GetSubjectVersions"][0].request.include_deleted
    missing = cli("undelete", "orders@7")
    assert missing.code == Exit.NOT_FOUND
    assert "there are 1 (1.0.0)" in missing.err
    assert cli("undelete", "orders").out == "no version of orders was deleted\n"


def test_undelete_of_a_live_version_says_that_it_was_not_deleted(cli: Cli, fake: FakeRegistry) -> None:
    fake.script("GetSchema", answers(pb.GetSchemaResponse(schema=info(version="1.0.0"))))
    assert cli("undelete", ID).out == "orders 1.0.0 was not deleted (ACTIVE)\n"
    assert not fake.calls["UndeleteSchema"]


def test_undelete_of_a_subject_brings_all_its_versions_back(cli: Cli, fake: FakeRegistry) -> None:
    response = pb.GetSubjectVersionsResponse()
    response.versions.add(version="1.0.0", ordinal=1, schema_id="a", deleted_at=Timestamp(seconds=1))
    response.versions.add(version="1.1.0", ordinal=2, schema_id="b")
    response.versions.add(version="1.2.0", ordinal=3, schema_id="c", deleted_at=Timestamp(seconds=1))
    fake.script("GetSubjectVersions", answers(response))
    fake.script(
        "UndeleteSchema",
        *(answers(lifecycle_pb2.UndeleteSchemaResponse(schema=info(version=v))) for v in ("1.0.0", "1.2.0")),
    )
    assert cli("undelete", "orders").out == "undeleted orders: 1.0.0, 1.2.0\n"
    assert [call.request.schema_id for call in fake.calls["UndeleteSchema"]] == ["a", "c"]


def test_deleting_what_is_used_names_its_users(cli: Cli, fake: FakeRegistry) -> None:
    used = pb.DependenciesResponse()
    used.dependencies.add(subject="carts", version="2.0.0", schema_id="x", depth=1)
    fake.script("GetSchemaByVersion", answers(pb.GetSchemaResponse(schema=info(version="1.1.0"))))
    fake.script("GetDependents", answers(used))
    fake.script("DeleteSchema", answers(Empty()))
    ran = cli("delete", "orders@1.1.0")
    assert ran.code == 0
    assert "warning: carts 2.0.0 still refers to it" in ran.err
    assert "undelete orders@1.1.0" in ran.err


def test_deleting_a_subject_looks_for_the_users_of_all_its_versions(cli: Cli, fake: FakeRegistry) -> None:
    listed = pb.GetSubjectVersionsResponse(subject="orders")
    for number in range(150):
        listed.versions.add(schema_id=f"id-{number}", version=f"1.{number}.0", ordinal=number + 1)
    fake.script("GetSubjectVersions", answers(listed))
    used = pb.DependenciesResponse()
    used.dependencies.add(subject="carts", version="2.0.0", schema_id="x", depth=1)
    none = answers(pb.DependenciesResponse())
    fake.script("GetDependents", *[none] * 149, answers(used))
    fake.script("DeleteSubject", answers(lifecycle_pb2.DeleteSubjectResponse(versions=["1.0.0"])))

    ran = cli("delete", "orders", "--yes")

    assert "warning: carts 2.0.0 still refers to it" in ran.err
    assert len(fake.calls["GetDependents"]) == 150


@pytest.mark.parametrize("terminal", [True, False])
def test_deleting_without_anybody_to_ask_tells_how(
    terminal: bool, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llm_schema_registry.cli.output._Console.is_terminal", terminal)
    ran = cli("delete", "orders")

    assert ran.code == 2
    assert "needs --yes when nobody can be asked" in ran.err


def test_the_settings_of_an_unknown_subject_are_told_as_such(cli: Cli, fake: FakeRegistry) -> None:
    fake.script("GetConfig", answers(config_pb2.GetConfigResponse()))
    fake.script("ListVersions", fails(Code.NOT_FOUND, reason="SUBJECT_NOT_FOUND"))
    ran = cli("config", "get", "orders")
    assert (ran.code, "'orders' has no versions" in ran.err) == (0, True)


def test_a_reference_that_was_not_given_points_to_the_option(
    cli: Cli, fake: FakeRegistry, tmp_path: Path
) -> None:
    file = tmp_path / "order.json"
    file.write_text("{}")
    report = pb.SchemaValidationReport()
    report.issues.add(rule="json/reference", message="not among the references")
    fake.script(
        "RegisterSchema",
        fails(Code.INVALID_ARGUMENT, reason="INVALID_SCHEMA", details=(report,)),
    )
    assert "--reference NAME=SUBJECT" in cli("register", "orders", str(file)).err


def test_watch_writes_a_line_a_change_and_stops_after_the_count(cli: Cli, fake: FakeRegistry) -> None:
    event = pb.SchemaChangeEvent(
        event_type=pb.EVENT_TYPE_SCHEMA_REGISTERED,
        subject="orders",
        version="1.0.0",
        revision="r.1",
        changed_by="me",
        timestamp=Timestamp(seconds=1),
    )
    fake.script("StreamSchemaChanges", answers(event, event))

    line = "1970-01-01 00:00:01 schema_registered orders 1.0.0 by me [r.1]\n"
    assert cli("watch", "o*", "-e", "schema_registered", "--from", "earliest", "-n", "2").out == line * 2
    request = fake.calls["StreamSchemaChanges"][0].request
    assert (list(request.subjects), list(request.event_types), request.from_revision) == (
        ["o*"],
        [1],
        "earliest",
    )
    assert json.loads(cli("watch", "-n", "1", "-o", "json").out)["revision"] == "r.1"


def test_config(cli: Cli, fake: FakeRegistry) -> None:
    level = config_pb2.Config(compatibility_level=pb.COMPATIBILITY_LEVEL_FULL)
    sources = {"compatibility_level": "subject:orders"}
    fake.script("GetConfig", answers(config_pb2.GetConfigResponse(effective=level, sources=sources)))
    fake.script("SetConfig", answers(config_pb2.SetConfigResponse(config=level, effective=level)))
    fake.script("DeleteConfig", answers(Empty()))
    fake.script("ListVersions", answers(pb.ListVersionsResponse(versions=["1.0.0"])))

    assert ["compatibility_level", "FULL", "subject:orders"] in [
        line.split() for line in cli("config", "get", "orders").out.splitlines()
    ]
    assert cli("config", "set", "orders", "-l", "full-transitive", "--no-apply-defaults").code == 0
    config = fake.calls["SetConfig"][0].request.config
    assert config.compatibility_level == pb.COMPATIBILITY_LEVEL_FULL_TRANSITIVE
    assert config.HasField("apply_defaults")
    assert not config.apply_defaults
    assert cli("config", "set", "orders").code == Exit.USAGE
    assert cli("config", "unset", "--context", ".x").out == "removed the settings of context .x\n"


def test_health(cli: Cli, fake: FakeRegistry) -> None:
    healthy = pb.HealthCheckResponse(status=pb.HealthCheckResponse.STATUS_HEALTHY, version="0.1.0")
    healthy.components["storage"].status = pb.ComponentHealth.STATUS_UP
    unhealthy = pb.HealthCheckResponse(status=pb.HealthCheckResponse.STATUS_UNHEALTHY)
    fake.script("HealthCheck", answers(healthy), answers(unhealthy))

    assert [line.split() for line in cli("health").out.splitlines()] == [
        ["server", "HEALTHY", "(version", "0.1.0)"],
        ["storage", "UP"],
    ]
    assert cli("health").code == Exit.UNAVAILABLE


@pytest.mark.parametrize("code", list(Code))
def test_every_failure_has_its_exit_code(code: Code, cli: Cli, fake: FakeRegistry) -> None:
    violation = FieldViolation("subject", "is odd")
    fake.script("HealthCheck", fails(code, "why", violations=(violation,)))

    ran = cli("health")
    assert ran.code == BY_CODE[code] != 0
    assert "why" in ran.err
    assert "Traceback" not in ran.err
    assert ran.out == ""


def test_failures_are_json_for_programs(cli: Cli, fake: FakeRegistry) -> None:
    fake.script(
        "GetSchema", fails(Code.NOT_FOUND, "gone", reason="SCHEMA_NOT_FOUND", metadata={"schema_id": ID})
    )

    ran = cli("get", ID, "-o", "json")
    assert ran.code == Exit.NOT_FOUND
    error = json.loads(ran.err)["error"]
    assert (error["reason"], error["metadata"], error["request_id"]) == (
        "SCHEMA_NOT_FOUND",
        {"schema_id": ID},
        "req-1",
    )


def test_nobody_there_names_the_way_out(cli: Cli) -> None:
    ran = cli("--server", "localhost:1", "health")
    assert ran.code == Exit.UNAVAILABLE
    assert "cannot reach the registry at localhost:1" in ran.err
    assert "SCHEMA_REGISTRY_SERVER" in ran.err


def test_the_token_comes_from_the_variable(
    cli: Cli, fake: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCHEMA_REGISTRY_TOKEN", "t0k")
    fake.script("HealthCheck", fails(Code.UNAUTHENTICATED, reason="UNAUTHENTICATED"))

    ran = cli("health")
    assert ran.code == Exit.DENIED
    assert "SCHEMA_REGISTRY_TOKEN" in ran.err
    assert fake.calls["HealthCheck"][0].headers["authorization"] == "Bearer t0k"


def test_control_characters_of_others_do_not_reach_the_terminal(cli: Cli, fake: FakeRegistry) -> None:
    fake.script("ListSubjects", answers(pb.ListSubjectsResponse(subjects=["evil\x1b[2Jname\x07"])))

    assert "\x1b" not in cli("list").out


def test_markup_of_others_is_shown_as_it_is(cli: Cli, fake: FakeRegistry) -> None:
    fake.script("ListSubjects", answers(pb.ListSubjectsResponse(subjects=["[bold]x[/bold] :smile:"])))

    assert cli("list").out == "[bold]x[/bold] :smile:\n"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["nonsense"], Exit.USAGE),
        (["get"], Exit.USAGE),
        (["check", "s", "no-such-file.json"], Exit.NOT_FOUND),
        (["register", "s", "-", "-t", "klingon"], Exit.USAGE),
        (["register", "s", "-"], Exit.USAGE),
        (["register", "s", "-", "-t", "json", "-r", "broken"], Exit.USAGE),
        (["register", "s", "-", "-t", "json", "--meta", "broken"], Exit.USAGE),
        (["list", "-o", "xml"], Exit.USAGE),
        (["import", "no-such-folder"], Exit.USAGE),
        (["--timeout", "0", "list"], Exit.USAGE),
        (["--help"], Exit.OK),
        (["--version"], Exit.OK),
    ],
)
def test_usage(arguments: list[str], code: Exit, cli: Cli) -> None:
    ran = cli(*arguments)
    assert ran.code == code
    assert "Traceback" not in ran.err


def test_the_help_lists_every_exit_code(cli: Cli) -> None:
    shown = " ".join(cli("--help").out.split())
    for code, meaning in MEANINGS.items():
        assert f"{code.value} {meaning}" in shown


def commands(group: Any, *before: str) -> Iterator[list[str]]:
    """All commands, with those of groups."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, *before, name)
        else:
            yield [*before, name]


@pytest.mark.parametrize("command", list(commands(typer.main.get_command(app))), ids=" ".join)
def test_every_command_teaches_with_an_example(command: list[str], cli: Cli) -> None:
    shown = cli(*command, "--help").out
    assert "Example" in shown
    assert (
        f"schema-registry {'--server registry:9090 ' if command == ['health'] else ''}{' '.join(command)}"
        in shown
    )


def test_a_fault_of_the_program_is_one_line_and_exit_code_six() -> None:
    code = "from llm_schema_registry.cli import app; app.run = lambda arguments: 1 / 0; app.main()"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == Exit.INTERNAL
    assert "ZeroDivisionError" in ran.stderr
    assert "Traceback" not in ran.stderr


def completed(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], words: str) -> list[str]:
    """What bash is offered for the last of the words."""
    monkeypatch.setenv("_SCHEMA_REGISTRY_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - (not words.endswith(" "))))
    capfd.readouterr()
    with pytest.raises(SystemExit):
        run(words.split()[1:])
    return capfd.readouterr().out.split()


def test_subjects_are_completed_from_the_registry(
    cli: Cli, fake: FakeRegistry, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    fake.script("ListSubjects", answers(pb.ListSubjectsResponse(subjects=["orders", "orders.v2"])))

    monkeypatch.setenv("SCHEMA_REGISTRY_SERVER", fake.target)
    assert completed(monkeypatch, capfd, "schema-registry get ord") == ["orders", "orders.v2"]
    assert fake.calls["ListSubjects"][0].request.prefix == "ord"
    monkeypatch.setenv("SCHEMA_REGISTRY_SERVER", "localhost:1")
    assert completed(monkeypatch, capfd, "schema-registry get ord") == []


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("check --level backward", ["backward", "backward_transitive"]),
        ("register --type ", ["json", "avro", "protobuf"]),
        ("config set --writer-model d", ["declared_keys"]),
        ("state orders dep", ["deprecated"]),
        ("watch --event schema_r", ["schema_registered", "schema_rolled_back"]),
        ("lint --disable avro/al", ["avro/alias-of-itself"]),
    ],
)
def test_names_are_completed(
    words: str,
    offered: list[str],
    cli: Cli,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert completed(monkeypatch, capfd, f"schema-registry {words}") == offered


def test_the_shell_completes_commands(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_SCHEMA_REGISTRY_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "schema-registry val")
    monkeypatch.setenv("COMP_CWORD", "1")
    code = "from llm_schema_registry.cli import main; main()"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.stdout.split() == ["validate", "validate-schema"]


def test_completion_does_not_wait_for_a_server_that_says_nothing(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("SCHEMA_REGISTRY_SERVER", f"127.0.0.1:{silent.getsockname()[1]}")
        assert completed(monkeypatch, capfd, "schema-registry get ord") == []
    assert options.COMPLETION_SECONDS == 0.3


def test_a_refused_protobuf_schema_comes_with_a_way_out(cli: Cli, fake: FakeRegistry, tmp_path: Path) -> None:
    file = tmp_path / "order.proto"
    file.write_text('syntax = "proto3";')
    report = pb.CompatibilityReport(verdict=pb.VERDICT_NO, level=pb.COMPATIBILITY_LEVEL_BACKWARD)
    for path in ("A.b", "A.c"):
        report.violations.add(rule="FIELD_WIRE_COMPATIBLE_TYPE", path=path, severity=pb.SEVERITY_ERROR)
    report.remedies.add(kind="EDIT", message="a number that was never used")
    fake.script("CheckCompatibility", answers(report))
    said = cli("check", "orders", str(file)).out
    assert said.count("way out: a number that was never used") == 1
    assert "docs/protobuf.md" in said
