"""So many calls and streams at a time, and so many streams of one caller."""

from __future__ import annotations

import pytest

from llm_schema_registry_server.calls.call import Call
from llm_schema_registry_server.calls.guards.limits import Limits
from llm_schema_registry_server.errors import LimitExceeded
from tests.unit.transports.toy import METHODS

STREAM = next(m.operation for m in METHODS if m.name == "StreamSchemaChanges")
UNARY = next(m.operation for m in METHODS if m.name == "GetSchema")


def call(address: str, *, stream: bool = True) -> Call:
    return Call(STREAM if stream else UNARY, {}, address, "grpc", "r")


async def test_streams_of_one_caller_are_bounded_and_others_are_not_concerned() -> None:
    limits = Limits(calls=10, streams=10, streams_per_caller=2)
    open_ = [limits(call(f"10.0.0.1:{port}")) for port in (1, 2)]
    for guard in open_:
        await guard.__aenter__()
    with pytest.raises(
        LimitExceeded, match=r"2 streams of 10.0.0.1 .* \(setting limits.streams_per_caller\)"
    ):
        await limits(call("10.0.0.1:3")).__aenter__()
    async with limits(call("10.0.0.2:1")), limits(call("10.0.0.1:4", stream=False)):
        assert limits.streams_now == 3
    await open_[0].__aexit__(None, None, None)
    async with limits(call("10.0.0.1:5")):
        pass
    await open_[1].__aexit__(None, None, None)

    assert limits.streams_now == 0
    assert limits._callers == {}


async def test_a_caller_without_an_address_is_bounded_by_all_alone() -> None:
    limits = Limits(calls=10, streams=3, streams_per_caller=1)
    for _ in range(3):
        await limits(call("unix:")).__aenter__()

    with pytest.raises(LimitExceeded, match="3 streams are in flight"):
        await limits(call("unix:")).__aenter__()
