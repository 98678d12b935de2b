"""Lists and maps of a request are counted before it is parsed."""

from __future__ import annotations

import tracemalloc
from contextlib import suppress

import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from llm_schema_registry.v1 import schema_registry_pb2 as pb
from llm_schema_registry_server.errors import InvalidRequest
from llm_schema_registry_server.rpc import methods
from llm_schema_registry_server.rpc.protobuf.items import check_items

MOST = 20


def check(message: Message, most: int = MOST) -> None:
    check_items(message.DESCRIPTOR, message.SerializeToString(), most)


def requests(count: int) -> list[tuple[str, Message]]:
    """Messages with `count` items in one list, and the name of that list."""
    reference = pb.SchemaReference(name="n", subject="s", version="1")
    return [
        ("tags", pb.RegisterSchemaRequest(subject="s", tags=["x"] * count, schema_content=b"{}" * 500)),
        ("tags", pb.SearchSchemasRequest(tags=[""] * count)),
        ("references", pb.RegisterSchemaRequest(references=[reference] * count)),
        ("metadata", pb.RegisterSchemaRequest(metadata={str(n): "" for n in range(count)})),
        ("metadata_filters", pb.SearchSchemasRequest(metadata_filters={str(n): "v" for n in range(count)})),
        ("subjects", pb.StreamRequest(subjects=["orders.*"] * count)),
        ("event_types", pb.StreamRequest(event_types=[1] * count)),
        ("event_types", pb.StreamRequest(event_types=[1 << 20] * count)),
    ]


@pytest.mark.parametrize("number", range(len(requests(1))))
def test_a_list_may_have_as_many_items_as_the_limit_and_no_more(number: int) -> None:
    check(requests(MOST)[number][1])

    name, message = requests(MOST + 1)[number]
    message_bytes = (
        message.SerializeToString() + b"\xa2\x3e\x40" + b"x" * 64
    )  # an unknown field: never shorter than the limit
    with pytest.raises(InvalidRequest) as refused:
        check_items(message.DESCRIPTOR, message_bytes, MOST)

    assert refused.value.violations[0].field == name
    assert "limits.request_items" in refused.value.violations[0].description


def test_numbers_that_are_not_packed_count_too() -> None:
    unpacked = b"\x10\x01" * (MOST + 1)  # StreamRequest.event_types, each with a tag of its own

    assert len(pb.StreamRequest.FromString(unpacked).event_types) == MOST + 1
    with pytest.raises(InvalidRequest, match="more than 20 items"):
        check_items(pb.StreamRequest.DESCRIPTOR, unpacked, MOST)


def test_a_field_that_is_given_again_and_again_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="too many fields"):
        check_items(pb.RegisterSchemaRequest.DESCRIPTOR, b"\x40\x01" * 100_000, MOST)


def test_large_contents_are_passed_over() -> None:
    check(pb.RegisterSchemaRequest(subject="s", schema_content=b"\x3a\x00" * 500_000, tags=["a"] * MOST))


def test_three_million_tags_cost_no_memory() -> None:
    request = b"\x3a\x00" * 3_000_000  # RegisterSchemaRequest.tags, each empty
    tracemalloc.start()
    with pytest.raises(InvalidRequest, match="tags"):
        check_items(pb.RegisterSchemaRequest.DESCRIPTOR, request, 2000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 1 << 20


@given(
    st.sampled_from(sorted({m.request_type.DESCRIPTOR.full_name for m in methods.load()})),
    st.binary(min_size=MOST + 1, max_size=400),
)
def test_bytes_that_are_no_message_are_left_to_the_parser(name: str, data: bytes) -> None:
    types = {m.request_type.DESCRIPTOR.full_name: m.request_type.DESCRIPTOR for m in methods.load()}

    with suppress(InvalidRequest):  # what is too much is refused, and nothing else is raised
        check_items(types[name], data, MOST)


@given(st.lists(st.text(max_size=3), max_size=60), st.dictionaries(st.text(max_size=3), st.text(max_size=3)))
def test_what_is_counted_is_what_the_parser_finds(tags: list[str], metadata: dict[str, str]) -> None:
    message = pb.RegisterSchemaRequest(
        subject="orders", tags=tags, metadata=metadata, description="d", schema_content=b"\x00" * MOST
    )
    too_many = len(tags) > MOST or len(metadata) > MOST

    try:
        check(message)
    except InvalidRequest:
        assert too_many
    else:
        assert not too_many
