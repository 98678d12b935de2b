"""The page of series: named alike, explained, bounded, and apart for every server."""

from __future__ import annotations

import time
from dataclasses import dataclass

import pytest
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from llm_schema_registry_server.errors import LimitExceeded
from llm_schema_registry_server.queues.caller import Caller
from llm_schema_registry_server.queues.fair_queue import FairQueue, QueueLimits, Queues
from llm_schema_registry_server.telemetry import families
from llm_schema_registry_server.telemetry.cells import MOST_SERIES, OTHER, Histograms
from llm_schema_registry_server.telemetry.cells import Counts as Counter
from llm_schema_registry_server.telemetry.confluent import ConfluentNames, quantile
from llm_schema_registry_server.telemetry.http_requests import HttpRequests
from llm_schema_registry_server.telemetry.metrics import ComponentReading, Metrics


@dataclass
class Counts:
    misses: int = 2
    refused: int = 1
    entries: int = 4
    bytes: int = 500


def test_every_series_is_in_the_table_and_explained() -> None:
    metrics = Metrics()
    metrics.read_answer_cache(Counts)
    metrics.read_components(lambda: {"storage": ComponentReading(1.0, {"versions": 3.0})})
    shown = list(text_string_to_metric_families(metrics.page().decode()))

    assert len(shown) > 10
    assert {f.name for f in shown} <= {f.removesuffix("_total") for f in families.ALL}
    assert all(f.documentation for f in shown)


def test_what_parts_count_is_read_at_each_scrape() -> None:
    metrics, counts = Metrics(), Counts(bytes=0)
    metrics.read_answer_cache(lambda: counts)
    series = metrics.calls.of("/s/M", "grpc")
    series.cached = 9
    counts.bytes = 500

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
    one.calls.of("/s/M", "grpc").ended("OK", 0.1)

    name, labels = "schema_registry_calls_total", {"method": "/s/M", "wire": "grpc", "code": "OK"}
    assert one.registry.get_sample_value(name, labels) == 1
    assert two.registry.get_sample_value(name, labels) is None


def test_a_family_whose_labels_somebody_chooses_stays_bounded() -> None:
    counts, histograms = Counter(families.USAGE), Histograms(families.QUEUE_WAIT)
    for n in range(3 * MOST_SERIES):
        counts.add(f"odd {n}")
        histograms.of(f"odd {n}").observe(0.1)

    for found in (dict(counts.items()), dict(histograms.items())):
        assert len(found) == MOST_SERIES + 1
        assert (OTHER,) in found
    assert counts.total() == 3 * MOST_SERIES
    assert sum(cell.count for _, cell in histograms.items()) == 3 * MOST_SERIES


def test_exemplars_name_the_spans_of_the_slowest_and_go_out_to_who_asks_for_openmetrics() -> None:
    metrics = Metrics()
    series = metrics.calls.of("/s/M", "grpc")
    series.ended("OK", 0.3)
    series.ended("OK", 0.003, f"00-{'a' * 32}-{'b' * 16}-01")

    page = openmetrics(metrics.registry).decode()
    (line,) = [line for line in page.splitlines() if " # {" in line and "call_seconds" in line]
    assert 'le="0.005"' in line
    assert f'# {{span_id="{"b" * 16}",trace_id="{"a" * 32}"}} 0.003' in line.replace(", ", ",")
    assert " # {" not in metrics.page().decode()


def test_the_names_of_confluents_dashboard() -> None:
    now = 0.0
    metrics, requests = Metrics(), HttpRequests()
    names = ConfluentNames(metrics.calls, requests, lambda: None, clock=lambda: now)
    metrics.read(names.collect)
    for seconds, status in ((0.002, 200), (0.002, 201), (0.4, 503)):
        requests.seen("GET", "/api/v1/schemas/{schema_id}", status, time.perf_counter() - seconds)
    now = 60.0

    value = metrics.registry.get_sample_value
    assert value("kafka_schema_registry_api_success_count") == 2
    assert value("kafka_schema_registry_api_failure_count") == 1
    now = 90.0
    assert 0 < (value("kafka_schema_registry_jersey_metrics_request_rate") or 0) < 1
    series = metrics.calls.of("/s/M", "http")
    series.running += 2
    for name in ("jetty_metrics_connections_active", "kafka_schema_registry_metrics_connection_count"):
        assert value(f"kafka_schema_registry_{name}") == 2
    assert quantile(0.99, [0, 0, 5, 0, *[0] * 5, 1]) == 0.5
    assert quantile(0.5, [0, 0, 5, 0, *[0] * 5, 1]) == 0.0025
    assert quantile(0.99, [0] * 16) == 0


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
