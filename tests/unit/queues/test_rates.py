"""Token buckets: never more than the rate and the burst allow, and never less."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_schema_registry_server.queues.rates import Bucket, Rate


def test_a_full_bucket_gives_its_burst_and_then_as_it_fills() -> None:
    bucket, rate = Bucket(), Rate(10, 5)
    assert [bucket.take(rate, 100.0) for _ in range(7)] == [True] * 5 + [False] * 2
    assert bucket.left(rate, 100.0) == 0
    assert bucket.wait(rate, 100.0) == pytest.approx(0.1)
    assert not bucket.take(rate, 100.09)
    assert bucket.take(rate, 100.1)
    assert not bucket.take(rate, 100.1)
    assert bucket.left(rate, 100.5) == 4
    assert bucket.left(rate, 200.0) == 5
    assert bucket.wait(rate, 200.0) == 0


def test_a_factor_multiplies_both_and_leaves_one_call_at_least() -> None:
    assert Rate(10, 5).times(2) == Rate(20, 10)
    assert Rate(10, 5).times(0.01) == Rate(0.1, 1)


@given(
    rate=st.builds(Rate, st.sampled_from([0.5, 1, 3, 7, 100, 12345.6]), st.integers(1, 50)),
    pauses=st.lists(st.floats(0, 2), min_size=1, max_size=200),
)
def test_in_no_time_more_is_given_than_burst_and_rate(rate: Rate, pauses: list[float]) -> None:
    bucket, now, given_at = Bucket(), 1000.0, []
    for pause in pauses:
        now += pause
        left = bucket.left(rate, now)
        took = bucket.take(rate, now)
        assert took == (left >= 1)
        assert took == (bucket.left(rate, now) == left - 1)
        if took:
            given_at.append(now)
    for first in range(len(given_at)):
        for last in range(first, len(given_at)):
            most = rate.burst + (given_at[last] - given_at[first]) * rate.per_second
            assert last - first + 1 <= most + 1e-6
