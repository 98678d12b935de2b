"""BatchGetSchemas over every wire: many schemas in one answer, each as a call of its own would give it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from google.rpc import error_details_pb2

from llm_schema_registry.v1 import admin_pb2, tools_pb2
from tests.support.tls import until

from .helpers import V1, delete, get, refused, register
from .server import ServerProcess
from .wires import HttpWire, Wire

Name = Callable[[str], str]
Item = tools_pb2.BatchGetSchemasResponse.Item
Selector = tools_pb2.SchemaSelector
NOBODY = "0198c0de-0000-7000-8000-000000000001"


def ask(wire: Wire, *selectors: Selector, page_token: str = "") -> tools_pb2.BatchGetSchemasResponse:
    request = tools_pb2.BatchGetSchemasRequest(selectors=selectors, page_token=page_token)
    answer: tools_pb2.BatchGetSchemasResponse = wire.call("BatchGetSchemas", request)
    return answer


def reason(item: Item) -> str:
    info = error_details_pb2.ErrorInfo()
    return info.reason if any(detail.Unpack(info) for detail in item.error.details) else ""


def test_each_selector_has_its_item_in_order_and_what_is_wrong_with_one_ends_nothing(
    wire: Wire, name: Name
) -> None:
    first, second = register(wire, name("s")), register(wire, name("s"), V1 + b" ")
    found = ask(
        wire,
        Selector(id=second.schema_id),
        Selector(name=name("s"), version="1"),
        Selector(name=name("s")),
        Selector(id=NOBODY),
        Selector(name=name("nobody")),
        Selector(name=name("s"), version="^9"),
        Selector(name=name("s"), version="no version"),
        Selector(name="a b\n"),
        Selector(),
        Selector(id=first.schema_id, name=name("s")),
        Selector(id=first.schema_id),
    )
    ids = [item.schema.id for item in found.items]
    assert ids[:3] == [second.schema_id, first.schema_id, second.schema_id]
    assert ids[-1] == first.schema_id
    assert found.items[0].schema == get(wire, second.schema_id)
    assert [reason(item) for item in found.items[3:-1]] == [
        "SCHEMA_NOT_FOUND",
        "SUBJECT_NOT_FOUND",
        "VERSION_NOT_FOUND",
        "INVALID_VERSION",
        "INVALID_SUBJECT",
        "INVALID_REQUEST",
        "INVALID_REQUEST",
    ]
    assert found.next_page_token == ""


def test_a_version_that_is_deleted_softly_is_read_by_its_id_alone(wire: Wire, name: Name) -> None:
    made = register(wire, name("s"))
    delete(wire, made.schema_id)
    by_id, by_name = ask(wire, Selector(id=made.schema_id), Selector(name=name("s"))).items
    assert by_id.schema.HasField("deleted_at")
    assert by_name.HasField("error")


@pytest.mark.parametrize("number", [0, 1001])
def test_how_many_may_be_asked_for_is_bounded(wire: Wire, number: int) -> None:
    request = tools_pb2.BatchGetSchemasRequest(selectors=[Selector(id=NOBODY)] * number)
    failure = refused(wire, "BatchGetSchemas", request, "INVALID_ARGUMENT", "INVALID_REQUEST", "selectors")
    assert "limits.page" in failure.message


@pytest.mark.parametrize("token", ["x", "-1", "0", "2", "99999999999999999999", "٣"])
def test_a_token_that_was_not_made_for_these_selectors_is_refused(wire: Wire, token: str) -> None:
    request = tools_pb2.BatchGetSchemasRequest(selectors=[Selector(id=NOBODY)] * 2, page_token=token)
    refused(wire, "BatchGetSchemas", request, "INVALID_ARGUMENT", "PAGE_TOKEN_INVALID", "page_token")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpWire]:
    server = ServerProcess(tmp_path_factory.mktemp("small"), LIMITS__PAGE_BYTES="5000")
    wire = HttpWire(server.http)
    yield wire
    wire.close()
    assert server.stop() == 0


def test_an_answer_ends_where_it_is_full_and_goes_on_with_its_token(small: HttpWire) -> None:
    def content(n: int) -> bytes:
        return b'{"description": "%s"}' % (b"%d" % n * (9000 if n == 3 else 1000))

    ids = [register(small, f"s{n}", content(n)).schema_id for n in range(8)]
    selectors, token, answers = [Selector(id=one) for one in ids], "", []
    while not answers or token:
        answers.append(ask(small, *selectors, page_token=token))
        token = answers[-1].next_page_token
    assert [item.schema.id for answer in answers for item in answer.items] == ids
    assert len(answers) > 2, "one is larger than an answer, and has one of its own"
    assert all(a.ByteSize() <= 5200 or len(a.items) == 1 for a in answers)


def test_schemas_that_are_read_together_are_counted_as_reads(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path, USAGE__FLUSH_SECONDS="0.1")
    wire = HttpWire(server.http)
    ids = [register(wire, f"s{n}").schema_id for n in range(3)]
    for _ in range(2):
        ask(wire, *(Selector(id=one) for one in ids[:2]))

    def reads() -> dict[str, int]:
        statistics: admin_pb2.GetStatisticsResponse = wire.call(
            "GetStatistics", admin_pb2.GetStatisticsRequest()
        )
        return {row.subject: row.reads for row in statistics.popular}

    until(lambda: {subject: count for subject, count in reads().items() if count} == {"s0": 2, "s1": 2})
    wire.close()
    assert server.stop() == 0
