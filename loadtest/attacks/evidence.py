"""The kinds of fault that the server must not have, and where the evidence for each is: an attack, or tests."""

from __future__ import annotations

from collections.abc import Mapping

ITEMS: Mapping[int, str] = {
    1: "nothing is stored that cannot be read; one bad row fails no list",
    2: "an error leaves nothing open, nothing loops without a pause, SIGTERM works",
    3: "health tells the truth about disk and database",
    4: "a registration looks again when a compared version is removed",
    5: "drafts are no way around the gate",
    6: "names arrive as they are, junk is refused, a bad item ends no batch",
    7: "a clock that leaps poisons nothing",
    8: "reading costs in proportion to the input",
    9: "validation costs no more than its limits",
    10: "witnesses and explanations are bounded",
    11: "pages are bounded in bytes, items are counted before they are read",
    12: "subscribers, deletions, logs and metrics cost others nothing",
    13: "callers wait in fair queues",
    14: "the listeners bound what a connection holds",
    15: "callers are told no secrets and no places",
}

TESTS: Mapping[int, tuple[str, ...]] = {
    1: ("tests/storage/test_what_is_stored_is_read.py", "tests/storage/test_unreadable_rows.py", "tests/e2e/test_repair_command.py"),
    2: ("tests/e2e/test_hanging.py",),
    3: ("tests/storage/test_sqlite_health.py", "tests/storage/test_sqlite_faults.py"),
    4: ("tests/unit/registry/test_gate.py",),
    5: ("tests/unit/registry/test_gate.py", "tests/unit/registry/test_existing.py"),
    6: ("tests/api/test_every_field.py", "tests/api/test_random_requests.py"),
    7: ("tests/unit/registry/test_clock.py", "tests/storage/test_conformance_leases.py"),
    8: ("tests/growth",),
    9: ("tests/formats/test_validation_cost.py",),
    11: ("tests/api/test_page_bytes.py",),
    12: ("tests/e2e/test_subscribers.py", "tests/unit/registry/test_deletion_turns.py", "tests/unit/transports/test_ops.py"),
    13: ("tests/unit/queues/test_fair_queue.py",),
    14: ("tests/unit/transports/test_grpc_unread.py", "tests/unit/transports/test_grpc_flood.py"),
    15: ("tests/unit/test_secrets.py",),
}  # fmt: skip
"""Tests whose evidence is no matter of load."""
