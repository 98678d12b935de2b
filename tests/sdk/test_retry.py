"""UNAVAILABLE is tried again: with jitter, within the deadline, and never twice what must not happen twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from llm_schema_registry import (
    Code,
    ConcurrentUpdate,
    DeadlineExceeded,
    InternalError,
    RetryPolicy,
    ShuttingDown,
    StorageUnavailable,
    SubscriberTooSlow,
    Unavailable,
)
from llm_schema_registry._retry import Attempts
from llm_schema_registry.v1 import schema_registry_pb2 as pb
from tests.sdk.conftest import Face, connect
from tests.sdk.fake_registry import FakeRegistry, answers, described, fails, filled

DOWN = fails(Code.UNAVAILABLE)
HEALTHY = answers(pb.HealthCheckResponse(status=pb.HealthCheckResponse.STATUS_HEALTHY))


class Clock:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_waits_grow_to_the_longest_and_are_drawn_from_zero_up() -> None:
    policy = RetryPolicy(attempts=7, first=0.1, longest=1.0, multiplier=2.0)

    ceilings = Attempts(policy, None, dice=lambda: 1.0)
    assert [ceilings.after(Unavailable("")) for _ in range(6)] == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
    floors = Attempts(policy, None, dice=lambda: 0.0)
    assert [floors.after(Unavailable("")) for _ in range(6)] == [0.0] * 6


def test_the_last_try_is_the_last() -> None:
    attempts = Attempts(RetryPolicy(attempts=3, first=0), None)
    assert [attempts.after(Unavailable("")) for _ in range(3)] == [0.0, 0.0, None]


def test_a_success_starts_the_count_anew() -> None:
    attempts = Attempts(RetryPolicy(attempts=2, first=0), None)
    assert attempts.after(Unavailable("")) == 0.0
    attempts.succeeded()
    assert attempts.after(Unavailable("")) == 0.0


def test_no_wait_goes_past_the_deadline() -> None:
    clock = Clock()
    attempts = Attempts(RetryPolicy(attempts=9, first=4.0, longest=4.0), 6.0, clock=clock, dice=lambda: 1.0)
    assert attempts.remaining() == 6.0
    assert attempts.after(Unavailable("")) == 4.0
    clock.now += 4.0
    assert attempts.remaining() == 2.0
    assert attempts.after(Unavailable("")) == 1.0  # less than was drawn: what is left is used, too
    clock.now += 1.99
    assert attempts.after(Unavailable("")) is None


@pytest.mark.parametrize(
    ("error", "repeatable", "again"),
    [
        (Unavailable("connection lost", reason=""), True, True),
        (Unavailable("connection lost", reason=""), False, False),
        (StorageUnavailable("refused by the server"), False, True),
        (ShuttingDown("refused by the server"), False, True),
        (ConcurrentUpdate("another writer was faster"), True, True),
        (SubscriberTooSlow("resume"), True, False),
        (InternalError("bug"), True, False),
        (DeadlineExceeded("late"), True, False),
    ],
)
def test_only_what_did_not_happen_is_tried_again(error: Any, repeatable: bool, again: bool) -> None:
    attempts = Attempts(RetryPolicy(), None)
    assert (attempts.after(error, repeatable=repeatable) is not None) is again


def test_many_failures_do_not_overflow() -> None:
    assert RetryPolicy().ceiling(10_000) == 2.0


def test_tries_go_on_until_the_deadline_however_many_they_are() -> None:
    clock = Clock()
    attempts = Attempts(RetryPolicy(first=0.1, longest=0.5), 20.0, clock=clock, dice=lambda: 1.0)
    tries = 0
    while (delay := attempts.after(Unavailable(""))) is not None:
        clock.now += delay
        tries += 1
    assert tries > 40
    assert 119.9 < clock.now <= 120.0


def test_a_request_that_never_left_may_be_sent_again_whatever_it_does() -> None:
    refused = Unavailable("failed to connect to all addresses", reason="")
    assert Attempts(RetryPolicy(), 5.0).after(refused, repeatable=False) is None
    refused.never_sent = True
    assert Attempts(RetryPolicy(), 5.0).after(refused, repeatable=False) is not None


def test_a_stream_that_moves_has_the_whole_time_again() -> None:
    clock = Clock()
    attempts = Attempts(RetryPolicy(), 5.0, clock=clock, dice=lambda: 0.0)
    clock.now += 5.0
    attempts.succeeded()
    assert attempts.after(Unavailable("")) == 0.0


def test_another_address_is_tried_at_once() -> None:
    attempts = Attempts(RetryPolicy(attempts=3, first=4.0), 20.0, dice=lambda: 1.0)
    assert attempts.after(Unavailable(""), elsewhere=True) == 0.0
    assert attempts.after(Unavailable("")) == 2.0


@pytest.mark.parametrize("wrong", [{"attempts": 0}, {"first": -1.0}, {"longest": -1.0}, {"multiplier": 0.5}])
def test_a_policy_that_cannot_be_meant_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match="it must be"):
        RetryPolicy(**wrong)


async def test_a_call_outlives_a_short_outage(fake: FakeRegistry, client: Face) -> None:
    fake.script("HealthCheck", DOWN, DOWN, HEALTHY)

    assert (await client.health_check()).status.name == "HEALTHY"
    assert len(fake.calls["HealthCheck"]) == 3


async def test_a_long_outage_is_told(fake: FakeRegistry, client: Face) -> None:
    fake.script("HealthCheck", DOWN)

    with pytest.raises(Unavailable):
        await client.health_check()
    assert len(fake.calls["HealthCheck"]) == 4


async def test_other_failures_are_told_at_once(fake: FakeRegistry, client: Face) -> None:
    fake.script("HealthCheck", fails(Code.INTERNAL))

    with pytest.raises(InternalError):
        await client.health_check()
    assert len(fake.calls["HealthCheck"]) == 1


@pytest.mark.parametrize(
    ("rpc", "call"),
    [
        ("DeleteSchema", lambda c: c.delete_schema("id")),
        ("DeleteSubject", lambda c: c.delete_subject("s")),
        ("UndeleteSchema", lambda c: c.undelete_schema("id")),
        ("DeleteConfig", lambda c: c.delete_config("s")),
        ("UpdateSchemaMetadata", lambda c: c.update_schema_metadata("id", state="DEPRECATED")),
    ],
)
async def test_what_must_not_happen_twice_is_repeated_only_when_the_server_refused_it(
    rpc: str, call: Any, fake: FakeRegistry, client: Face
) -> None:
    refused = fails(Code.UNAVAILABLE, reason="SHUTTING_DOWN")
    fake.script(rpc, refused, answers(filled(described(rpc))), DOWN)

    await call(client)
    assert len(fake.calls[rpc]) == 2
    with pytest.raises(Unavailable):
        await call(client)
    assert len(fake.calls[rpc]) == 3


@pytest.mark.parametrize(
    ("rpc", "call"),
    [
        ("RegisterSchema", lambda c: c.register_schema("s", "{}")),
        ("SetConfig", lambda c: c.set_config("s", compatibility_level="FULL")),
        ("UpdateSchemaMetadata", lambda c: c.update_schema_metadata("id", description="d")),
    ],
)
async def test_a_write_that_may_happen_twice_is_repeated_when_the_connection_breaks(
    rpc: str, call: Any, fake: FakeRegistry, client: Face
) -> None:
    fake.script(rpc, DOWN, answers(filled(described(rpc))))

    await call(client)
    assert len(fake.calls[rpc]) == 2


async def never(requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
    await asyncio.Event().wait()
    yield None


async def test_a_server_that_does_not_answer_meets_the_deadline(fake: FakeRegistry, client: Face) -> None:
    fake.script("HealthCheck", never)

    with pytest.raises(DeadlineExceeded, match=r"no answer within 0\.2 s"):
        await client.health_check(timeout=0.2)


async def test_a_deadline_that_cuts_off_a_repetition_tells_what_was_repeated(
    fake: FakeRegistry, client: Face
) -> None:
    fake.script("HealthCheck", DOWN, never)

    with pytest.raises(Unavailable):
        await client.health_check(timeout=1)


def test_a_call_that_must_not_happen_twice_is_said_to_have_missed_its_deadline() -> None:
    attempts = Attempts(RetryPolicy(), 5.0)
    late = DeadlineExceeded("late")
    assert attempts.reason(late) is late
    before = StorageUnavailable("no")
    attempts.after(before)
    assert attempts.reason(late) is before
    assert attempts.reason(late, repeatable=False) is late  # the last try may have had its effect
    attempts.succeeded()
    assert attempts.reason(late) is late


async def test_nobody_there_is_unavailable(kind: str) -> None:
    async with connect(kind, "localhost:1") as client:
        with pytest.raises(Unavailable):
            await client.health_check()


async def test_a_closed_client_says_so(fake: FakeRegistry, client: Face) -> None:
    fake.script("HealthCheck", HEALTHY)
    await client.health_check()
    await client.__aexit__()

    with pytest.raises(RuntimeError, match="closed"):
        await client.health_check()


def test_a_server_that_accepts_no_connection_is_given_up_early_when_the_policy_says_so() -> None:
    now = 0.0
    attempts = Attempts(RetryPolicy(first=1.0, connect=5.0), 30.0, clock=lambda: now, dice=lambda: 0.5)
    away = Unavailable("no", reason="")
    away.never_sent = True
    assert attempts.after(away) is not None
    now = 4.9
    assert attempts.after(away) is None
    assert attempts.after(Unavailable("no", reason="")) is not None  # somebody is there
    attempts.succeeded()
    assert attempts.after(away) is not None
