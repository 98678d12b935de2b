"""Scopes: what they hold, what they cover, and the ranges of names that a list reads for them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_schema_registry_server.errors import InvalidRequest
from llm_schema_registry_server.model.pattern import matches
from llm_schema_registry_server.model.scope import (
    EVERYTHING,
    MOST_RANGES,
    NOTHING,
    Part,
    Scope,
    SubjectRange,
    SubjectScope,
)
from llm_schema_registry_server.model.subject import Subject

CONTEXTS = ("", ":.a:", ":.ab:")


def names() -> st.SearchStrategy[str]:
    """Qualified names of few letters, so that they meet the scopes."""
    return st.builds(
        "{}{}".format, st.sampled_from(CONTEXTS), st.text("ab.:/~\U0010ffff", min_size=1, max_size=5)
    ).filter(_is_name)


def _is_name(text: str) -> bool:
    try:
        return str(Subject.parse(text)) == text
    except InvalidRequest:
        return False


def scopes() -> st.SearchStrategy[Scope]:
    inside = st.text("ab.:*?", min_size=1, max_size=4)
    texts = st.builds("{}{}".format, st.sampled_from((*CONTEXTS, ":.:")), inside)
    return st.one_of(st.just("*"), texts).map(_parsed).filter(lambda s: s is not None)  # type: ignore[return-value]


def _parsed(text: str) -> Scope | None:
    try:
        return Scope.parse(text)
    except InvalidRequest:
        return None


def holds(scope: Scope, name: str) -> bool:
    """What a scope means, said another way."""
    if scope.everything:
        return True
    subject = Subject.parse(name)
    return subject.context == scope.context and matches(scope.pattern, subject.name)


def in_part(part: Part, name: str) -> bool:
    inside = part.low <= name and (part.high is None or name < part.high)
    return inside and (part.pattern is None or matches(part.pattern, name))


def in_range(found: SubjectRange, name: str) -> bool:
    return (
        in_part(Part(found.low, found.high), name)
        and (not found.any_of or any(in_part(part, name) for part in found.any_of))
        and next((belongs for part, belongs in found.cases if in_part(part, name)), found.otherwise)
    )


def layers() -> st.SearchStrategy[list[tuple[Scope, bool]]]:
    return st.lists(st.tuples(scopes(), st.booleans()), max_size=4)


def belongs(included: Sequence[Scope], layered: Sequence[tuple[Scope, bool]], name: str) -> bool:
    """What a set means, said another way."""
    first = next((told for scope, told in layered if holds(scope, name)), True)
    return first and any(holds(scope, name) for scope in included)


@pytest.mark.slow
@given(st.lists(scopes(), max_size=4), layers(), st.lists(names(), max_size=8))
@settings(max_examples=400)
def test_a_set_holds_what_its_scopes_hold_and_its_ranges_read_that(
    included: Sequence[Scope], layered: Sequence[tuple[Scope, bool]], asked: Sequence[str]
) -> None:
    made = SubjectScope(included, layered)
    ranges = made.ranges()

    for name in asked:
        expected = belongs(included, layered, name)
        assert made.contains(name) is expected
        assert sum(in_range(found, name) for found in ranges) == expected  # in one range at most
    for before, after in itertools.pairwise(ranges):
        assert before.high is not None
        assert before.high <= after.low


@pytest.mark.slow
@given(st.lists(scopes(), max_size=3), layers(), scopes(), names())
@settings(max_examples=400)
def test_what_is_covered_is_held_and_what_is_held_is_met(
    included: Sequence[Scope], layered: Sequence[tuple[Scope, bool]], asked: Scope, name: str
) -> None:
    made = SubjectScope(included, layered)

    if holds(asked, name):
        if made.covers(asked):
            assert made.contains(name)
        if made.contains(name):
            assert made.meets(asked)


@given(scopes())
def test_a_scope_is_read_as_it_is_written(scope: Scope) -> None:
    assert Scope.parse(str(scope)) == scope


def test_many_names_are_read_as_one_range() -> None:
    made = SubjectScope(Scope.parse(f"n{number:03}") for number in range(MOST_RANGES + 1))

    (found,) = made.ranges()
    assert (found.low, found.high) == ("n000", "n064\x01")
    assert in_range(found, "n007")
    assert not in_range(found, "n007x")


def test_a_wildcard_leads_into_no_other_context() -> None:
    made = SubjectScope([Scope.parse("*orders"), Scope.parse(":.a:*")])

    assert made.contains("my orders")
    assert not made.contains(":.b:orders")
    assert made.contains(":.a:orders")
    assert not made.contains(":.ab:orders")


@pytest.mark.parametrize(
    "text",
    [":.*:orders", ":.a", ":.a:", ":.a?:x", "a\x00", " a", "a" * 256, "*?" * 5, ":.:" + ":.x:y", "a\ud800"],
)
def test_a_text_that_is_no_scope_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        Scope.parse(text)


def test_everything_and_nothing() -> None:
    assert EVERYTHING.everything
    assert NOTHING.nothing
    assert NOTHING.ranges() == []
    assert EVERYTHING.without([Scope.parse("*")]).nothing
    assert not EVERYTHING.without([Scope.parse("secret.*")]).everything
