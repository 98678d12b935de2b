"""The guard of rates: who is counted with whom, what answers say, and servers that count together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from llm_schema_registry_server import settings
from llm_schema_registry_server.caches.redis import RedisTier
from llm_schema_registry_server.calls.call import Call
from llm_schema_registry_server.calls.guards import rate_limits
from llm_schema_registry_server.calls.guards.rate_limits import (
    Kind,
    RateLimits,
    RateRules,
    SharedBuckets,
    kind_of,
    kind_of_request,
)
from llm_schema_registry_server.errors import RateLimited
from llm_schema_registry_server.model.principal import Principal
from llm_schema_registry_server.queues.rates import Leased, Rate
from llm_schema_registry_server.rpc.methods import load
from tests.support.redis import RedisServer

OPERATIONS = {m.operation.name: m.operation for m in load()}
ADA, BOB = Principal("ada"), Principal("bob")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def call(name: str = "GetSchema", principal: Principal | None = ADA, connection: str = "10.0.0.7:1") -> Call:
    made = Call(OPERATIONS[name], {}, connection, "grpc", "id")
    if principal is not None:
        made.principal = principal
    return made


def told(made: Call) -> dict[str, str]:
    return {name.removeprefix("x-ratelimit-"): value for name, value in made.own_metadata}


def limits(clock: Clock | None = None, shared: SharedBuckets | None = None, **rates: Rate) -> RateLimits:
    rules = RateRules({Kind(kind): rate for kind, rate in rates.items()}, {"bob": 2.0})
    return RateLimits(rules, shared, clock or Clock())


def test_every_operation_has_the_class_that_its_permission_says() -> None:
    kinds = {name: kind_of(operation) for name, operation in OPERATIONS.items()}
    assert kinds["GetSchema"] is kinds["HealthCheck"] is Kind.READ
    assert kinds["RegisterSchema"] is kinds["SetConfig"] is Kind.WRITE
    assert kinds["CheckCompatibility"] is kinds["ValidateData"] is Kind.CHECK
    assert kinds["CreateApiKey"] is Kind.ADMIN
    assert kinds["StreamSchemaChanges"] is kinds["BatchValidate"] is Kind.STREAM
    assert kind_of_request(OPERATIONS["BatchValidate"]) is Kind.CHECK
    for operation in OPERATIONS.values():
        assert (kind_of(operation) is Kind.STREAM) == operation.streams
        if operation.mutates and not operation.streams:
            assert kind_of(operation) in (Kind.WRITE, Kind.ADMIN)


def test_each_caller_has_a_bucket_of_each_class() -> None:
    guard = limits(read=Rate(1, 2), write=Rate(1, 1))
    assert guard.quick(call())
    assert guard.quick(call())
    with pytest.raises(RateLimited):
        guard.quick(call())
    assert guard.quick(call("RegisterSchema")), "another class"
    assert [guard.quick(call(principal=BOB)) for _ in range(4)] == [True] * 4, "who has a factor of 2"
    with pytest.raises(RateLimited):
        guard.quick(call(principal=BOB))
    assert guard.quick(call("ValidateData")), "a class without a limit"


def test_callers_without_credentials_are_their_addresses_whatever_they_ask() -> None:
    guard = limits(anonymous=Rate(1, 2), read=Rate(1, 100))
    ask = lambda name, address: guard.quick(call(name, None, address))  # noqa: E731
    assert ask("GetSchema", "10.0.0.7:1")
    assert ask("ListSubjects", "10.0.0.7:2")
    with pytest.raises(RateLimited, match=r"address 10\.0\.0\.7"):
        ask("HealthCheck", "10.0.0.7:3")
    assert ask("GetSchema", "10.0.0.8:1")
    assert ask("GetSchema", "[2001:db8::1]:1")
    assert ask("GetSchema", "[2001:db8::2]:1")
    with pytest.raises(RateLimited):
        ask("GetSchema", "[2001:db8::3]:1")


def test_answers_say_what_is_left_and_refusals_when_to_try_again() -> None:
    clock = Clock()
    guard = limits(clock, read=Rate(0.5, 2))
    first, second, third = call(), call(), call()
    guard.quick(first)
    guard.quick(second)
    assert told(first) == {"limit": "2", "remaining": "1", "reset": "2"}
    assert told(second) == {"limit": "2", "remaining": "0", "reset": "4"}
    with pytest.raises(RateLimited) as refused:
        guard.quick(third)
    assert refused.value.retry_seconds == pytest.approx(2)
    assert told(third) == {"limit": "2", "remaining": "0", "reset": "4"}
    clock.now += 2
    assert guard.quick(call())


def test_a_call_that_goes_the_long_way_is_counted_once_and_a_refused_one_refused_again() -> None:
    guard = limits(read=Rate(0.001, 2))
    made = call()
    assert guard.quick(made)
    assert guard.quick(made)
    assert guard.quick(call())
    late = call()
    for _ in range(2):
        with pytest.raises(RateLimited):
            guard.quick(late)


def test_the_table_of_callers_is_bounded_and_who_is_at_its_limit_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rate_limits, "MOST_CALLERS", 50)
    guard = limits(anonymous=Rate(0.001, 2))
    greedy = "10.9.9.9:1"
    for _ in range(2):
        guard.quick(call("GetSchema", None, greedy))
    for n in range(500):
        guard.quick(call("GetSchema", None, f"10.0.{n // 250}.{n % 250}:1"))
    assert len(guard) == 50
    with pytest.raises(RateLimited):
        guard.quick(call("GetSchema", None, greedy))


async def test_a_stream_counts_when_it_is_opened_and_its_requests_wait_for_their_tokens() -> None:
    guard = RateLimits(RateRules({Kind.STREAM: Rate(1, 1), Kind.CHECK: Rate(50, 2)}))
    made = call("BatchValidate")
    began = time.monotonic()
    async with guard(made):
        for _ in range(7):
            await made.each_request()
    assert time.monotonic() - began > 0.08
    with pytest.raises(RateLimited):
        async with guard(call("BatchValidate")):
            pass


async def test_a_request_of_a_stream_that_would_wait_long_is_refused() -> None:
    guard = RateLimits(RateRules({Kind.CHECK: Rate(0.01, 1)}))
    made = call("BatchValidate")
    async with guard(made):
        await made.each_request()
        with pytest.raises(RateLimited):
            await made.each_request()


# -- servers that count together


class Shelf:
    """A shared count that does as it is told."""

    def __init__(self, *answers: Leased | None) -> None:
        self.answers = list(answers)
        self.asked: list[int] = []

    async def lease(self, name: str, rate: Rate, wanted: int) -> Leased | None:
        self.asked.append(wanted)
        await asyncio.sleep(0)
        return self.answers.pop(0) if self.answers else Leased(0, 0, 5.0, 10.0)


async def test_tokens_at_hand_are_given_without_asking_and_more_are_asked_for_in_time() -> None:
    shelf = Shelf(Leased(10, 90, 0, 1.0), Leased(5, 85, 0, 1.0))
    guard = limits(shared=shelf, read=Rate(1000, 100))
    first = call()
    assert not guard.quick(first), "nothing is at hand yet"
    async with guard(first):
        pass
    assert told(first)["remaining"] == "99"
    assert [guard.quick(call()) for _ in range(4)] == [True] * 4
    assert shelf.asked == [10]
    await asyncio.sleep(0.01)
    assert shelf.asked == [10, 5], "half of the lease was used"
    assert [guard.quick(call()) for _ in range(10)] == [True] * 10


async def test_who_is_at_the_shared_limit_is_refused_without_asking_again() -> None:
    clock, shelf = Clock(), Shelf(Leased(1, 0, 0, 9.0), Leased(0, 0, 5.0, 10.0), Leased(1, 3, 0, 1.0))
    guard = limits(clock, shelf, read=Rate(1, 10))
    async with guard(call()):
        pass
    await asyncio.sleep(0.01)
    for _ in range(3):
        with pytest.raises(RateLimited) as refused:
            async with guard(call()):
                pass
        assert refused.value.retry_seconds == pytest.approx(5.0)
    assert len(shelf.asked) == 2
    clock.now += 5.1
    async with guard(call()):
        pass


async def test_while_the_shared_count_is_away_each_server_gives_its_share() -> None:
    clock, shelf = Clock(), Shelf(None, Leased(1, 0, 0, 1.0))
    guard = limits(clock, shelf, read=Rate(10, 10))
    assert await count(guard, 10) == 5
    assert len(shelf.asked) == 1
    clock.now += 1
    async with guard(call()):
        pass


@pytest_asyncio.fixture
async def redis(tmp_path: Path) -> AsyncIterator[RedisServer]:
    server = RedisServer(tmp_path)
    await server.start()
    yield server
    server.kill()


def tier(redis: RedisServer) -> RedisTier:
    return RedisTier(settings.RedisSettings.model_validate({"url": redis.url, "timeout_seconds": 20}))


async def count(guard: RateLimits, calls: int) -> int:
    passed = 0
    for _ in range(calls):
        made = call()
        try:
            if not guard.quick(made):
                async with guard(made):
                    pass
        except RateLimited:
            continue
        passed += 1
        await asyncio.sleep(0)
    return passed


async def test_servers_together_give_no_more_than_the_limit(redis: RedisServer) -> None:
    rules = RateRules({Kind.READ: Rate(0.01, 200)})
    tiers = [tier(redis) for _ in range(4)]
    passed = await asyncio.gather(*(count(RateLimits(rules, each), 150) for each in tiers))
    for each in tiers:
        await each.close()
    assert sum(passed) <= 200
    assert sum(passed) >= 200 - 4 * 20, "what servers hold and do not use is little"


async def test_a_bucket_in_redis_gives_its_burst_and_fills(redis: RedisServer) -> None:
    shared, rate = tier(redis), Rate(100, 10)
    first = await shared.lease("read:ada", rate, 4)
    assert first is not None
    assert (first.tokens, first.left) == (4, 6)
    rest = await shared.lease("read:ada", rate, 20)
    assert rest is not None
    assert rest.tokens in (6, 7)
    other = await shared.lease("read:bob", rate, 1)
    assert other is not None
    assert other.tokens == 1
    await asyncio.sleep(0.2)
    again = await shared.lease("read:ada", rate, 20)
    await shared.close()
    assert again is not None
    assert again.tokens == 10


@pytest.mark.parametrize("value", [b"nan", b"inf", b"-inf", b"x", b"", b"1e300"])
async def test_what_somebody_else_wrote_into_redis_does_no_harm_for_long(
    redis: RedisServer, value: bytes
) -> None:
    shared, rate = tier(redis), Rate(0.1, 10)
    await shared.lease("read:ada", rate, 1)
    client = redis.client()
    (key,) = client.keys("*rate:*")
    client.set(key, value)
    found = await shared.lease("read:ada", rate, 1)
    assert found is not None
    assert found.tokens in (0, 1)
    client.delete(key)
    client.lpush(key, "a list")
    found = await shared.lease("read:ada", rate, 1)
    await shared.close()
    assert found is not None
    assert found.tokens == 1
