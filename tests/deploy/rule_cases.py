"""For each alert one case in which it fires and one in which it is silent, as input of `promtool test rules`.

Run as a program it writes deploy/prometheus/rules.test.yaml, which operators can run without Python.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy" / "prometheus"
FILE = RULES / "rules.test.yaml"

Series = Mapping[str, str]
"""Values a minute apart by series, as promtool has them: `0+60x10` is 0, 60, ... 600."""

ONE = 'instance="a:9091", job="schema-registry"'
MINUTES = 60


def _steady(per_minute: float) -> str:
    return f"0+{per_minute:g}x{MINUTES}"


def _always(value: float) -> str:
    return f"{value:g}+0x{MINUTES}"


def _calls(**per_minute: float) -> Series:
    """Calls by code."""
    return {
        f'schema_registry_calls_total{{{ONE}, method="/s/M", wire="grpc", code="{code}"}}': _steady(count)
        for code, count in per_minute.items()
    }


def _histogram(name: str, labels: str, bound: str, share: float, per_minute: float = 600) -> Series:
    """A histogram of which `share` lies at or below one bound, the rest above it and below 30."""
    inside = f"{ONE}, {labels}" if labels else ONE
    return {
        f'{name}_bucket{{{inside}, le="{bound}"}}': _steady(per_minute * share),
        f'{name}_bucket{{{inside}, le="30.0"}}': _steady(per_minute),
        f'{name}_bucket{{{inside}, le="+Inf"}}': _steady(per_minute),
        f"{name}_count{{{inside}}}": _steady(per_minute),
    }


def _latency(bound: str, share: float) -> Series:
    return _histogram("schema_registry_call_seconds", 'method="/s/M", wire="grpc"', bound, share)


def _pool(used: int) -> Series:
    pool = f'{ONE}, pool="postgres"'
    return {
        f'schema_registry_db_connections{{{pool}, state="used"}}': _always(used),
        f'schema_registry_db_connections{{{pool}, state="idle"}}': _always(100 - used),
        f"schema_registry_db_connections_max{{{pool}}}": _always(100),
    }


def _cache(hits: float, misses: float) -> Series:
    return {
        f'schema_registry_answer_cache_hits_total{{{ONE}, method="/s/M", wire="grpc"}}': _steady(hits),
        f"schema_registry_answer_cache_misses_total{{{ONE}}}": _steady(misses),
    }


def _one(name: str, value: float, labels: str = "") -> Series:
    return {f"{name}{{{ONE}{', ' + labels if labels else ''}}}": _always(value)}


def _counter(name: str, per_minute: float, labels: str = "") -> Series:
    return {f"{name}{{{ONE}{', ' + labels if labels else ''}}}": _steady(per_minute)}


def _database(bound: str, share: float, system: str = "postgresql") -> Series:
    labels = f'db_system_name="{system}", db_operation_name="version", error_type=""'
    return _histogram("db_client_operation_duration_seconds", labels, bound, share)


def _database_errors(per_minute: float, error: str, system: str = "postgresql") -> Series:
    labels = f'db_system_name="{system}", db_operation_name="version", error_type="{error}"'
    return _counter("db_client_operation_duration_seconds_count", per_minute, labels)


def _s3(bound: str, share: float) -> Series:
    return _histogram(
        "schema_registry_s3_operation_seconds", 'operation="GetObject", result="ok"', bound, share
    )


def _results(name: str, label: str, labels: str = "", **per_minute: float) -> Series:
    more = f", {labels}" if labels else ""
    return {f'{name}{{{ONE}{more}, {label}="{value}"}}': _steady(n) for value, n in per_minute.items()}


def _spike(quick: str, slow: str) -> Series:
    """Calls of which all are quick; for the last minutes three of ten are not."""
    name, calm = "schema_registry_call_seconds", MINUTES - 8
    inside = f'{ONE}, method="/s/M", wire="grpc"'
    still = f"0+600x{calm}"
    return {
        f'{name}_bucket{{{inside}, le="{quick}"}}': f"{still} {600 * calm + 420}+420x9",
        f'{name}_bucket{{{inside}, le="{slow}"}}': f"{still} {600 * calm + 600}+600x9",
        f'{name}_bucket{{{inside}, le="+Inf"}}': f"{still} {600 * calm + 600}+600x9",
    }


@dataclass(frozen=True)
class Case:
    """Series in which an alert fires, and in which it does not."""

    fires: Series
    silent: Series


_COMPATIBILITY, _VALIDATIONS = (
    "schema_registry_compatibility_checks_total",
    "schema_registry_validations_total",
)
_DATA = 'what="data", type="JSON_SCHEMA"'
_BACKWARD = 'level="BACKWARD"'

CASES: Mapping[str, Case] = {
    "HighErrorRate": Case(_calls(OK=900, INTERNAL=100), _calls(OK=900, INTERNAL=30, NOT_FOUND=500)),
    "HighLatencyP95": Case(_latency("0.01", 0.9), _latency("0.01", 0.97)),
    "LowAvailability": Case(_calls(OK=9900, UNAVAILABLE=100), _calls(OK=99950, UNAVAILABLE=50)),
    "FastErrorBudgetBurn": Case(_calls(OK=9800, INTERNAL=200), _calls(OK=9900, INTERNAL=100)),
    "SlowErrorBudgetBurn": Case(_calls(OK=9920, INTERNAL=80), _calls(OK=9950, INTERNAL=50)),
    "DatabasePoolExhausted": Case(_pool(92), _pool(85)),
    "DatabasePoolCritical": Case(_pool(97), _pool(92)),
    "HighMemoryUsage": Case(
        _one("process_resident_memory_bytes", 5 * 2**30), _one("process_resident_memory_bytes", 3 * 2**30)
    ),
    "FileDescriptorsRunningOut": Case(
        {**_one("process_open_fds", 900), **_one("process_max_fds", 1024)},
        {**_one("process_open_fds", 500), **_one("process_max_fds", 1024)},
    ),
    "EventLoopLate": Case(
        _histogram("schema_registry_loop_late_seconds", 'by="processor"', "0.1", 0.95),
        _histogram("schema_registry_loop_late_seconds", 'by="clock"', "0.1", 0.95),
    ),
    "LowCacheHitRate": Case(_cache(600, 400), _cache(800, 200)),
    "CriticalCacheHitRate": Case(_cache(400, 600), _cache(10, 90)),
    "QueueRefuses": Case(
        _counter("schema_registry_queue_refused_total", 120, 'queue="readers", why="full"'),
        _counter("schema_registry_queue_refused_total", 30, 'queue="readers", why="full"'),
    ),
    "SlowDatabaseQueries": Case(_database("0.05", 0.9), _database("0.05", 0.97)),
    "DatabaseErrors": Case(
        _database_errors(12, "STORAGE_UNAVAILABLE"), _database_errors(12, "CONCURRENT_UPDATE")
    ),
    "DatabasePoolWaitTime": Case(
        _histogram("schema_registry_queue_wait_seconds", 'queue="connections"', "0.1", 0.9),
        _histogram("schema_registry_queue_wait_seconds", 'queue="workers"', "0.1", 0.9),
    ),
    "UnreadableRows": Case(
        _counter("schema_registry_unreadable_rows_total", 1, 'table="versions"'),
        _one("schema_registry_unreadable_rows_total", 7, 'table="versions"'),
    ),
    "RedisErrors": Case(
        _database_errors(12, "ConnectionError", "redis"), _database_errors(3, "ConnectionError", "redis")
    ),
    "SlowRedis": Case(_database("0.01", 0.9, "redis"), _database("0.01", 0.9)),
    "BreakerOpen": Case(
        _one("schema_registry_breaker_open", 1, 'tier="s3"'),
        _one("schema_registry_breaker_open", 0, 'tier="s3"'),
    ),
    "S3Errors": Case(
        _counter(
            "schema_registry_s3_operation_seconds_count", 12, 'operation="GetObject", result="TimeoutError"'
        ),
        _counter("schema_registry_s3_operation_seconds_count", 99, 'operation="GetObject", result="ok"'),
    ),
    "SlowS3": Case(_s3("5.0", 0.9), _s3("5.0", 0.97)),
    "ValidationFailures": Case(
        _results(_VALIDATIONS, "result", _DATA, valid=80, invalid=20),
        _results(_VALIDATIONS, "result", _DATA, valid=95, invalid=5),
    ),
    "CompatibilityFailures": Case(
        _results(_COMPATIBILITY, "verdict", _BACKWARD, compatible=70, incompatible=30),
        _results(_COMPATIBILITY, "verdict", _BACKWARD, compatible=90, incompatible=10),
    ),
    "UndecidedVerdicts": Case(
        _results(_COMPATIBILITY, "verdict", _BACKWARD, compatible=80, undecided=20),
        _results(_COMPATIBILITY, "verdict", _BACKWARD, compatible=95, undecided=5),
    ),
    "AuthenticationFailures": Case(_calls(OK=600, UNAUTHENTICATED=90), _calls(OK=600, UNAUTHENTICATED=30)),
    "PermissionsDenied": Case(_calls(OK=600, PERMISSION_DENIED=90), _calls(OK=600, PERMISSION_DENIED=30)),
    "LimitsHit": Case(_calls(OK=600, RESOURCE_EXHAUSTED=900), _calls(OK=600, RESOURCE_EXHAUSTED=300)),
    "Down": Case(_one("up", 0), _one("up", 1)),
    "HealthCheckFailing": Case(
        _one("schema_registry_component_up", 0, 'component="storage"'),
        _one("schema_registry_component_up", 0, 'component="redis"'),
    ),
    "ComponentDegraded": Case(
        _one("schema_registry_component_up", 0.5, 'component="workers"'),
        _one("schema_registry_component_up", 1, 'component="workers"'),
    ),
    "LatencySpike": Case(_spike("0.0025", "0.1"), _latency("0.005", 0.9)),
    "WorkersCrashing": Case(
        _counter("schema_registry_worker_events_total", 1, 'event="not_started"'),
        _counter("schema_registry_worker_events_total", 9, 'event="started"'),
    ),
    "Restarting": Case(
        {f"process_start_time_seconds{{{ONE}}}": f"1000+300x{MINUTES}"},
        {f"process_start_time_seconds{{{ONE}}}": _always(1000)},
    ),
    "ChangeLogUnreadable": Case(
        _one("schema_registry_change_log_readable", 0), _one("schema_registry_change_log_readable", 1)
    ),
    "SubscribersBehind": Case(
        _one("schema_registry_change_log_lag", 20_000), _one("schema_registry_change_log_lag", 5_000)
    ),
    "SlowReaders": Case(
        _counter("schema_registry_unread_streams_ended_total", 12),
        _counter("schema_registry_unread_streams_ended_total", 1),
    ),
    "LogLinesLeftOut": Case(
        _counter("schema_registry_log_lines_left_out_total", 900),
        _counter("schema_registry_log_lines_left_out_total", 60),
    ),
    "AuditNotSequenced": Case(
        _one("schema_registry_audit_unsequenced_seconds", 90),
        {
            'schema_registry_audit_unsequenced_seconds{instance="a:9091"}': _always(90),
            'schema_registry_audit_unsequenced_seconds{instance="b:9091"}': _always(0),
        },
    ),
    "AuditRecordsLost": Case(
        _counter("schema_registry_audit_records_lost_total", 1),
        _one("schema_registry_audit_records_lost_total", 7),
    ),
    "DialectWatchStands": Case(
        _one("schema_registry_dialect_watch_pending_profiles", 2)
        | _one("schema_registry_dialect_watch_behind", 0)
        | _one("schema_registry_dialect_watch_judged_total", 7),
        _one("schema_registry_dialect_watch_pending_profiles", 2)
        | _counter("schema_registry_dialect_watch_judged_total", 5),
    ),
    "SpansNotExported": Case(
        _counter("schema_registry_spans_total", 5, 'outcome="failed"'),
        _counter("schema_registry_spans_total", 5, 'outcome="exported"'),
    ),
}


def _test(alert: str, series: Series, firing: int) -> dict[str, object]:
    name = f"SchemaRegistry{alert}"
    return {
        "name": f"{name} {'fires' if firing else 'is silent'}",
        "interval": "1m",
        "input_series": [{"series": series_, "values": values} for series_, values in series.items()],
        "promql_expr_test": [
            {
                "expr": f'count(ALERTS{{alertname="{name}", alertstate="firing"}}) or vector(0)',
                "eval_time": f"{MINUTES - 1}m",
                "exp_samples": [{"labels": "{}", "value": firing}],
            }
        ],
    }


def page() -> str:
    """The file for promtool."""
    tests = [
        test
        for alert, case in CASES.items()
        for test in (_test(alert, case.fires, 1), _test(alert, case.silent, 0))
    ]
    head = "# Written by `python tests/deploy/rule_cases.py`. Run: promtool test rules rules.test.yaml\n"
    return head + yaml.safe_dump(
        {"rule_files": ["rules/slo.yaml", "rules/alerts.yaml"], "evaluation_interval": "1m", "tests": tests},
        sort_keys=False,
        width=160,
    )


if __name__ == "__main__":
    FILE.write_text(page())
