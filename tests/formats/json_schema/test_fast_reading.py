"""The strict reader takes a fast way for most texts: what it accepts there is what it accepts on the long one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_schema_engines.formats.json_schema import reading
from llm_schema_engines.formats.json_schema.reading import JsonReadError, has_inexact_number, read

TEXTS = st.text(max_size=4) | st.sampled_from(["1.5", '"', "\\", "12345678901234567890", "1e5", ": 0.5,"])
NUMBERS = st.integers(-(2**80), 2**80) | st.floats(allow_nan=True) | st.sampled_from([-0.0, 1e5, 10**17])
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


def outcome(content: bytes) -> Any:
    """What `read` makes of a text: the value with the types of its numbers, or why it is refused."""
    try:
        value = read(content, max_bytes=10**6, max_depth=100, max_digits=400)
    except JsonReadError as error:
        return error.issue
    return repr(value)


def both(content: bytes, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    quick = outcome(content)
    with monkeypatch.context() as patched:
        patched.setattr(reading, "_read_fast", lambda *_: reading._UNREAD)
        return quick, outcome(content)


@pytest.fixture(scope="module")
def patching() -> Any:
    with pytest.MonkeyPatch.context() as patched:
        yield patched


@given(
    VALUES,
    st.booleans(),
    st.sampled_from([None, 1]),
    st.tuples(
        st.integers(0, 60), st.sampled_from([b"", b'"', b"\\", b"0.", b"-", b'{"a":1,"a":2}', b"\xff"])
    ),
)
def test_both_ways_agree(
    patching: pytest.MonkeyPatch, value: Any, escaped: bool, indent: int | None, damage: tuple[int, bytes]
) -> None:
    content = json.dumps(value, ensure_ascii=escaped, indent=indent).encode("utf-8", "surrogatepass")
    place, put = damage

    for text in (content, content[:place] + put + content[place:]):
        quick, long = both(text, patching)

        assert quick == long


@pytest.mark.parametrize(
    "content",
    [
        b'{"a": 1, "a": 2}',
        b'{"a": {"b": "x", "c": 1, "b": "x"}}',
        b'{"a\\u0022": 1, "x": {"a": 1, "a": 1}}',
        b'{"a\\"": 1, "a\\"": 1}',
        b'{"a": 1, "\\u0061": 2}',
        b'{"\\ud800": 1}',
        b'{"a": "\\ud83d\\ude00"}',
        b'["\\u00e4", 1]',
        b'{"a": 1.0}',
        b'{"a": "1.0"}',
        b'{"a": "\\"", "b": "0.5\\\\", "c": 0.5}',
        b"[12345678901234567890]",
        b"[123456789012345678]",
        b"[-0]",
        b"[1E2]",
        b" 1.5 ",
        b"NaN",
        b"[01]",
        b"[1,]",
        b"\xef\xbb\xbf{}",
        b'"\x01"',
        b"",
        b"  ",
        b"[" * 101 + b"]" * 101,
    ],
)
def test_both_ways_agree_on_odd_texts(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    quick, long = both(content, monkeypatch)

    assert quick == long


@pytest.mark.parametrize(
    ("content", "inexact"),
    [
        (b'{"a": 1, "b": "1.5 and 2e3"}', False),
        (b'{"a": "x\\" 1.5"}', False),
        (b'{"a": "\\\\", "b": 1.5}', True),
        (b'{"a": 1.5}', True),
        (b"1e5", True),
        (b"[1234567890123456789]", True),
        (b"[123456789012345678]", False),
        (b'["1234567890123456789"]', False),
    ],
)
def test_numbers_that_the_fast_parser_would_round(content: bytes, inexact: bool) -> None:
    assert has_inexact_number(content) is inexact
