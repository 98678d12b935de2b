"""What the load test takes for right answers is right, by the engines."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from llm_schema_engines import check, parse, validate
from tests.loadtest import ROOT

assert ROOT  # puts loadtest/ on the path
from loads import corpus  # noqa: E402
from loads.shapes import SHAPES  # noqa: E402

KINDS = {1: corpus.JSON, 3: corpus.AVRO, 9: corpus.PROTOBUF}


@pytest.mark.parametrize("number", KINDS)
def test_data_of_the_corpus_is_valid_and_invalid_as_it_says(number: int) -> None:
    for entry in corpus.entries(number):
        schema = parse(entry.content, entry.schema_type)

        assert entry.schema_type == KINDS[number]
        assert validate(schema, entry.valid.encode(), encoding="JSON").valid
        assert not validate(schema, entry.invalid.encode(), encoding="JSON").valid


@pytest.mark.parametrize("number", KINDS)
def test_candidates_are_compatible_or_not_as_they_say(number: int) -> None:
    first, last = corpus.entries(number)
    kind = last.schema_type

    assert check(parse(last.content, kind), parse(first.content, kind))
    for right in (True, False):
        candidate = corpus.candidate(last, 7, compatible=right)
        assert bool(check(parse(candidate, kind), parse(last.content, kind))) is right
        assert candidate != corpus.candidate(last, 8, compatible=right)


def test_each_version_of_a_growing_subject_is_compatible_with_the_one_before_it() -> None:
    old, new = (corpus.growing("storm.a", ordinal) for ordinal in (1, 2))

    assert check(new, old)
    assert not check(old, new)
    assert corpus.growing("storm.b", 1) != old


def test_the_corpus_comes_version_after_version() -> None:
    order = [(entry.ordinal, entry.subject) for entry in corpus.without_ids(5)]

    assert order == sorted(order)
    assert len(order) == 5 * corpus.VERSIONS
    assert len(corpus.latest(list(corpus.without_ids(5)))) == 5


def test_few_schemas_are_asked_for_often_and_all_now_and_then() -> None:
    zipf = corpus.Zipf(100, 1.1, random.Random(1))
    chosen = Counter(zipf.next() for _ in range(20_000))

    assert set(chosen) == set(range(100))
    assert sum(count for _, count in chosen.most_common(10)) > 10_000


@pytest.mark.parametrize("name", SHAPES)
def test_a_shape_is_a_part_of_the_full_load_and_reaches_it(name: str) -> None:
    levels = [SHAPES[name](part / 100) for part in range(101)]

    assert all(0 < level <= 1 for level in levels)
    assert max(levels) == 1
