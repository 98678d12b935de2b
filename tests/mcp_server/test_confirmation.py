"""Confirmations of what destroys: for one plan of one caller, for a short time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_schema_registry.mcp_server.confirmation import LONGEST, SECONDS, Confirmations


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def test_a_token_is_good_for_its_plan_its_caller_and_its_time() -> None:
    clock = Clock()
    made = Confirmations(clock=clock)
    token = made.make("principal a", "plan")
    assert len(token) <= LONGEST
    assert made.good(token, "principal a", "plan")
    assert not made.good(token, "principal b", "plan")
    assert not made.good(token, "principal a", "plan 2")
    assert not made.good(token, "principal ap", "lan")
    clock.now += SECONDS - 1
    assert made.good(token, "principal a", "plan")
    clock.now += 1
    assert not made.good(token, "principal a", "plan")


def test_replicas_that_share_a_secret_take_each_others_tokens() -> None:
    one, two, other = Confirmations(b"s" * 32), Confirmations(b"s" * 32), Confirmations()
    token = one.make("a", "p")
    assert two.good(token, "a", "p")
    assert not other.good(token, "a", "p")


@pytest.mark.parametrize("token", ["", "del_", "del_é", "del_====", "x" * 64, "del_" + "A" * 60, "tok_AAAA"])
def test_what_is_no_token_is_none(token: str) -> None:
    assert not Confirmations().good(token, "a", "p")


@given(st.integers(0, 43), st.integers(1, 63))
def test_no_changed_token_is_good(place: int, by: int) -> None:
    made = Confirmations(b"s" * 32)
    token = made.make("a", "p")
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    at = len("del_") + place
    if at >= len(token) or token[at] == "=":
        return
    changed = token[:at] + letters[(letters.index(token[at]) + by) % 64] + token[at + 1 :]
    assert not made.good(changed, "a", "p") or len(changed) != len(token)
