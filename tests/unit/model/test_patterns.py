"""`*` stands for any characters, `?` for one, everything else for itself."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_schema_registry_server.model.pattern import matches


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("com.*", "com.a.b", True),
        ("com.*", "org.com.a", False),
        ("*", "", True),
        ("?", "", False),
        ("a?c", "abc", True),
        ("a[b]", "a[b]", True),
        ("a.c", "abc", False),
        ("*a*b*", "xxaxxbxx", True),
    ],
)
def test_examples(pattern: str, text: str, expected: bool) -> None:
    assert matches(pattern, text) is expected


@given(st.text("ab.*?[", max_size=8), st.text("ab.[", max_size=8))
def test_it_agrees_with_the_same_regular_expression(pattern: str, text: str) -> None:
    regex = "".join({"*": ".*", "?": "."}.get(c, re.escape(c)) for c in pattern)

    assert matches(pattern, text) is (re.fullmatch(regex, text, re.DOTALL) is not None)


def test_many_wildcards_take_no_exponential_time() -> None:
    assert not matches("*a" * 100 + "b", "a" * 255)
