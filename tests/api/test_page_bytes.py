"""What bounds the bytes of an answer and the items of a request, on every wire."""

from __future__ import annotations

import json
from collections.abc import Callable

import grpc
import pytest

from llm_schema_registry.v1 import lifecycle_pb2
from llm_schema_registry.v1 import schema_registry_pb2 as pb

from .helpers import V1, V1_DESCRIBED, V2_COMPATIBLE, refused, register
from .server import ServerProcess
from .wires import Wire

Name = Callable[[str], str]
PAGE_BYTES = 3 * 1024 * 1024


def long(text: str) -> bytes:
    """A schema of 900 kB."""
    return json.dumps({"title": text, "description": "d" * 900_000}).encode()


@pytest.mark.slow
def test_a_search_over_long_schemas_comes_in_pages_that_any_client_accepts(wire: Wire, name: Name) -> None:
    subjects = [name(letter) for letter in "abcde"]
    for subject in subjects:
        register(wire, subject, long(subject))
    seen: list[str] = []
    sizes: list[int] = []
    token = ""
    while True:
        request = pb.SearchSchemasRequest(subject_pattern=name("*"), limit=1000, page_token=token)
        page = wire.call("SearchSchemas", request)
        assert page.total_count == 5
        seen += [schema.subject for schema in page.schemas]
        sizes.append(page.ByteSize())
        token = page.next_page_token
        if not token:
            break

    assert seen == subjects
    assert len(sizes) == 2
    assert max(sizes) < PAGE_BYTES
    assert [
        s.subject for s in wire.listing("ListSchemas", pb.ListSchemasRequest(subject_prefix=name("")))
    ] == subjects


def test_lists_that_come_whole_come_in_pages_when_a_limit_is_given(wire: Wire, name: Name) -> None:
    subject = name("s")
    ids = [register(wire, subject, content).schema_id for content in (V1, V1_DESCRIBED, V2_COMPATIBLE)]
    pages = []
    token = ""
    while True:
        request = pb.GetSubjectVersionsRequest(subject=subject, limit=2, page_token=token)
        page = wire.call("GetSubjectVersions", request)
        pages.append([v.schema_id for v in page.versions])
        token = page.next_page_token
        if not token:
            break
    whole = wire.call("GetSchemaHistory", lifecycle_pb2.GetSchemaHistoryRequest(schema_id=ids[0]))

    assert pages == [ids[:2], ids[2:]]
    assert whole.transitions
    assert not whole.next_page_token


def test_more_tags_than_a_search_may_have_are_refused_by_name(wire: Wire) -> None:
    request = pb.SearchSchemasRequest(tags=[f"t{n}" for n in range(101)])

    refused(wire, "SearchSchemas", request, "INVALID_ARGUMENT", "INVALID_REQUEST", "tags")


def test_a_request_with_millions_of_items_is_refused_before_it_is_read(engine: ServerProcess) -> None:
    with grpc.insecure_channel(engine.grpc) as channel:
        call = channel.unary_unary("/schema_registry.v1.SchemaRegistry/RegisterSchema")
        with pytest.raises(grpc.RpcError) as refusal:
            call(b"\x3a\x00" * 3_000_000, timeout=20)

    assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "limits.request_items" in refusal.value.details()
