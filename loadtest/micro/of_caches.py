"""Micro-benchmarks of caches, queues and the subscribers' patterns."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from .benchmark import Benchmark, Operation

ENTRIES = 1000


def memory_cache(limit: int) -> Any:
    from llm_schema_registry_server.caches.memory import MemoryCache

    cache: Any = MemoryCache(limit, len)
    for number in range(ENTRIES):
        cache.put(f"key {number}", b"x" * 1000)
    return cache


def hit() -> Operation:
    return partial(memory_cache(1 << 24).get, "key 500")


def miss() -> Operation:
    return partial(memory_cache(1 << 24).get, "another key")


def put_over_another() -> Operation:
    """Each value that is put makes one go."""
    cache, numbers, value = memory_cache(ENTRIES * 1200), itertools.count(), b"x" * 1000
    return lambda: cache.put(next(numbers), value)


def _answers() -> tuple[Any, Any, list[Any]]:
    from llm_schema_registry_server.calls.answer_cache import AnswerCache, CachedAnswer
    from llm_schema_registry_server.calls.operation import Resource, ResourceKind

    cache = AnswerCache(1 << 26)
    answers = [
        CachedAnswer(b"x" * 1000, resources=(Resource(ResourceKind.SUBJECT, f"bench.s{number}"),), named=1)
        for number in range(ENTRIES)
    ]
    for number, answer in enumerate(answers):
        cache.store(cache.begin(), _key(number), answer)
    return cache, CachedAnswer, answers


def _key(number: int) -> tuple[str, str, bytes]:
    return "grpc", "/schema_registry.v1.SchemaRegistry/GetSchema", b"%036d" % number


def answer_hit() -> Operation:
    cache, _, _ = _answers()
    key = _key(500)

    def operation() -> None:
        cache.gave(key, cache.lookup(key))

    return operation


def answer_miss() -> Operation:
    cache, _, _ = _answers()
    return partial(cache.lookup, _key(ENTRIES + 1))


def answer_stored_and_dropped() -> Operation:
    cache, _, answers = _answers()

    def operation() -> None:
        cache.store(cache.begin(), _key(500), answers[500])
        cache.invalidate("bench.s500")

    return operation


def single_flight() -> Operation:
    from llm_schema_registry_server.caches.single_flight import SingleFlight

    flights: Any = SingleFlight()

    async def compute() -> int:
        return 1

    return partial(flights.run, "key", compute)


def fair_queue() -> Operation:
    from llm_schema_registry_server.queues.caller import Caller
    from llm_schema_registry_server.queues.fair_queue import FairQueue, QueueLimits

    queue = FairQueue("bench", (4, 3, 2), QueueLimits(), what="tasks wait", setting="queues")
    callers = itertools.cycle([Caller(f"caller {number}") for number in range(50)])

    def operation() -> None:
        ticket = queue.take_now(next(callers))
        if ticket is None:
            raise RuntimeError("there was no room")
        ticket.release(0.001)

    return operation


def pattern(text: str) -> Operation:
    from llm_schema_registry_server.model.pattern import Glob

    return partial(Glob(text).matches, "team-a.orders.created")


def benchmarks() -> Iterator[Benchmark]:
    made: dict[str, Callable[[], Operation]] = {
        "memory, a hit": hit,
        "memory, a miss": miss,
        "memory, a value that makes another go": put_over_another,
        "answers, a hit": answer_hit,
        "answers, a miss": answer_miss,
        "answers, stored and dropped by a change": answer_stored_and_dropped,
        "single flight, alone": single_flight,
        "fair queue, taken and given back": fair_queue,
        "pattern, beginning": partial(pattern, "team-a.*"),
        "pattern, three parts": partial(pattern, "*team*orders*created"),
    }
    for name, make in made.items():
        yield Benchmark("cache", name, make)
