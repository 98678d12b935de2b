"""Errors over HTTP use the words of HTTP, and tell a caller who has lost the way where there is something."""

from __future__ import annotations

from typing import Any

import pytest

from llm_schema_registry_server.calls.failure import Failure, failure
from llm_schema_registry_server.errors import InvalidRequest, PermissionDenied, SchemaNotFound
from llm_schema_registry_server.rpc import methods
from llm_schema_registry_server.transports.http.index import nearest, served
from llm_schema_registry_server.transports.http.wording import Wording

METHODS = methods.load()
WORDING = Wording(METHODS)
SERVED = served(METHODS)


def told(error: Exception, body: bytes | None) -> Failure:
    return WORDING.of(failure(error, "r-1"), body)


def test_a_field_is_named_as_the_caller_wrote_it() -> None:
    error = InvalidRequest("schema_content", "must not be empty")

    friendly, exact = told(error, b'{"schema": ""}'), told(error, b'{"schema_content": ""}')
    assert friendly.message == "schema: must not be empty"
    assert friendly.violations[0].field == friendly.facts["field"] == "schema"
    assert exact.message == "schema_content: must not be empty"
    assert exact.violations[0].field == exact.facts["field"] == "schema_content"


def test_nested_fields_and_advice_are_renamed_too() -> None:
    error = InvalidRequest("old.schema_content", "cannot be given together with schema_id")
    advice = InvalidRequest("old", "names no schema; give schema_id, subject or schema_content")

    assert told(error, b'{"schema": {}}').violations[0].field == "old.schema"
    assert (
        told(advice, b'{"schema": {}}').message == "old: names no schema; give schema_id, subject or schema"
    )


def test_words_of_the_caller_stay_as_they_are() -> None:
    error = InvalidRequest(
        "subject", "'schema_content' is no subject, nor is 'GetSchema' or new_schema/GetSchema"
    )

    assert told(error, b"{}").message == failure(error, "r-1").message


def test_data_is_renamed_only_where_it_is_the_field() -> None:
    assert told(InvalidRequest("data", "is long"), b'{"data_json":1}').message == "data_json: is long"
    assert told(InvalidRequest("version", "of data"), b'{"data_json":1}').message == "version: of data"


def test_who_gave_neither_is_told_of_both() -> None:
    missing = told(InvalidRequest("data", "is missing"), b"{}")

    assert missing.message == "data: is missing; in JSON it may be given as `data_json` too"
    assert missing.violations[0].field == "data"


def test_a_request_without_body_has_no_other_names_for_its_fields() -> None:
    assert told(InvalidRequest("data", "is missing"), None).message == "data: is missing"


def test_rpcs_are_told_by_their_paths() -> None:
    deleted = told(SchemaNotFound("x", deleted=True), None)
    refused = told(PermissionDenied("RegisterSchema needs permission 'schema:write'"), b"{}")

    assert "POST /api/v1/schemas/{schema_id}:undelete" in deleted.message
    assert refused.message == "POST /api/v1/schemas needs permission 'schema:write'"


@pytest.mark.parametrize(
    ("verb", "path", "wanted"),
    [
        ("GET", "/api/v1/schema/x", "GET /api/v1/schemas/{schema_id}"),
        ("GET", "/api/v1/subject", "GET /api/v1/subjects"),
        ("GET", "/api/v1/schemas/", "GET /api/v1/schemas"),
        ("POST", "/api/v1/schema", "POST /api/v1/schemas"),
        ("GET", "/api/v1/subjects/a/version/1", "GET /api/v1/subjects/{subject}/versions/{version}"),
        ("GET", "/api/v2/subjects", "GET /api/v1/subjects"),
        ("PUT", "/api/v1/configs/subjects/a", "PUT /api/v1/config/subjects/{subject}"),
    ],
)
def test_what_is_nearest_to_a_path_is_found(verb: str, path: str, wanted: str) -> None:
    near = nearest(SERVED, verb, path)

    assert near is not None
    assert f"{near.verb} {near.path}" == wanted


@pytest.mark.parametrize(
    "path", ["/", "/wp-admin/setup.php", "/api/v1/" + "a/" * 500, "/api/v1/" + "x" * 50_000 + "/y/z"]
)
def test_nothing_is_near_to_what_is_far(path: Any) -> None:
    assert nearest(SERVED, "GET", path) is None
