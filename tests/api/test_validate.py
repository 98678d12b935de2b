"""ValidateData, ValidateSchema, BatchValidate: the answer, where the fault is, one answer per question in order."""

from __future__ import annotations

import io
import json
import queue
from collections.abc import Callable, Iterator
from typing import Any

import fastavro
import pytest
from google.protobuf import json_format

from llm_schema_registry.v1 import schema_registry_pb2 as pb

from .helpers import (
    AVRO,
    AVRO_V1,
    FIRST,
    JSON,
    PROTO_V1,
    PROTOBUF,
    V1,
    V2_COMPATIBLE,
    closed,
    delete,
    refused,
    register,
    versions,
)
from .server import ServerProcess
from .wires import GrpcWire, Wire

Name = Callable[[str], str]
GOOD = b'{"a": "x"}'
BAD = b'{"a": 1}'
TYPES = [JSON, AVRO, PROTOBUF]


def data(schema_id: str, content: bytes, **fields: Any) -> pb.ValidateDataRequest:
    return pb.ValidateDataRequest(schema_id=schema_id, data=content, **fields)


@pytest.mark.parametrize("schema_type", TYPES)
def test_good_data_is_valid_and_bad_data_is_told_where(wire: Wire, name: Name, schema_type: Any) -> None:
    made = register(wire, name("s"), FIRST[schema_type], schema_type)
    good = wire.call("ValidateData", data(made.schema_id, GOOD))
    bad = wire.call("ValidateData", data(made.schema_id, BAD))

    assert (good.valid, list(good.errors), good.schema_id) == (True, [], made.schema_id)
    assert (bad.valid, bad.errors[0].path) == (False, "/a")
    assert bad.errors[0].message
    assert bad.errors[0].error_type
    assert good.validation_time_ms >= 0


def test_avro_binary_is_read(wire: Wire, name: Name) -> None:
    made = register(wire, name("s"), AVRO_V1, AVRO)
    binary = io.BytesIO()
    fastavro.schemaless_writer(binary, json.loads(AVRO_V1), {"a": "hello"})
    good = wire.call(
        "ValidateData", data(made.schema_id, binary.getvalue(), encoding=pb.DATA_ENCODING_BINARY)
    )
    cut = wire.call(
        "ValidateData", data(made.schema_id, binary.getvalue()[:-1], encoding=pb.DATA_ENCODING_BINARY)
    )

    assert (good.valid, cut.valid) == (True, False)


def test_protobuf_binary_is_read(wire: Wire, name: Name) -> None:
    made = register(wire, name("s"), PROTO_V1, PROTOBUF)
    good = wire.call("ValidateData", data(made.schema_id, b"\x0a\x01x", encoding=pb.DATA_ENCODING_BINARY))
    cut = wire.call("ValidateData", data(made.schema_id, b"\x0a\x05x", encoding=pb.DATA_ENCODING_BINARY))

    assert (good.valid, cut.valid) == (True, False)


def test_strict_refuses_what_the_schema_does_not_declare(wire: Wire, name: Name) -> None:
    made = register(wire, name("s"), b'{"type": "object", "properties": {"a": {"type": "string"}}}')
    loose = wire.call("ValidateData", data(made.schema_id, b'{"a": "x", "b": 1}'))
    strict = wire.call("ValidateData", data(made.schema_id, b'{"a": "x", "b": 1}', strict=True))

    assert (loose.valid, strict.valid) == (True, False)


@pytest.mark.parametrize("schema_type", TYPES)
@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b'{"a": "x"', b"[" * 100_000, b"nul"])
def test_what_is_no_document_is_invalid_data_not_a_failure(
    wire: Wire, name: Name, schema_type: Any, content: bytes
) -> None:
    made = register(wire, name("s"), FIRST[schema_type], schema_type)
    report = wire.call("ValidateData", data(made.schema_id, content, encoding=pb.DATA_ENCODING_JSON))

    assert not report.valid
    assert report.errors[0].message


def test_errors_are_cut_at_the_number_asked_for(wire: Wire, name: Name) -> None:
    made = register(wire, name("s"), b'{"items": {"type": "string"}}')
    report = wire.call("ValidateData", data(made.schema_id, json.dumps([1] * 50).encode(), max_errors=3))

    assert (len(report.errors), report.truncated) == (3, True)


def test_data_for_an_unknown_schema_is_refused(wire: Wire) -> None:
    refused(wire, "ValidateData", data("nobody", GOOD), "NOT_FOUND", "SCHEMA_NOT_FOUND")


@pytest.mark.parametrize("encoding", [77, -1])
def test_an_encoding_that_does_not_exist_is_refused(wire: Wire, name: Name, encoding: int) -> None:
    request = data(register(wire, name("s")).schema_id, GOOD, encoding=encoding)

    refused(wire, "ValidateData", request, "INVALID_ARGUMENT", "INVALID_REQUEST", "encoding")


@pytest.mark.parametrize("schema_type", TYPES)
def test_a_good_schema_is_valid_and_is_not_stored(wire: Wire, name: Name, schema_type: Any) -> None:
    request = pb.ValidateSchemaRequest(schema_content=FIRST[schema_type], schema_type=schema_type)
    report = wire.call("ValidateSchema", request)

    assert (report.valid, list(report.errors)) == (True, [])
    assert len(report.fingerprints.validation) == 64


@pytest.mark.parametrize(
    ("schema_type", "content"),
    [
        (JSON, b'{\n  "type": "strin"\n}'),
        (JSON, b'{"a": 1,\n "a": 2}'),
        (AVRO, b'{"type": "record", "name": "R", "fields": [{"name": "a"}]}'),
        (PROTOBUF, b'syntax = "proto3";\nmessage M {\n  strin a = 1;\n}'),
    ],
)
def test_a_bad_schema_is_invalid_with_the_place(wire: Wire, schema_type: Any, content: bytes) -> None:
    request = pb.ValidateSchemaRequest(schema_content=content, schema_type=schema_type)
    report = wire.call("ValidateSchema", request)

    assert not report.valid
    assert report.errors
    assert report.issues[0].rule
    assert report.issues[0].line or report.issues[0].pointer


def selected(subject: str, version: str, content: bytes = GOOD) -> pb.ValidateDataRequest:
    return pb.ValidateDataRequest(subject=subject, version=version, data=content)


@pytest.mark.parametrize(
    ("selector", "version"),
    [("latest", "1.1.0"), ("1", "1.0.0"), ("1.0.0", "1.0.0"), ("^1.0", "1.1.0"), ("~1.0", "1.0.0")],
)
def test_data_is_validated_under_the_version_that_a_selector_chooses(
    wire: Wire, name: Name, selector: str, version: str
) -> None:
    subject = name("s")
    made = [register(wire, subject, content) for content in (V1, V2_COMPATIBLE)]
    chosen = {m.version: m.schema_id for m in made}
    assert set(chosen) == {"1.0.0", "1.1.0"}

    report = wire.call("ValidateData", selected(subject, selector, b'{"a": "x", "b": 1}'))

    assert (report.subject, report.version, report.schema_id) == (subject, version, chosen[version])
    assert report.valid == (version == "1.1.0")


def test_a_report_says_which_version_an_id_stands_for(wire: Wire, name: Name) -> None:
    made = register(wire, name("s"))
    report = wire.call("ValidateData", data(made.schema_id, GOOD))

    assert (report.subject, report.version) == (name("s"), "1.0.0")


def test_the_latest_version_is_the_new_one_as_soon_as_it_is_registered(wire: Wire, name: Name) -> None:
    subject = name("s")
    old = register(wire, subject)
    assert wire.call("ValidateData", selected(subject, "latest")).schema_id == old.schema_id

    new = register(wire, subject, V2_COMPATIBLE)
    assert wire.call("ValidateData", selected(subject, "latest")).schema_id == new.schema_id
    delete(wire, new.schema_id)
    assert wire.call("ValidateData", selected(subject, "latest")).schema_id == old.schema_id


@pytest.mark.parametrize(
    ("subject", "version", "reason"),
    [
        ("nobody", "latest", "SUBJECT_NOT_FOUND"),
        ("s", "7", "VERSION_NOT_FOUND"),
        ("s", "newest", "INVALID_VERSION"),
    ],
)
def test_a_version_that_is_not_there_is_refused(
    wire: Wire, name: Name, subject: str, version: str, reason: str
) -> None:
    register(wire, name("s"))
    code = "INVALID_ARGUMENT" if reason == "INVALID_VERSION" else "NOT_FOUND"

    refused(wire, "ValidateData", selected(name(subject), version), code, reason)


@pytest.mark.parametrize(
    ("fields", "at_fault"),
    [
        ({}, "schema_id"),
        ({"schema_id": "x", "subject": "s"}, "schema_id"),
        ({"schema_id": "x", "version": "latest"}, "schema_id"),
        ({"version": "latest"}, "subject"),
    ],
)
def test_exactly_one_way_to_name_the_schema_is_taken(
    wire: Wire, fields: dict[str, str], at_fault: str
) -> None:
    request = pb.ValidateDataRequest(data=GOOD, **fields)
    reports = list(wire.batch("BatchValidate", [request]))

    assert reports[0].error.code == 3
    assert at_fault in reports[0].error.message


def test_a_batch_takes_ids_and_selectors_together(wire: Wire, name: Name) -> None:
    subject = name("s")
    made = register(wire, subject)
    requests = [data(made.schema_id, GOOD), selected(subject, "latest", BAD), selected(name("no"), "latest")]
    reports = list(wire.batch("BatchValidate", requests))

    assert [r.valid for r in reports] == [True, False, False]
    assert [r.subject for r in reports] == [subject, subject, name("no")]
    assert reports[1].schema_id == made.schema_id
    assert reports[2].errors[0].error_type == "SUBJECT_NOT_FOUND"


def test_a_batch_answers_in_order_and_survives_bad_items(wire: Wire, name: Name) -> None:
    made = register(wire, name("s"))
    requests = [
        data(made.schema_id, GOOD),
        data("nobody", GOOD),
        data(made.schema_id, BAD),
        data(made.schema_id, b"junk"),
        data(made.schema_id, GOOD),
    ]
    reports = list(wire.batch("BatchValidate", requests))

    assert [r.valid for r in reports] == [True, False, False, False, True]
    assert [r.index for r in reports] == [0, 1, 2, 3, 4]
    assert [bool(r.error.code) for r in reports] == [False, True, False, False, False]


def test_a_long_batch_keeps_order(wire: Wire, name: Name) -> None:
    made = register(wire, name("s"))
    requests = (data(made.schema_id, GOOD if n % 7 else BAD) for n in range(500))
    reports = list(wire.batch("BatchValidate", requests))

    assert [r.valid for r in reports] == [bool(n % 7) for n in range(500)]


def test_an_empty_batch_has_no_answers(wire: Wire) -> None:
    assert list(wire.batch("BatchValidate", [])) == []


def test_a_batch_answers_before_the_next_question_comes(engine: Any, name: Name, servers: Any) -> None:
    wire = servers.wire("native")
    made = register(wire, name("s"))
    questions: queue.Queue[pb.ValidateDataRequest | None] = queue.Queue()

    def asked() -> Iterator[pb.ValidateDataRequest]:
        while (question := questions.get()) is not None:
            yield question

    answers = wire.batch("BatchValidate", asked())
    for n in range(20):
        questions.put(data(made.schema_id, GOOD))
        assert next(answers).index == n
    questions.put(None)
    assert list(answers) == []


def test_validation_stores_nothing(wire: Wire, name: Name) -> None:
    made = register(wire, name("s"), closed(z={}))
    for content in (GOOD, BAD):
        wire.call("ValidateData", data(made.schema_id, content))

    assert versions(wire, name("s")) == ["1.0.0"]


def test_errors_come_as_text_for_asking_a_model_again(wire: Wire, name: Name) -> None:
    done = register(wire, name("s"))

    bad = wire.call("ValidateData", pb.ValidateDataRequest(schema_id=done.schema_id, data=b'{"a": 1}'))
    good = wire.call("ValidateData", pb.ValidateDataRequest(schema_id=done.schema_id, data=b'{"a": "x"}'))

    assert bad.text == f"/a: type: {bad.errors[0].message}"
    assert good.text == ""


def test_a_false_verdict_is_shown_by_tools_that_leave_out_defaults(wire: Wire, name: Name) -> None:
    schema_id = register(wire, name("s")).schema_id
    wrong = wire.call("ValidateData", pb.ValidateDataRequest(schema_id=schema_id, data=b"[]"))
    broken = wire.call(
        "ValidateSchema", pb.ValidateSchemaRequest(schema_type=pb.SCHEMA_TYPE_JSON, schema_content=b"{")
    )
    missing = next(wire.batch("BatchValidate", [pb.ValidateDataRequest(schema_id=schema_id[::-1])]))

    for report in (wrong, broken, missing):
        assert json_format.MessageToDict(report)["valid"] is False


BRANCHES = json.dumps(
    {"items": {"anyOf": [*[{"const": i} for i in range(900)], {"type": "string"}]}}
).encode()
DEAR = json.dumps(["x"] * 120_000).encode()
"""Each of its items is tried with 900 branches before the right one."""


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    """A server that gives up a validation soon."""
    server = ServerProcess(tmp_path_factory.mktemp("hasty"), WORKERS__VALIDATE_SECONDS="0.2")
    wire = GrpcWire("native", server.grpc)
    yield wire
    wire.close()
    assert server.stop() == 0
    assert server.events("call_crashed") == []


@pytest.mark.slow
def test_what_is_not_proved_cheap_is_validated_all_the_same(wire: Wire, name: Name) -> None:
    made = register(wire, name("s"), BRANCHES)
    good = wire.call("ValidateData", data(made.schema_id, json.dumps(["x"] * 2_000).encode()))
    bad = wire.call("ValidateData", data(made.schema_id, b"[1, null]", max_errors=1))
    large = wire.call("ValidateData", data(made.schema_id, json.dumps(["x" * 9] * 90_000).encode()))

    assert (good.valid, bad.valid, large.valid) == (True, False, True)
    assert [e.path for e in bad.errors] == ["/1"]


@pytest.mark.slow
def test_what_takes_too_long_is_refused_with_the_setting_and_a_batch_goes_on(hasty: Wire, name: Name) -> None:
    made = register(hasty, name("s"), BRANCHES)
    request = data(made.schema_id, DEAR)
    error = refused(hasty, "ValidateData", request, "RESOURCE_EXHAUSTED", "LIMIT_EXCEEDED")
    reports = list(
        hasty.batch(
            "BatchValidate", [data(made.schema_id, payload) for payload in (DEAR, b"1", DEAR, b'{"x":1}')]
        )
    )

    assert "workers.validate_seconds" in str(error)
    assert [r.valid for r in reports] == [False, True, False, True]
    assert [r.errors[0].error_type if r.errors else "" for r in reports] == [
        "LIMIT_EXCEEDED", "", "LIMIT_EXCEEDED", "",
    ]  # fmt: skip


def test_a_request_that_fits_no_schema_is_refused_wherever_it_is_validated(wire: Wire, name: Name) -> None:
    made = register(wire, name("s"), BRANCHES)
    payload = json.dumps(["x"] * 2_000).encode()
    for small in (payload, b"[]"):
        request = data(made.schema_id, small, encoding=pb.DATA_ENCODING_BINARY)
        refused(wire, "ValidateData", request, "INVALID_ARGUMENT", "INVALID_REQUEST", "encoding")
