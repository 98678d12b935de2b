"""ListSchemas, ListVersions, GetSubjectVersions, ListSubjects: filters, pages by offset and by token."""

from __future__ import annotations

import json
from collections.abc import Callable

import httpx
import pytest

from llm_schema_registry.v1 import schema_registry_pb2 as pb

from .helpers import (
    AVRO,
    AVRO_V1,
    V1,
    V1_DESCRIBED,
    V2_COMPATIBLE,
    delete,
    refused,
    register,
    update,
    versions,
)
from .wires import Wire

Name = Callable[[str], str]


@pytest.fixture
def seven(wire: Wire, name: Name) -> list[str]:
    """Seven subjects with one version each, sorted by name."""
    subjects = [name(f"list-{letter}") for letter in "abcdefg"]
    for subject in reversed(subjects):
        register(wire, subject)
    return subjects


def listed(wire: Wire, prefix: str, **fields: object) -> list[pb.SchemaInfo]:
    request = pb.ListSchemasRequest(subject_prefix=prefix, **fields)  # type: ignore[arg-type]
    return list(wire.listing("ListSchemas", request))


def test_schemas_come_by_subject_and_ordinal(wire: Wire, name: Name) -> None:
    for subject in ("z", "a"):
        for content in (V1, V1_DESCRIBED, V2_COMPATIBLE):
            register(wire, name(subject), content)
    found = [(s.subject, s.ordinal) for s in listed(wire, name(""))]

    assert found == [(name(s), n) for s in ("a", "z") for n in (1, 2, 3)]


def test_limit_and_offset_cut_a_list(wire: Wire, name: Name, seven: list[str]) -> None:
    assert [s.subject for s in listed(wire, name(""), limit=2, offset=3)] == seven[3:5]
    assert [s.subject for s in listed(wire, name(""), offset=5)] == seven[5:]
    assert listed(wire, name(""), offset=7) == []


def test_a_list_goes_on_after_the_item_whose_token_is_given(wire: Wire, name: Name, seven: list[str]) -> None:
    third = listed(wire, name(""), limit=3)[-1]
    register(wire, name("list-aa"))  # before the place where we are: must not shift what follows

    assert [s.subject for s in listed(wire, name(""), page_token=third.page_token)] == seven[3:]


def test_type_and_state_filter(wire: Wire, name: Name) -> None:
    old = register(wire, name("json"))
    register(wire, name("avro"), AVRO_V1, AVRO)
    update(wire, old.schema_id, state=pb.SCHEMA_STATE_DEPRECATED)

    assert [s.subject for s in listed(wire, name(""), schema_type=AVRO)] == [name("avro")]
    assert [s.subject for s in listed(wire, name(""), state=pb.SCHEMA_STATE_DEPRECATED)] == [name("json")]


def test_deleted_versions_are_listed_only_when_asked_for(wire: Wire, name: Name) -> None:
    delete(wire, register(wire, name("s")).schema_id)

    assert listed(wire, name("")) == []
    assert listed(wire, name(""), include_deleted=True)[0].HasField("deleted_at")


def test_versions_are_paged_by_token_without_gap_or_duplicate(wire: Wire, name: Name) -> None:
    for n in range(5):
        register(wire, name("s"), V1 + b" " * n)
    found: list[str] = []
    token = ""
    while True:
        request = pb.ListVersionsRequest(subject=name("s"), limit=2, page_token=token)
        page = wire.call("ListVersions", request)
        found += page.versions
        assert page.total_count == 5
        if not (token := page.next_page_token):
            break

    assert found == versions(wire, name("s"))
    assert len(set(found)) == 5


def test_subjects_are_paged_by_token_without_gap_or_duplicate(
    wire: Wire, name: Name, seven: list[str]
) -> None:
    found: list[str] = []
    token = ""
    while True:
        request = pb.ListSubjectsRequest(prefix=name(""), limit=3, page_token=token)
        page = wire.call("ListSubjects", request)
        found += page.subjects
        assert page.total_count == 7
        if not (token := page.next_page_token):
            break

    assert found == seven


def test_subject_versions_tell_ids_states_and_classes(wire: Wire, name: Name) -> None:
    first, second = register(wire, name("s")), register(wire, name("s"), V2_COMPATIBLE)
    update(wire, first.schema_id, state=pb.SCHEMA_STATE_DEPRECATED)
    answer = wire.call("GetSubjectVersions", pb.GetSubjectVersionsRequest(subject=name("s")))

    assert answer.subject == name("s")
    assert [(v.version, v.schema_id, v.state, v.ordinal) for v in answer.versions] == [
        ("1.0.0", first.schema_id, pb.SCHEMA_STATE_DEPRECATED, 1),
        ("1.1.0", second.schema_id, pb.SCHEMA_STATE_ACTIVE, 2),
    ]
    assert answer.versions[1].change_class == pb.CHANGE_CLASS_COMPATIBLE


@pytest.mark.parametrize("rpc", ["ListVersions", "GetSubjectVersions"])
def test_an_unknown_subject_has_no_list(wire: Wire, name: Name, rpc: str) -> None:
    request = {"ListVersions": pb.ListVersionsRequest, "GetSubjectVersions": pb.GetSubjectVersionsRequest}[
        rpc
    ]

    refused(wire, rpc, request(subject=name("s")), "NOT_FOUND", "SUBJECT_NOT_FOUND")


def test_over_http_a_page_of_schemas_is_an_array_unless_lines_are_asked_for(
    servers: object, name: Name
) -> None:
    wire = servers.wire("http")  # type: ignore[attr-defined]
    register(wire, name("s"))
    base = str(wire.client.base_url)
    parameters = {"subject_prefix": name(""), "limit": "5"}
    array = httpx.get(f"{base}/api/v1/schemas", params=parameters, trust_env=False)
    lines = httpx.get(
        f"{base}/api/v1/schemas",
        params=parameters,
        headers={"accept": "application/x-ndjson"},
        trust_env=False,
    )

    assert [s["subject"] for s in array.json()] == [name("s")]
    assert [json.loads(line)["subject"] for line in lines.text.splitlines()] == [name("s")]
