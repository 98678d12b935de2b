"""Honest callers for loadtest/hostile.py and loadtest/soak.py, in a process of their own; started by those.

They call at a fixed rate, whatever becomes of the calls before (open loop): a call's time counts from when it was to begin, so that
nobody waits unseen. Until standard input ends; then the calls come out as JSON, one a line.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

import grpc
import rig
import uvloop
from attacks.attack import ask, head, json_request, outcome

from llm_schema_registry.v1 import schema_registry_pb2 as pb

CACHED, COMPUTED, VALIDATE, REGISTER = "cached read", "computed read", "validation", "registration"
HTTP_READ, HTTP_REGISTER = "read over HTTP", "registration over HTTP"
RATES: Mapping[str, float] = {
    CACHED: 50,
    COMPUTED: 10,
    VALIDATE: 10,
    REGISTER: 8,
    HTTP_READ: 10,
    HTTP_REGISTER: 4,
}
"""Calls in a second."""

SECONDS = 30.0
"""After so long a call has no answer."""
ADDRESS = "127.0.0.1"


class Honest(NamedTuple):
    """A call. due: when it was to begin, on time.monotonic(). outcome: as attacks.attack has it; "OK" and "200" are good ones."""

    kind: str
    due: float
    seconds: float
    outcome: str


def schema(number: int) -> bytes:
    """A schema that is compiled in a worker process, since it has a pattern."""
    return json.dumps({"type": "object", "properties": {f"p{number}": {"pattern": "^[a-z]+$"}}}).encode()


async def calls(stub: Any, http: int) -> Mapping[str, Callable[[], Awaitable[str]]]:
    """What an honest caller does, by kind."""
    numbers = itertools.count(int(time.time() * 1000) % 10**9)
    first = pb.RegisterSchemaRequest(
        subject="good", schema_content=b'{"type": "array", "items": {"type": "string"}}', schema_type=pb.SCHEMA_TYPE_JSON
    )  # fmt: skip
    made = await stub.RegisterSchema(first, timeout=SECONDS)
    get = pb.GetSchemaRequest(schema_id=made.schema_id)
    valid = pb.ValidateDataRequest(schema_id=made.schema_id, data=b'["a", "b"]')
    fresh = (("cache-control", "no-cache"),)
    read = head("GET", f"/api/v1/schemas/{made.schema_id}", "connection: close")

    def register() -> Awaitable[str]:
        number = next(numbers)
        request = pb.RegisterSchemaRequest(
            subject=f"good.{number}", schema_content=schema(number), schema_type=pb.SCHEMA_TYPE_JSON
        )
        return outcome(stub.RegisterSchema(request, timeout=SECONDS))

    def register_over_http() -> Awaitable[str]:
        number = next(numbers)
        body = {"subject": f"good.{number}", "schema": schema(number).decode(), "schema_type": "JSON"}
        return ask(http, ADDRESS, json_request("/api/v1/schemas", json.dumps(body).encode()), SECONDS)

    return {
        CACHED: lambda: outcome(stub.GetSchema(get, timeout=SECONDS)),
        COMPUTED: lambda: outcome(stub.GetSchema(get, metadata=fresh, timeout=SECONDS)),
        VALIDATE: lambda: outcome(stub.ValidateData(valid, timeout=SECONDS)),
        REGISTER: register,
        HTTP_READ: lambda: ask(http, ADDRESS, read, SECONDS),
        HTTP_REGISTER: register_over_http,
    }


async def behave(port: int, http: int) -> list[Honest]:
    """Calls until standard input ends."""
    done: list[Honest] = []
    running: set[asyncio.Task[None]] = set()
    ended = asyncio.create_task(asyncio.to_thread(sys.stdin.read))

    async def timed(kind: str, due: float, call: Awaitable[str]) -> None:
        found = await call
        done.append(Honest(kind, due, time.monotonic() - due, found))

    async def at_rate(kind: str, make: Callable[[], Awaitable[str]]) -> None:
        due = time.monotonic()
        while not ended.done():
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            task = asyncio.create_task(timed(kind, due, make()))
            running.add(task)
            task.add_done_callback(running.discard)
            due += 1 / RATES[kind]

    options = (("grpc.use_local_subchannel_pool", 1), ("grpc.max_reconnect_backoff_ms", 200))
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
        made = await calls(rig.stub(channel), http)
        for make in made.values():  # whatever is set up by a first call is set up
            await make()
        print("ready", flush=True)
        await asyncio.gather(*(at_rate(kind, make) for kind, make in made.items()))
        if running:
            await asyncio.wait(set(running))
    return done


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--grpc", type=int, required=True)
    parser.add_argument("--http", type=int, required=True)
    given = parser.parse_args()
    for call in uvloop.run(behave(given.grpc, given.http)):
        print(json.dumps(call))


if __name__ == "__main__":
    main()
