"""What is done for several calls at once names all of them in the log."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from llm_schema_registry_server.storage.postgres import batching
from llm_schema_registry_server.storage.postgres.batching import Batcher
from llm_schema_registry_server.telemetry import context, logs
from llm_schema_registry_server.telemetry.context import CallContext
from tests.unit.conftest import LogLines


async def test_log_lines_of_a_batch_name_the_calls_in_it() -> None:
    seen: list[CallContext] = []

    async def look(numbers: Sequence[int]) -> Sequence[int]:
        seen.append(context.current())
        if len(numbers) > 1 and 3 in numbers:
            raise ValueError("not together")
        return numbers

    ask: Batcher[int, int] = Batcher(look, name="look", lanes=1, most=9, common=ConnectionError)

    async def call(number: int) -> None:
        context.bind(CallContext(f"call-{number}"))
        await ask(number)
        assert context.current() == CallContext(f"call-{number}")

    await asyncio.gather(call(1), call(2))
    await call(4)
    await asyncio.gather(call(3), call(5))

    assert seen == [
        CallContext(request_ids=("call-1", "call-2")),
        CallContext("call-4"),
        CallContext(request_ids=("call-3", "call-5")),
        CallContext("call-3"),
        CallContext("call-5"),
    ]


async def test_a_slow_batch_is_logged_with_the_calls_in_it(
    log_lines: LogLines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batching, "SLOW_SECONDS", -1)

    async def echo(numbers: Sequence[int]) -> Sequence[int]:
        return numbers

    ask: Batcher[int, int] = Batcher(echo, name="bake", lanes=1, most=9, common=ConnectionError)

    async def call(number: int) -> None:
        logs.bind_request(f"call-{number}")
        await ask(number)

    await asyncio.gather(call(1), call(2))

    (line,) = [line for line in log_lines() if line["event"] == "slow_statement"]
    assert (line["statement"], line["calls"], line["request_ids"]) == ("bake", 2, ["call-1", "call-2"])
