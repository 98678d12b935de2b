"""What an attack is, and what attacks share: callers with addresses of their own, outcomes by name."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from llm_schema_registry.v1 import schema_registry_pb2 as pb
from llm_schema_registry.v1 import schema_registry_pb2_grpc

Outcomes = Counter[str]
JSON, AVRO, PROTOBUF = pb.SCHEMA_TYPE_JSON, pb.SCHEMA_TYPE_AVRO, pb.SCHEMA_TYPE_PROTOBUF
MOST_SENT = 16 << 20
"""Bytes of the largest message that an attacker sends over gRPC."""

BUGS = ("INTERNAL", "UNKNOWN", "DATA_LOSS", "500")
"""How outcomes begin that are faults of the server, whatever it was sent."""

_NUMBERS = itertools.count(1)


@dataclass(frozen=True)
class Target:
    """A server under attack. grpc, http, metrics: its ports. end: of the attack, a point of time.monotonic(). ids: what the attack has
    prepared, by name."""

    grpc: int
    http: int
    metrics: int
    end: float = 0.0
    ids: Mapping[str, str] = field(default_factory=dict)

    @property
    def over(self) -> bool:
        return time.monotonic() >= self.end

    @property
    def left(self) -> float:
        """Seconds until the end."""
        return max(0.0, self.end - time.monotonic())


Run = Callable[[Target], Coroutine[Any, Any, Outcomes]]
Prepare = Callable[[Target], Coroutine[Any, Any, Mapping[str, str]]]


@dataclass(frozen=True)
class Attack:
    """items: the kinds of fault that it is the evidence for (loadtest/attacks/evidence.py). port: "grpc", "http" or "metrics"; "api" where
    the calls behind the ports are attacked. prepare: makes what `run` needs; gives ids by name."""

    name: str
    items: tuple[int, ...]
    port: str
    about: str
    run: Run
    prepare: Prepare | None = None


ATTACKS: dict[str, Attack] = {}


def attack(name: str, *items: int, port: str = "api", prepare: Prepare | None = None) -> Callable[[Run], Run]:
    """Adds a function to ATTACKS; the first line of its docstring tells what it does."""

    def add(run: Run) -> Run:
        about = (run.__doc__ or "").strip().partition("\n")[0].rstrip(".")
        ATTACKS[name] = Attack(name, items, port, about, run, prepare)
        return run

    return add


_network = 0


def fresh() -> int:
    """A number that was not used before in this process."""
    return next(_NUMBERS)


def address(number: int) -> str:
    """Of an attacker; honest callers have 127.0.0.1."""
    return f"127.{_network}.{number // 200}.{number % 200 + 2}"


def come_from(network: int) -> None:
    """Attackers of this process have addresses of 127.network.0.0/16 from now on, 0 to 255, so that nothing is held against them that
    others have done."""
    global _network
    _network = network


async def together(
    target: Target, count: int, one: Callable[[Target, int, Outcomes], Awaitable[None]]
) -> Outcomes:
    """So many attackers at a time, each with its number; what they met."""
    found: Outcomes = Counter()
    await asyncio.gather(*(one(target, number, found) for number in range(count)))
    return found


async def in_threads(target: Target, count: int, one: Callable[[Target, int, Outcomes], None]) -> Outcomes:
    """The same for attackers that block."""
    parts: list[Outcomes] = [Counter() for _ in range(count)]
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(count) as threads:
        await asyncio.gather(
            *(loop.run_in_executor(threads, one, target, number, part) for number, part in enumerate(parts))
        )
    return sum(parts, Counter())


_LINGER_SECONDS = 0.2


async def hang_up(writer: asyncio.StreamWriter) -> None:
    """Closes a connection, at once when what was written is not taken soon: an open one outlives its loop."""
    writer.close()
    try:
        async with asyncio.timeout(_LINGER_SECONDS):
            await writer.wait_closed()
    except (TimeoutError, asyncio.CancelledError) as error:
        writer.transport.abort()
        if isinstance(error, asyncio.CancelledError):
            raise
    except OSError:
        return  # the other end has closed it


# -- gRPC


@asynccontextmanager
async def stub_from(source: str, port: int) -> AsyncIterator[Any]:
    """The calls over a connection that comes from `source`, which grpcio itself cannot choose."""
    pumps: set[asyncio.Task[Any]] = set()

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        pumps.add(task)
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
            await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
        except (OSError, asyncio.CancelledError):  # cancelled when the attacker is done
            await hang_up(writer)
        finally:
            pumps.discard(task)

    forwarder = await asyncio.start_server(forward, "127.0.0.1", 0)
    options = (
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.max_send_message_length", MOST_SENT),
        ("grpc.max_receive_message_length", MOST_SENT),
        ("grpc.max_reconnect_backoff_ms", 200),
    )
    at = f"127.0.0.1:{forwarder.sockets[0].getsockname()[1]}"
    try:
        async with grpc.aio.insecure_channel(at, options=options) as channel:
            yield schema_registry_pb2_grpc.SchemaRegistryStub(channel)
    finally:
        forwarder.close()
        for pump in tuple(pumps):
            pump.cancel()
        if pumps:
            await asyncio.wait(tuple(pumps))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        with suppress(OSError):
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
    finally:
        await hang_up(writer)


async def outcome(call: Awaitable[Any]) -> str:
    """How a call ended: OK, or the code and the reason."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return f"{error.code().name} {_reason(error)}".rstrip()
    return "OK"


def _reason(error: grpc.aio.AioRpcError) -> str:
    for name, value in error.trailing_metadata() or ():
        if name == "grpc-status-details-bin" and isinstance(value, bytes):
            info = ErrorInfo()
            for detail in Status.FromString(value).details:
                if AnyMessage.Unpack(detail, info):
                    return str(info.reason)
    return ""


def calling(
    count: int, *sends: Callable[[Any, Target], Awaitable[Any]], pause: float = 0.0
) -> Callable[[Target], Coroutine[Any, Any, Outcomes]]:
    """The attack of `count` callers that send each of these in turn, as soon as the one before was answered (and `pause` seconds)."""

    async def run(target: Target) -> Outcomes:
        async def one(target: Target, number: int, found: Outcomes) -> None:
            async with stub_from(address(number), target.grpc) as stub:
                for send in itertools.cycle(sends):
                    if target.over:
                        return
                    found[await outcome(send(stub, target))] += 1
                    await asyncio.sleep(pause)

        return await together(target, count, one)

    return run


async def register(target: Target, *schemas: tuple[str, bytes, pb.SchemaType.ValueType]) -> list[str]:
    """The ids of schemas (subject, content, type) that an attack prepares."""
    async with stub_from(address(0), target.grpc) as stub:
        ids = []
        for subject, content, kind in schemas:
            request = pb.RegisterSchemaRequest(subject=subject, schema_content=content, schema_type=kind)
            ids.append((await stub.RegisterSchema(request, timeout=60)).schema_id)
        return ids


# -- HTTP


def head(method: str, path: str, *fields: str) -> bytes:
    """A request up to its body; further fields as `name: value`."""
    lines = [f"{method} {path} HTTP/1.1", "host: x", *fields]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def json_request(path: str, body: bytes, *fields: str) -> bytes:
    """A POST of JSON on a connection that is closed afterwards."""
    about = (f"content-length: {len(body)}", "content-type: application/json", "connection: close", *fields)
    return head("POST", path, *about) + body


async def ask(port: int, source: str, request: bytes | Iterable[bytes], seconds: float = 10.0) -> str:
    """Sends bytes over a connection of its own; the status of the answer and its error_code, or how the connection ended."""
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
            try:
                for part in (request,) if isinstance(request, bytes) else request:
                    writer.write(part)
                    await writer.drain()
                return await answered(reader)
            finally:
                await hang_up(writer)
    except TimeoutError:
        return "no answer"
    except OSError:
        return "closed"


async def answered(reader: asyncio.StreamReader) -> str:
    """The status of an answer and its error_code; "closed" when none came."""
    status = (await reader.readline()).split(b" ")
    if len(status) < 2:
        return "closed"
    text = status[1].decode()
    if int(text) < 400:
        return text
    try:
        await reader.readuntil(b"\r\n\r\n")
        return f"{text} {json.loads(await reader.read(1 << 16))['error_code']}"
    except (ValueError, KeyError, TypeError, asyncio.IncompleteReadError):
        return text
