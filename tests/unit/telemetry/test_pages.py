"""The series of several processes on one page: what counts is summed, what is now is put together as each family says."""

from __future__ import annotations

import pytest
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics

from llm_schema_registry_server.telemetry import families
from llm_schema_registry_server.telemetry.metrics import ComponentReading, Metrics
from llm_schema_registry_server.telemetry.pages import DamagedPage, MergedPage, PageRegistry, dumped


def page(*seconds: float, revision: int = 0, up: float = 1.0, traceparent: str = "") -> bytes:
    """Of a process that has answered calls in so many seconds each."""
    metrics = Metrics()
    for each in seconds:
        metrics.calls.of("/s/M", "grpc").ended("OK", each, traceparent)
    metrics.calls.of("/s/M", "grpc").running = 2
    metrics.revision.set(revision)
    metrics.read_components(lambda: {"storage": ComponentReading(up, {})})
    return dumped(metrics.registry.collect())


def merged(*pages: bytes, ended: tuple[bytes, ...] = ()) -> PageRegistry:
    made = MergedPage()
    for each in pages:
        made.add(each)
    for each in ended:
        made.add(each, ended=True)
    return PageRegistry(made.families())


def value(registry: PageRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(f"schema_registry_{name}", labels)


def test_counters_and_histograms_are_summed() -> None:
    both = merged(page(0.002, 0.3), page(0.002))

    assert value(both, "calls_total", method="/s/M", wire="grpc", code="OK") == 3
    assert value(both, "call_seconds_bucket", method="/s/M", wire="grpc", le="0.0025") == 2
    assert value(both, "call_seconds_bucket", method="/s/M", wire="grpc", le="+Inf") == 3
    assert value(both, "call_seconds_sum", method="/s/M", wire="grpc") == pytest.approx(0.304)


def test_gauges_are_the_sum_the_largest_or_the_smallest() -> None:
    both = merged(page(revision=7, up=1.0), page(revision=9, up=0.5))

    assert value(both, "calls_in_flight", wire="grpc") == 4
    assert value(both, "revision") == 9
    assert value(both, "component_up", component="storage") == 0.5


def test_of_a_process_that_has_ended_only_what_it_has_counted_stays() -> None:
    both = merged(page(0.1, revision=3), ended=(page(0.1, 0.1, revision=9),))

    assert value(both, "calls_total", method="/s/M", wire="grpc", code="OK") == 3
    assert value(both, "calls_in_flight", wire="grpc") == 2
    assert value(both, "revision") == 3


def test_what_was_merged_can_be_merged_again() -> None:
    once = dumped(merged(page(0.1), ended=(page(0.1),)).collect())

    assert value(merged(once, page(0.1)), "calls_total", method="/s/M", wire="grpc", code="OK") == 3


def test_a_page_of_one_reads_as_it_was() -> None:
    metrics = Metrics()
    metrics.calls.of("/s/M", "grpc").ended("OK", 0.1)
    families_now = list(metrics.registry.collect())  # processor time goes on between two looks

    assert generate_latest(merged(dumped(families_now))) == generate_latest(PageRegistry(families_now))


def test_the_newest_exemplar_stays() -> None:
    old = page(0.002, traceparent=f"00-{'a' * 32}-{'1' * 16}-01")
    new = page(0.002, traceparent=f"00-{'b' * 32}-{'2' * 16}-01")
    text = openmetrics(merged(new, old)).decode()

    assert "b" * 32 in text
    assert "a" * 32 not in text


def test_only_the_series_that_are_asked_for() -> None:
    chosen = generate_latest(merged(page(0.1)).restricted_registry(["schema_registry_calls_total"])).decode()

    assert "schema_registry_calls_total{" in chosen
    assert "schema_registry_revision" not in chosen


@pytest.mark.parametrize(
    "data", [b"", b"{}x", b"[1]", b'[["n","gauge","m",[["n",5,1]]]]', b'[["n","gauge","m",[[]]]]']
)
def test_bytes_that_are_no_page_are_refused_and_change_nothing(data: bytes) -> None:
    made = MergedPage()
    with pytest.raises(DamagedPage):
        made.add(data)

    assert list(made.families()) == []


def test_every_gauge_says_what_it_is_of_several_processes() -> None:
    """The same from all processes, or a state: a sum would be wrong. The list is what somebody has thought about."""
    summed = {name for name, f in families.ALL.items() if f.kind == "gauge" and f.across == "sum"}

    assert summed == SUMMED


SUMMED = {
    *(f"schema_registry_{name}" for name in (
        "calls_in_flight", "streams_open", "unread_bytes", "tls_connections", "usage_waiting", "subscribers",
        "answer_cache_entries", "answer_cache_bytes", "cache_entries", "cache_bytes", "cache_limit_bytes",
        "db_connections", "db_connections_max", "queue_waiting", "queue_held", "queue_room", "worker_processes",
        "audit_records_waiting", "asyncio_tasks", "threads", "serving_processes", "serving_process_resident_bytes",
    )),
    *(f"kafka_schema_registry_{name}" for name in (
        "api_success_count", "api_failure_count", "jersey_metrics_request_rate",
        "kafka_schema_registry_metrics_connection_count", "jetty_metrics_connections_active",
    )),
    "process_resident_memory_bytes", "process_virtual_memory_bytes",
}  # fmt: skip
