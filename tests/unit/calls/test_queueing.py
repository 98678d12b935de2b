"""For whom a call waits in queues: its principal, or the address that it comes from."""

from __future__ import annotations

import time

import pytest

from llm_schema_registry_server.calls.call import Call
from llm_schema_registry_server.calls.guards.queueing import UNKNOWN, Queueing, caller_key
from llm_schema_registry_server.model.principal import Principal
from llm_schema_registry_server.queues import caller as callers
from llm_schema_registry_server.rpc.methods import load


def call(connection: str, principal: Principal | None = None) -> Call:
    made = Call(next(m.operation for m in load()), {}, connection, "grpc", "id")
    if principal is not None:
        made.principal = principal
    return made


@pytest.mark.parametrize(
    ("connection", "key"),
    [
        ("ipv4:10.0.0.7:4711", "10.0.0.7"),
        ("ipv6:%5B2001:db8:1:2:3:4:5:6%5D:80", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2:ffff::1]:80", "2001:db8:1:2::/64"),
        ("[::ffff:10.0.0.7]:80", "10.0.0.7"),
        ("unix:", UNKNOWN),
    ],
)
def test_a_caller_without_a_name_is_its_address(connection: str, key: str) -> None:
    assert caller_key(call(connection)) == key


def test_a_name_counts_once_it_is_authenticated_and_not_when_it_is_only_claimed() -> None:
    assert caller_key(call("10.0.0.7:1", Principal("ann", anonymous=True))) == "10.0.0.7"
    assert caller_key(call("10.0.0.7:1", Principal("ann"))) == "principal ann"


async def test_queues_below_learn_of_the_caller_and_its_deadline() -> None:
    made = call("10.0.0.7:1")
    made.deadline = time.monotonic() + 5
    async with Queueing()(made):
        assert callers.current() == callers.Caller("10.0.0.7", made.deadline)
