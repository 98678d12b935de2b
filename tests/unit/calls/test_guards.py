"""A server whose guards contradict themselves or each other does not start."""

from __future__ import annotations

from typing import Any

import pytest

from llm_schema_registry_server.calls.call import Call
from llm_schema_registry_server.calls.guard import (
    IN_FULL,
    NOTIFIED,
    QUICK,
    Guard,
    GuardFactory,
    Rank,
    check,
    not_needed,
)
from llm_schema_registry_server.calls.pipeline import Pipeline
from llm_schema_registry_server.telemetry.metrics import Metrics
from tests.unit.transports.toy import ToyRegistry, guards, handlers


class Plain:
    def __call__(self, call: Call) -> Guard:
        return Guard(call)


def guard(name: str = "Extra", **declared: Any) -> GuardFactory:
    """A guard of a class of its own that declares this."""
    made: GuardFactory = type(name, (Plain,), declared)()
    return made


def passes(self: object, call: Call) -> bool:
    return True


@pytest.mark.parametrize(
    ("declared", "complaint"),
    [
        ({"rank": Rank.QUOTA}, "guard Extra does not say what it does about cached answers"),
        ({"rank": Rank.QUOTA, "on_cached": True}, "does not say what it does about cached answers"),
        ({"on_cached": IN_FULL}, "guard Extra declares no rank; give it one of OBSERVE"),
        ({"rank": 50, "on_cached": IN_FULL}, "declares no rank"),
        ({"rank": Rank.QUOTA, "on_cached": QUICK}, r"has no quick\(call\)"),
        ({"rank": Rank.QUOTA, "on_cached": NOTIFIED}, r"has no answered\(call\)"),
        ({"rank": Rank.QUOTA, "on_cached": IN_FULL, "quick": passes}, r"has quick\(call\), against"),
        ({"rank": Rank.QUOTA, "on_cached": QUICK, "quick": passes, "answered": passes}, r"has answered"),
        ({"rank": Rank.QUOTA, "on_cached": not_needed("")}, "gives no reason"),
    ],
)
def test_a_guard_that_does_not_declare_itself_stops_the_start(
    declared: dict[str, object], complaint: str
) -> None:
    with pytest.raises(TypeError, match=complaint):
        Pipeline(handlers(ToyRegistry()), (guard(**declared),))


def test_a_guard_behind_one_that_it_must_come_before_stops_the_start() -> None:
    inner = guard("Inner", rank=Rank.AUTHORIZE, on_cached=IN_FULL)
    outer = guard("Outer", rank=Rank.AUTHENTICATE, on_cached=IN_FULL)

    with pytest.raises(TypeError, match=r"Outer \(AUTHENTICATE\) must stand before Inner \(AUTHORIZE\)"):
        Pipeline(handlers(ToyRegistry()), (inner, outer))
    check((outer, inner))
    check((inner, inner))


def test_the_guards_of_a_server_stand_in_the_order_of_the_design() -> None:
    standing = guards(Metrics())
    check(standing)

    assert [g.rank.name for g in standing] == [
        "OBSERVE",
        "DEADLINE",
        "LIMITS",
        "AUTHENTICATE",
        "QUOTA",
        "AUTHORIZE",
        "MIN_REVISION",
    ]
    assert [r.name for r in Rank] == [
        "OBSERVE",
        "AUDIT",
        "DEADLINE",
        "LIMITS",
        "AUTHENTICATE",
        "QUOTA",
        "AUTHORIZE",
        "MIN_REVISION",
    ]
