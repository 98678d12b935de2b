"""AnswerService over every wire: documents judged while they arrive, requests to correct, corrections."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from llm_schema_registry.v1 import answers_pb2 as pb
from llm_schema_registry_server.errors import LimitExceeded
from llm_schema_registry_server.registry.answering import OpenBytes

from .helpers import AVRO, AVRO_V1, refused, register
from .server import ServerProcess
from .wires import GrpcWire, Wire

Name = Callable[[str], str]
TICKET = json.dumps(
    {
        "type": "object",
        "properties": {
            "category": {"enum": ["billing", "technical"]},
            "priority": {"type": "integer", "maximum": 5},
        },
        "required": ["category"],
    }
).encode()


@pytest.fixture
def ticket(wire: Wire, name: Name) -> str:
    return register(wire, name("ticket"), TICKET).schema_id


def part(document: str, chunk: bytes, **fields: Any) -> pb.ValidateStreamRequest:
    return pb.ValidateStreamRequest(document_id=document, chunk=chunk, **fields)


def test_documents_that_come_mixed_are_judged_each_by_itself(wire: Wire, name: Name, ticket: str) -> None:
    subject = name("ticket")
    answers = list(
        wire.batch(
            "ValidateStream",
            [
                part("a", b'{"category": "bil', schema_id=ticket),
                part("b", b'Sure: {"category": "te', subject=subject, prose=True),
                part("a", b"x"),
                part("b", b'chnical"} Bye', end=True),
                part("a", b'"}', end=True),
                part("b", b"{", schema_id=ticket, end=True),
                part("c", b'{"category": "billing"', schema_id=ticket),
                part("c", b"}"),
            ],
        )
    )

    assert [(a.document_id, a.status) for a in answers] == [
        ("a", pb.STREAM_STATUS_VIABLE),
        ("b", pb.STREAM_STATUS_VIABLE),
        ("a", pb.STREAM_STATUS_DEAD),
        ("b", pb.STREAM_STATUS_COMPLETE),
        ("a", pb.STREAM_STATUS_DEAD),
        ("b", pb.STREAM_STATUS_DEAD),
        ("c", pb.STREAM_STATUS_VIABLE),
        ("c", pb.STREAM_STATUS_COMPLETE),
    ]
    dead = answers[2].failure
    assert (dead.byte_offset, dead.pointer, dead.keyword) == (17, "/category", "enum")
    assert list(dead.allowed_next) == ['"billing"']
    assert answers[5].failure.keyword == "json/syntax"
    assert {a.schema_id for a in answers} == {ticket}
    assert {a.subject for a in answers} == {subject}
    assert [a.index for a in answers] == list(range(8))
    assert answers[1].received_bytes == 22


def test_each_answer_comes_before_the_next_chunk_is_sent(engine: ServerProcess, name: Name) -> None:
    wire = GrpcWire("one by one", engine.grpc)
    try:
        schema_id = register(wire, name("ticket"), TICKET).schema_id
        waiting: list[pb.ValidateStreamResponse] = []

        def requests() -> Iterator[pb.ValidateStreamRequest]:
            yield part("d", b"", schema_id=schema_id)
            for byte in b'{"category": 1':
                if waiting and waiting[-1].status == pb.STREAM_STATUS_DEAD:
                    return
                yield part("d", bytes([byte]))

        for answer in wire.batch("ValidateStream", requests()):
            waiting.append(answer)
            if answer.status == pb.STREAM_STATUS_DEAD:
                break

        assert waiting[-1].failure.byte_offset == 13
    finally:
        wire.close()


def test_a_bad_request_ends_its_document_and_no_other(wire: Wire, name: Name, ticket: str) -> None:
    avro = register(wire, name("avro"), AVRO_V1, AVRO).schema_id
    answers = list(
        wire.batch(
            "ValidateStream",
            [
                part("good", b"{", schema_id=ticket),
                part("nobody", b"{"),
                part("", b"{", schema_id=ticket),
                part("missing", b"{", schema_id="nobody"),
                part("avro", b"{", schema_id=avro),
                part("good", b"", schema_id=avro),
                part("good", b"{}", schema_id=ticket, end=True),
            ],
        )
    )

    told = [a.error.message for a in answers[1:6]]
    wanted = [
        "must not be empty",
        "document_id",
        "nobody",
        "is of type AVRO",
        "names another schema for a document that is open",
    ]
    assert [want for want, message in zip(wanted, told, strict=True) if want not in message] == []
    assert not answers[0].HasField("error")
    assert answers[6].failure.keyword == "required"


def test_the_verdict_of_a_stream_is_that_of_validate_data(wire: Wire, ticket: str) -> None:
    from llm_schema_registry.v1 import schema_registry_pb2

    for document in (
        b'{"category":"billing"}',
        b'{"category":"billing","priority":9}',
        b'{"a":1e999}',
        b"[",
        b"",
    ):
        asked = schema_registry_pb2.ValidateDataRequest(schema_id=ticket, data=document)
        (answer,) = wire.batch("ValidateStream", [part("d", document, schema_id=ticket, end=True)])

        assert (answer.status == pb.STREAM_STATUS_COMPLETE) is wire.call("ValidateData", asked).valid


def test_a_schema_that_is_too_large_is_judged_at_the_end(wire: Wire, name: Name) -> None:
    large = json.dumps(
        {"properties": {f"p{i}": {"pattern": f"^[a-z]{{{i % 50}}}$"} for i in range(900)}}
    ).encode()
    schema_id = register(wire, name("large"), large).schema_id
    first, last, dead = wire.batch(
        "ValidateStream",
        [
            part("a", b'{"p1": ', schema_id=schema_id),
            part("a", b'"a"}', end=True),
            part("a", b'{"p1": "ab"}', schema_id=schema_id, end=True),
        ],
    )

    assert first.status == pb.STREAM_STATUS_INDETERMINATE
    assert first.reason
    assert last.status == pb.STREAM_STATUS_COMPLETE
    assert (dead.status, dead.failure.pointer, dead.failure.keyword) == (
        pb.STREAM_STATUS_DEAD,
        "/p1",
        "pattern",
    )


def test_errors_are_written_for_a_model(wire: Wire, ticket: str) -> None:
    bad = b'{"category": "Billing", "priority": 9}'
    lines = wire.call("ReaskAnswer", pb.ReaskAnswerRequest(schema_id=ticket, data=bad))
    tool = wire.call(
        "ReaskAnswer",
        pb.ReaskAnswerRequest(
            schema_id=ticket,
            data=bad,
            style=pb.REASK_STYLE_ANTHROPIC,
            call_id="c",
            redact=True,
            subschemas=True,
        ),
    )
    valid = wire.call("ReaskAnswer", pb.ReaskAnswerRequest(schema_id=ticket, data=b'{"category": "billing"}'))

    assert (
        lines.text == '/category: one of ["billing","technical"], not "Billing"\n/priority: maximum 5, not 9'
    )
    assert (lines.valid, lines.told, lines.left, lines.payload) == (False, 2, 0, "")
    payload = json.loads(tool.payload)
    assert (payload["tool_use_id"], payload["is_error"]) == ("c", True)
    assert "Billing" not in tool.payload
    assert 'schema of /priority: {"type":"integer","maximum":5}' in payload["content"]
    assert (valid.valid, valid.text) == (True, "")


def test_answers_are_corrected_as_far_as_was_asked(wire: Wire, ticket: str) -> None:
    bad = b'{"category": "Billing", "priority": "3"}'
    kinds = [pb.COERCION_ENUM_CASE, pb.COERCION_NUMERIC_STRING]
    done = wire.call("CoerceAnswer", pb.CoerceAnswerRequest(schema_id=ticket, data=bad, kinds=kinds))
    half = wire.call("CoerceAnswer", pb.CoerceAnswerRequest(schema_id=ticket, data=bad, kinds=kinds[:1]))

    assert json.loads(done.data) == {"category": "billing", "priority": 3}
    assert done.report.valid
    assert [(c.kind, c.count) for c in done.counts] == [(kinds[0], 1), (kinds[1], 1)]
    assert json.loads(done.patch)[0] == {"op": "replace", "path": "/category", "value": "billing"}
    assert not half.report.valid
    assert json.loads(half.data) == {"category": "billing", "priority": "3"}


def test_wrong_arguments_are_refused(wire: Wire, name: Name, ticket: str) -> None:
    avro = register(wire, name("avro"), AVRO_V1, AVRO).schema_id
    refused(
        wire,
        "ReaskAnswer",
        pb.ReaskAnswerRequest(schema_id=ticket, max_tokens=3),
        "INVALID_ARGUMENT",
        "INVALID_REQUEST",
        "max_tokens",
    )
    refused(
        wire,
        "ReaskAnswer",
        pb.ReaskAnswerRequest(schema_id=ticket, call_id="c" * 201),
        "INVALID_ARGUMENT",
        "INVALID_REQUEST",
        "call_id",
    )
    refused(
        wire,
        "CoerceAnswer",
        pb.CoerceAnswerRequest(schema_id=ticket),
        "INVALID_ARGUMENT",
        "INVALID_REQUEST",
        "kinds",
    )
    refused(wire, "CoerceAnswer", pb.CoerceAnswerRequest(schema_id=avro, kinds=[1]), "INVALID_ARGUMENT", "INVALID_REQUEST", "schema_id")  # fmt: skip


@pytest.mark.slow
def test_open_documents_are_bounded(tmp_path: Any, name: Name) -> None:
    server = ServerProcess(
        tmp_path, LIMITS__OPEN_ANSWERS="2", LIMITS__OPEN_ANSWER_BYTES="4096", LIMITS__DATA_BYTES="500"
    )
    wire = GrpcWire("bounded", server.grpc)
    try:
        schema_id = register(wire, name("any"), b"{}").schema_id
        answers = list(
            wire.batch(
                "ValidateStream",
                [
                    part("a", b'"', schema_id=schema_id),
                    part("b", b'"', schema_id=schema_id),
                    part("c", b'"', schema_id=schema_id),
                    part("a", b"x" * 400),
                    part("a", b"x" * 400),
                    part("b", b"x" * 400),
                    part("b", b"x" * 400),
                    part("a", b"", end=True),
                    part("c", b'"x"', schema_id=schema_id, end=True),
                ],
            )
        )

        assert "limits.open_answers" in answers[2].error.message
        assert answers[4].failure.keyword == "json/size"
        assert "limits.open_answer_bytes" in answers[5].error.message
        assert answers[8].status == pb.STREAM_STATUS_COMPLETE
    finally:
        wire.close()
        server.stop()


def test_bytes_are_given_back_and_one_caller_has_a_quarter() -> None:
    bytes_ = OpenBytes(100)
    bytes_.take("a", 25)
    with pytest.raises(LimitExceeded):
        bytes_.take("a", 1)
    for caller in "bcd":
        bytes_.take(caller, 25)
    with pytest.raises(LimitExceeded):
        bytes_.take("e", 1)
    bytes_.give("a", 25)
    bytes_.take("e", 25)
