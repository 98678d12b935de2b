"""Errors map once, and the mapping is total."""

from __future__ import annotations

import inspect
import json

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from llm_schema_registry_server import errors
from llm_schema_registry_server.calls.failure import failure
from llm_schema_registry_server.errors import (
    Code,
    InvalidRequest,
    LimitExceeded,
    RegistryError,
    SchemaNotFound,
)
from llm_schema_registry_server.transports.http.twin import failure_reply
from llm_schema_registry_server.transports.status import (
    GRPC,
    HTTP,
    HTTP_BY_REASON,
    grpc_status,
    http_body,
    http_status,
)
from tests.unit.conftest import LogLines

FAMILY = [
    c
    for _, c in inspect.getmembers(errors, inspect.isclass)
    if issubclass(c, RegistryError) and c is not RegistryError
]


def test_every_code_has_a_status_on_both_wires() -> None:
    assert GRPC.keys() == HTTP.keys() == set(Code)
    assert all(status.value[0] == code for code, status in GRPC.items())


@pytest.mark.parametrize("kind", FAMILY, ids=lambda c: c.__name__)
def test_every_error_has_a_status_on_both_wires(kind: type[RegistryError]) -> None:
    error = kind.__new__(kind)
    RegistryError.__init__(error, "sentence", fact="1")
    told = failure(error, "id-1")

    code, message, _ = grpc_status(told)
    assert (code.value[0], message) == (kind.code, "sentence")
    assert 400 <= http_status(told) < 600
    assert http_body(told)["error_code"] == kind.reason


def test_reasons_are_distinct() -> None:
    assert len({kind.reason for kind in FAMILY}) == len(FAMILY)


@pytest.mark.parametrize(
    ("reason", "code", "http"),
    [("INCOMPATIBLE_SCHEMA", Code.FAILED_PRECONDITION, 409), ("INVALID_SCHEMA", Code.INVALID_ARGUMENT, 422)],
)
def test_where_registries_agree_http_follows_them(reason: str, code: Code, http: int) -> None:
    error = RegistryError("m")
    error.code, error.reason = code, reason  # type: ignore[misc]

    assert http_status(failure(error, "i")) == http == HTTP_BY_REASON[reason]


def test_the_http_body_names_the_field_and_the_request() -> None:
    body = http_body(failure(InvalidRequest("limit", "is negative", limit=-1), "id-1"))

    assert body["error_code"] == "INVALID_REQUEST"
    assert body["message"] == "limit: is negative"
    assert body["request_id"] == "id-1"
    info, bad = body["details"]
    assert info["metadata"] == {"field": "limit", "limit": "-1", "request_id": "id-1"}
    assert bad["field_violations"] == [{"field": "limit", "description": "is negative"}]
    assert json.dumps(body)


def test_an_unforeseen_error_shows_its_request_id_and_logs_its_stack_once(log_lines: LogLines) -> None:
    try:
        raise ZeroDivisionError("secret")
    except ZeroDivisionError as error:
        told = failure(error, "id-9")

    (line,) = log_lines()
    assert (line["event"], line["level"], line["request_id"]) == ("call_crashed", "error", "id-9")
    assert line["exception"][0]["exc_type"] == "ZeroDivisionError"
    assert told.code is Code.INTERNAL
    assert "id-9" in told.message
    assert "secret" not in str(http_body(told))


def test_trailers_stay_small_enough_for_every_client() -> None:
    error = SchemaNotFound("x" * 100_000)
    error.details = (error_details_pb2.DebugInfo(detail="y" * 100_000),)
    code, message, trailers = grpc_status(failure(error, "id-1"))

    status = status_pb2.Status.FromString(dict(trailers)["grpc-status-details-bin"])  # type: ignore[arg-type]
    assert code is grpc.StatusCode.NOT_FOUND
    assert len(message) <= 700
    assert status.ByteSize() <= 4096


def test_who_is_refused_for_too_much_at_the_same_time_learns_when_to_try_again() -> None:
    told = failure(LimitExceeded("too much", retry_seconds=1.25, limit=3), "id-1")
    _, _, trailers = grpc_status(told)

    status = status_pb2.Status.FromString(dict(trailers)["grpc-status-details-bin"])  # type: ignore[arg-type]
    retry = error_details_pb2.RetryInfo()
    assert status.details[1].Unpack(retry)
    assert retry.retry_delay.ToMilliseconds() == 1250
    assert ("retry-after", "2") in failure_reply(told, LimitExceeded("too much")).headers
    assert failure(LimitExceeded("too much"), "id-1").retry_seconds is None
