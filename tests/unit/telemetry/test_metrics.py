"""The page of series: named alike, explained, bounded, and apart for every server."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from prometheus_client.parser import text_string_to_metric_families

from llm_schema_registry_server.errors import LimitExceeded
from llm_schema_registry_server.queues.caller import Caller
from llm_schema_registry_server.queues.fair_queue import FairQueue, QueueLimits, Queues
from llm_schema_registry_server.telemetry.metrics import ComponentReading, Metrics


@dataclass
class Counts:
    misses: int = 2
    refused: int = 1
    entries: int = 4
    bytes: int = 500


def test_every_series_is_ours_and_explained() -> None:
    metrics = Metrics()
    metrics.read_answer_cache(Counts)
    metrics.read_answered(dict)
    metrics.read_components(lambda: {"storage": ComponentReading(1.0, {"versions": 3.0})})
    families = list(text_string_to_metric_families(metrics.page().decode()))

    assert len(families) > 10
    assert all(f.name.startswith("schema_registry_") and f.documentation for f in families)


def test_hot_counters_are_read_at_each_scrape() -> None:
    metrics, counts, answered = Metrics(), Counts(), {("/s/M", "grpc"): 3}
    metrics.read_answer_cache(lambda: counts)
    metrics.read_answered(lambda: answered)
    answered["/s/M", "grpc"] = 9

    labels = {"method": "/s/M", "wire": "grpc"}
    assert metrics.registry.get_sample_value("schema_registry_answer_cache_hits_total", labels) == 9
    assert metrics.registry.get_sample_value("schema_registry_answer_cache_bytes") == 500


def test_tiers_are_read_at_each_scrape() -> None:
    metrics = Metrics()
    redis = {"hit": 1, "breaker_open": 0}
    metrics.read_tiers(lambda: {"parsed": {"hit": 7, "miss": 2}, "redis": redis})
    redis.update(hit=5, breaker_open=1)

    def sample(cache: str, outcome: str) -> float | None:
        return metrics.registry.get_sample_value(
            "schema_registry_cache_lookups_total", {"cache": cache, "outcome": outcome}
        )

    assert (sample("parsed", "hit"), sample("parsed", "miss"), sample("redis", "hit")) == (7, 2, 5)
    assert sample("redis", "breaker_open") is None
    assert metrics.registry.get_sample_value("schema_registry_breaker_open", {"tier": "redis"}) == 1


def test_two_servers_in_one_process_count_apart() -> None:
    one, two = Metrics(), Metrics()
    one.calls.labels("/s/M", "grpc", "OK").inc()

    name, labels = "schema_registry_calls_total", {"method": "/s/M", "wire": "grpc", "code": "OK"}
    assert one.registry.get_sample_value(name, labels) == 1
    assert two.registry.get_sample_value(name, labels) is None


async def test_queues_show_who_waits_how_long_and_how_many_were_refused() -> None:
    metrics, queues = Metrics(), Queues(QueueLimits(per_caller=0))
    metrics.read_queues(queues.all)
    queue = queues.add(FairQueue("q", (1, 1, 1), queues.limits, what="wait", setting="s"))
    taken = queue.take_now(Caller("a"))
    assert taken is not None
    with pytest.raises(LimitExceeded):
        await queue.take(Caller("b"))

    value = metrics.registry.get_sample_value
    assert value("schema_registry_queue_held", {"queue": "q"}) == 1
    assert value("schema_registry_queue_waiting", {"queue": "q"}) == 0
    assert value("schema_registry_queue_refused_total", {"queue": "q", "why": "caller"}) == 1
    assert value("schema_registry_queue_wait_seconds_bucket", {"queue": "q", "le": "0.001"}) == 1
    assert value("schema_registry_queue_wait_seconds_count", {"queue": "q"}) == 1
