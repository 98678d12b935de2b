"""The strict reader: nesting and places, against the standard parser."""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_schema_engines.formats.json_schema.pointers import follow, to_pointer
from llm_schema_engines.formats.json_schema.reading import exact_nesting, locate_all, read
from llm_schema_engines.formats.json_schema.uris import resolve_uri

TEXT = st.text(alphabet='ab[]{}"\\ ,:é\n', max_size=4)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=12,
)


def depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    return 1 + max(map(depth, value), default=0) if isinstance(value, list) else 0


@settings(max_examples=300, deadline=None)
@given(VALUES, st.booleans())
def test_nesting_is_counted_without_parsing(value: Any, ascii_only: bool) -> None:
    content = json.dumps(value, ensure_ascii=ascii_only).encode()

    assert exact_nesting(content, 50) == depth(value)


def test_unbalanced_brackets_are_bounded_too() -> None:
    assert exact_nesting(b"[" * 100_000, 128) == 129
    assert exact_nesting(b"]" * 100_000, 128) == 0
    assert exact_nesting(b'"[[[[[[', 3) <= 6


@settings(max_examples=200, deadline=None)
@given(VALUES)
def test_reading_agrees_with_the_standard_parser(value: Any) -> None:
    content = json.dumps(value, ensure_ascii=False).encode()

    assert read(content, max_bytes=10**6, max_depth=100, max_digits=100) == value


def paths(value: Any, prefix: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    out = [prefix]
    if isinstance(value, dict):
        for name, item in value.items():
            out += paths(item, (*prefix, name))
    elif isinstance(value, list):
        for i, item in enumerate(value):
            out += paths(item, (*prefix, i))
    return out


@settings(max_examples=150, deadline=None)
@given(VALUES)
def test_every_value_is_located_where_it_starts(value: Any) -> None:
    text = json.dumps(value, ensure_ascii=False, indent=1)
    lines = text.split("\n")

    for path in paths(value):
        line, column = locate_all(text.encode(), [to_pointer(path)])[to_pointer(path)]
        rest = "\n".join([lines[line - 1][column - 1 :], *lines[line:]])
        assert json.JSONDecoder().raw_decode(rest)[0] == follow(value, to_pointer(path))


def test_references_resolve_as_rfc_3986_says() -> None:
    base = "http://a/b/c/d;p?q"
    examples = {
        "g:h": "g:h",
        "g": "http://a/b/c/g",
        "./g": "http://a/b/c/g",
        "g/": "http://a/b/c/g/",
        "/g": "http://a/g",
        "//g": "http://g",
        "?y": "http://a/b/c/d;p?y",
        "g?y": "http://a/b/c/g?y",
        "#s": "http://a/b/c/d;p?q#s",
        "": "http://a/b/c/d;p?q",
        "..": "http://a/b/",
        "../g": "http://a/b/g",
        "../../../g": "http://a/g",
        "g#s": "http://a/b/c/g#s",
    }

    assert {ref: resolve_uri(base, ref) for ref in examples} == examples
    assert resolve_uri("urn:x:y", "#a") == "urn:x:y#a"


SPELLINGS = [
    ("HTTP://Example.COM/a", "http://example.com/a"),
    ("http://example.com:80/a", "http://example.com/a"),
    ("https://example.com:0443/a", "https://example.com/a"),
    ("ws://example.com:/a", "ws://example.com/a"),
    ("http://u%61@%65xample.com/%7e%2f?%6B%c3", "http://ua@example.com/~%2F?k%C3"),
    ("http://example.com/b/%2E%2e/a", "http://example.com/a"),
    ("http://[2001:DB8:0:0:0::1]/a", "http://[2001:db8::1]/a"),
    ("foo:/a/..//b", "foo:/.//b"),
    ("URN:example:%61", "urn:example:a"),
]
OTHERS = [
    ("http://example.com/A", "http://example.com/a"),
    ("https://example.com:80/a", "https://example.com/a"),
    ("http://U@example.com/a", "http://u@example.com/a"),
    ("http://example.com/a?", "http://example.com/a"),
    ("http://example.com/a%2Fb", "http://example.com/a/b"),
    ("urn:Example:a", "urn:example:a"),
]


@pytest.mark.parametrize(("one", "other"), SPELLINGS + OTHERS)
def test_uris_are_equal_here_when_they_are_to_the_validator(one: str, other: str) -> None:
    schema = {"$id": "http://root/", "$defs": {"a": {"$id": one}}, "$ref": other}
    try:
        jsonschema_rs.Draft202012Validator(schema, offline=True)
        equal = True
    except ValueError:
        equal = False

    assert (resolve_uri("http://root/", one) == resolve_uri("http://root/", other)) is equal
    assert equal is ((one, other) in SPELLINGS)
