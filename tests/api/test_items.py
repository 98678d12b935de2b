"""ValidateItems over every wire: many payloads under one version, each judged as a call of its own would judge it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import httpx
import pytest
from google.rpc import error_details_pb2

from llm_schema_registry.v1 import schema_registry_pb2 as pb
from llm_schema_registry.v1 import tools_pb2

from .helpers import refused, register
from .server import ServerProcess
from .wires import HttpWire, Wire

Name = Callable[[str], str]
SCHEMA = b'{"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}'
GOOD, BAD, CUT = b'{"a": "x"}', b'{"a": 1}', b'{"a": '
# Dear to judge: each item of a list is compared with all others.
DEAR_SCHEMA = b'{"type": "array", "uniqueItems": true, "items": {"type": "array", "uniqueItems": true}}'
DEAR = json.dumps([[n, [n]] for n in range(20_000)]).encode()


def ask(wire: Wire, schema_id: str, *items: bytes, **more: object) -> tools_pb2.ValidateItemsResponse:
    request = tools_pb2.ValidateItemsRequest(schema_id=schema_id, items=items, **more)  # type: ignore[arg-type]
    answer: tools_pb2.ValidateItemsResponse = wire.call("ValidateItems", request)
    return answer


def alone(wire: Wire, schema_id: str, data: bytes) -> pb.ValidationReport:
    report: pb.ValidationReport = wire.call(
        "ValidateData", pb.ValidateDataRequest(schema_id=schema_id, data=data)
    )
    return report


def test_what_is_not_valid_is_reported_with_its_place_as_a_call_of_its_own_would(
    wire: Wire, name: Name
) -> None:
    made = register(wire, name("s"), SCHEMA)
    answer = ask(wire, made.schema_id, GOOD, BAD, GOOD, CUT, b"", GOOD)

    assert (answer.judged, answer.valid) == (6, 3)
    assert [report.index for report in answer.reports] == [1, 3, 4]
    for report, data in zip(answer.reports, (BAD, CUT, b""), strict=True):
        assert report.errors == alone(wire, made.schema_id, data).errors
        assert report.errors
        assert not report.valid
    assert (answer.schema_id, answer.subject) == (made.schema_id, made.subject)
    assert answer.version == made.version


def test_a_version_is_chosen_by_subject_and_selector(wire: Wire, name: Name) -> None:
    made = register(wire, name("s"), SCHEMA)
    request = tools_pb2.ValidateItemsRequest(subject=name("s"), version="^1", items=[GOOD, BAD], strict=True)
    answer = wire.call("ValidateItems", request)

    assert (answer.schema_id, answer.judged, answer.valid) == (made.schema_id, 2, 1)


def test_a_payload_that_needs_a_worker_is_judged_among_the_others(wire: Wire, name: Name) -> None:
    made = register(wire, name("s"), DEAR_SCHEMA)
    answer = ask(wire, made.schema_id, b"[]", DEAR, b"[[1], [1]]", DEAR)

    assert (answer.judged, answer.valid) == (4, 3)
    assert [report.index for report in answer.reports] == [2]


def test_a_payload_that_is_too_large_is_told_in_its_report(limited: HttpWire) -> None:
    made = register(limited, "large", SCHEMA)
    answer = ask(limited, made.schema_id, GOOD, b'"%s"' % (b"x" * 3000), GOOD)

    assert (answer.judged, answer.valid) == (3, 2)
    info = error_details_pb2.ErrorInfo()
    assert answer.reports[0].error.details[0].Unpack(info)
    assert info.reason == "INVALID_REQUEST"
    assert "limits.data_bytes" in answer.reports[0].error.message


def test_an_answer_ends_where_it_is_full_of_reports(limited: HttpWire) -> None:
    made = register(limited, "full", SCHEMA)
    items, seen, answers = [GOOD, BAD] * 100, 0, 0
    while seen < len(items):
        answer = ask(limited, made.schema_id, *items[seen:])
        assert [report.index + seen for report in answer.reports] == [
            place for place in range(seen, seen + answer.judged) if items[place] == BAD
        ]
        assert answer.valid == sum(item == GOOD for item in items[seen : seen + answer.judged])
        assert answer.ByteSize() < 5200
        seen, answers = seen + answer.judged, answers + 1
    assert answers > 2


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"items": []}, "items"),
        ({"items": [GOOD] * 2001}, "items"),
        ({"items": [GOOD], "encoding": 77}, "encoding"),
        ({"items": [GOOD], "max_errors": 101}, "max_errors"),
        ({"items": [GOOD], "subject": "s"}, "schema_id"),
    ],
)
def test_what_is_wrong_with_the_request_refuses_all(
    wire: Wire, name: Name, wrong: dict[str, object], field: str
) -> None:
    made = register(wire, name("s"), SCHEMA)
    request = tools_pb2.ValidateItemsRequest(schema_id=made.schema_id, **wrong)  # type: ignore[arg-type]
    refused(wire, "ValidateItems", request, "INVALID_ARGUMENT", "INVALID_REQUEST", field)


def test_a_schema_that_is_not_there_is_not_found(wire: Wire) -> None:
    request = tools_pb2.ValidateItemsRequest(schema_id="nobody", items=[GOOD])
    refused(wire, "ValidateItems", request, "NOT_FOUND", "SCHEMA_NOT_FOUND")


def test_json_values_are_taken_as_they_are_over_http(
    limited: HttpWire, limited_server: ServerProcess
) -> None:
    made = register(limited, "json", SCHEMA)
    url = f"{limited_server.http}/api/v1/schemas/{made.schema_id}/validateItems"
    good = httpx.post(url, json={"items_json": [{"a": "x"}, {"a": 1}, None]}).json()
    bad = httpx.post(url, json={"items_json": {"a": "x"}})

    assert (good["judged"], good["valid"]) == (3, 1)
    assert [report.get("index", "0") for report in good["reports"]] == ["1", "2"]
    assert bad.status_code == 400
    assert "items_json" in bad.text


@pytest.fixture(scope="module")
def limited_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    server = ServerProcess(
        tmp_path_factory.mktemp("limited"), LIMITS__PAGE_BYTES="5000", LIMITS__DATA_BYTES="2000"
    )
    yield server
    assert server.stop() == 0


@pytest.fixture(scope="module")
def limited(limited_server: ServerProcess) -> Iterator[HttpWire]:
    wire = HttpWire(limited_server.http)
    yield wire
    wire.close()
