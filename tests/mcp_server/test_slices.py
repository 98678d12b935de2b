"""Parts of schemas by JSON pointer: found as RFC 6901 says, told exactly, named where they are too large."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_schema_registry.mcp_server.slices import (
    MOST_OUTLINE,
    NoSuchPart,
    NotJson,
    described,
    outline,
    parse,
    part,
    size,
    sliced,
)

RFC = {"foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "m~n": 8, " ": 7, '"': 6}


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("", RFC),
        ("/foo", ["bar", "baz"]),
        ("/foo/0", "bar"),
        ("/", 0),
        ("/a~1b", 1),
        ("/c%d", 2),
        ("/m~0n", 8),
        ("/ ", 7),
    ],
)
def test_pointers_are_those_of_rfc_6901(pointer: str, value: Any) -> None:
    assert part(RFC, pointer) == value


@pytest.mark.parametrize(
    "pointer", ["/none", "/foo/2", "/foo/-1", "/foo/bar", "/foo/٠", "/foo/0/x", "/foo/" + "9" * 5000]
)
def test_what_is_not_there_says_what_is(pointer: str) -> None:
    with pytest.raises(NoSuchPart) as failed:
        part(RFC, pointer)
    assert all(isinstance(one, str) for one in failed.value.there)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["properties", "a/b", "m~n", "$defs", "x", ""]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(JSON, st.integers(1, 200))
def test_each_part_of_an_outline_is_there_and_as_long_as_told(value: Any, most: int) -> None:
    content = json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
    assert json.dumps(parse(content)) == json.dumps(value)
    found = sliced(content, "", most)
    assert (found.parts is None) == (size(value) <= most)
    for one in outline(value, ""):
        assert size(part(value, one["pointer"])) == one["bytes"]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"NaN", b'{"a": Infinity}', b"1e999", b"[" * 100_000, b"\xff"]
)
def test_what_cannot_be_told_again_is_not_looked_into(content: bytes) -> None:
    with pytest.raises(NotJson):
        parse(content)


def test_outlines_are_bounded() -> None:
    many = {"properties": {f"p{n}": {} for n in range(1000)}, "$defs": {f"d{n}": {} for n in range(1000)}}
    assert len(outline(many, "")) == MOST_OUTLINE
    assert len(outline({f"p{n}": {} for n in range(1000)}, "")) == MOST_OUTLINE


@pytest.mark.parametrize(
    "odd",
    [True, [], {"properties": 1}, {"properties": {"a": True}}, {"required": 1, "properties": {"a": []}}, {"fields": 1},
     {"fields": [1, {"name": 5, "type": {"type": "array"}}]}, {"required": [{}], "properties": {"a": {"enum": [1]}}}],
)  # fmt: skip
def test_odd_schemas_are_described_as_far_as_they_can_be(odd: Any) -> None:
    assert all({"pointer", "type", "required"} <= set(line) for line in described(odd))
