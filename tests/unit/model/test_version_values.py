"""Semantic versions order as clause 11 of SemVer says, and selectors mean what they spell."""

import itertools

import pytest

from llm_schema_engines.model.version import SemanticVersion
from llm_schema_registry_server.errors import InvalidVersion
from llm_schema_registry_server.model.selector import (
    Exact,
    Latest,
    Ordinal,
    Range,
    parse_selector,
)

ASCENDING = [
    "0.0.1",
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.beta",
    "1.0.0-beta",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0.0-rc.1",
    "1.0.0",
    "1.0.1",
    "1.2.0",
    "1.10.0",
    "2.0.0",
]


@pytest.mark.parametrize(("low", "high"), list(itertools.combinations(ASCENDING, 2)))
def test_versions_sort_by_precedence(low: str, high: str) -> None:
    assert SemanticVersion.parse(low) < SemanticVersion.parse(high)


@pytest.mark.parametrize(
    "text", ["1", "1.0", "01.0.0", "1.0.0-", "1.0.0-01", "v1.0.0", "1.0.0 ", "1.0.0\n", "9" * 200]
)
def test_what_is_not_a_semantic_version_is_refused(text: str) -> None:
    with pytest.raises(InvalidVersion):
        SemanticVersion.parse(text)


@pytest.mark.parametrize("text", ["1.2.3", "1.0.0-rc.1+build.5", "0.0.0-draft.7"])
def test_a_version_prints_as_it_was_written(text: str) -> None:
    assert str(SemanticVersion.parse(text)) == text


def test_build_metadata_does_not_count() -> None:
    assert SemanticVersion.parse("1.0.0+a") == SemanticVersion.parse("1.0.0+b")


@pytest.mark.parametrize("text", ["", "latest", "-1"])
def test_latest_has_three_spellings(text: str) -> None:
    assert parse_selector(text) == Latest()


def test_a_number_is_an_ordinal() -> None:
    assert parse_selector("3") == Ordinal(3) == parse_selector("v3")


def test_a_full_version_is_exact() -> None:
    assert parse_selector("1.4.0") == Exact(SemanticVersion(1, 4, 0))


@pytest.mark.parametrize(
    "text", ["0", "v0", "99999999999", "1.x.3", "^", "abc", "1..2", "٣", "^1.2.3.4", "x" * 101]
)
def test_a_bad_selector_is_refused(text: str) -> None:
    with pytest.raises(InvalidVersion):
        parse_selector(text)


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("^1.2", ["1.2.0", "1.9.9"], ["1.1.9", "2.0.0", "1.3.0-rc.1"]),
        ("^0.2.3", ["0.2.3", "0.2.9"], ["0.3.0", "0.2.2"]),
        ("^0.0.3", ["0.0.3"], ["0.0.4", "0.0.2"]),
        ("^0.0", ["0.0.9"], ["0.1.0"]),
        ("~1.2", ["1.2.0", "1.2.7"], ["1.3.0"]),
        ("~1.2.3", ["1.2.3", "1.2.7"], ["1.2.2", "1.3.0"]),
        ("~1", ["1.0.0", "1.9.0"], ["2.0.0"]),
        ("1.x", ["1.0.0", "1.9.0"], ["2.0.0", "0.9.0"]),
        ("1.2.*", ["1.2.5"], ["1.3.0"]),
        ("*", ["0.0.1", "99.0.0"], ["1.0.0-rc.1"]),
    ],
)
def test_a_range_holds_what_npm_says(text: str, inside: list[str], outside: list[str]) -> None:
    selector = parse_selector(text)

    assert isinstance(selector, Range)
    assert [v for v in inside if not selector.holds(SemanticVersion.parse(v))] == []
    assert [v for v in outside if selector.holds(SemanticVersion.parse(v))] == []
