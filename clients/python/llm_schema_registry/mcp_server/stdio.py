"""MCP over standard input and output: one JSON-RPC message a line (MCP specification, transports, stdio)."""

from __future__ import annotations

import asyncio
import json
import threading
import traceback
from contextlib import aclosing, suppress
from typing import Any, BinaryIO, Protocol

from .calls import CallFailed, Registry
from .listening import Listening
from .server import McpServer
from .wire import INTERNAL_ERROR, INVALID_REQUEST, PARSE_ERROR, Json, ProtocolError, failure, id_of, write

MOST_LINE = 8 * 1024 * 1024
"""Bytes of a message; a longer one is passed over and answered with an error."""
MOST_AT_ONCE = 32
"""Requests that are answered at a time; nothing more is read while there are so many."""
MOST_STREAMS = 8
"""Streams of subscriptions/listen at a time."""
_CHUNK = 64 * 1024


class Output(Protocol):
    """Where answers go."""

    def write(self, data: bytes, /) -> int: ...
    def flush(self) -> None: ...


class StdioServer:
    """Answers the messages of one client until its input ends. To be made in a running event loop."""

    def __init__(self, server: McpServer, registry: Registry, source: BinaryIO, target: Output) -> None:
        self._server, self._registry = server, registry
        self._lines, self._target = _Lines(source), target
        self._writing = asyncio.Lock()
        self._room = asyncio.Semaphore(MOST_AT_ONCE)
        self._tasks: dict[Any, asyncio.Task[None]] = {}
        self._streams: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Returns when the input has ended and what was asked before is answered; streams end with it."""
        self._lines.start()
        async with asyncio.TaskGroup() as group:
            while (line := await self._lines.next()) is not None:
                await self._take(line, group)
            for task in self._streams:
                task.cancel()

    async def _take(self, line: bytes, group: asyncio.TaskGroup) -> None:
        if not line.strip():
            return
        message = _decoded(line)
        if isinstance(message, dict) and message.get("method") == "notifications/cancelled":
            params = message.get("params")
            self._cancel(params.get("requestId") if isinstance(params, dict) else None)
            return
        await self._room.acquire()
        key = _key(id_of(message))
        task = group.create_task(self._answer(message))
        self._tasks[key] = task

        def done(_: asyncio.Task[None]) -> None:
            self._room.release()
            self._streams.discard(task)
            if self._tasks.get(key) is task:
                del self._tasks[key]

        task.add_done_callback(done)

    def _cancel(self, id_: Any) -> None:
        task = self._tasks.get(_key(id_)) if id_ is not None else None
        if task is not None:
            task.cancel()

    async def _answer(self, message: object) -> None:
        try:
            reply = await self._server.handle(message, self._registry)
            if isinstance(reply, Listening):
                await self._stream(reply)
            elif reply.message is not None:
                await self._write(reply.message)
        except Exception:  # a fault of ours costs one answer, not the others
            traceback.print_exc()
            error = ProtocolError(INTERNAL_ERROR, "internal error; the standard error output has it")
            await self._write(failure(id_of(message), error))

    async def _stream(self, stream: Listening) -> None:
        if len(self._streams) >= MOST_STREAMS:
            error = ProtocolError(INVALID_REQUEST, f"there are {MOST_STREAMS} streams already; end one first")
            await self._write(failure(stream.id, error))
            return
        task = asyncio.current_task()
        assert task is not None
        self._streams.add(task)
        try:
            await self._write(stream.acknowledged())
            async with aclosing(self._registry.changes(stream.request)) as events:
                async for event in events:
                    for message in stream.messages(event):
                        await self._write(message)
            await self._write(stream.finished())
        except CallFailed as error:
            told = self._server.refused(stream.id, error, modern=True).message
            if told is not None:
                await self._write(told)

    async def _write(self, message: Json) -> None:
        data = write(message).encode("utf-8", "backslashreplace") + b"\n"
        async with self._writing:
            try:
                await asyncio.to_thread(self._put, data)
            except (OSError, ValueError):  # the client is gone; there is nobody to tell anything
                self._lines.end()

    def _put(self, data: bytes) -> None:
        self._target.write(data)
        self._target.flush()


class _Lines:
    """The lines of a blocking input, read by a thread that ends with the process: nothing else can end a blocking read."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._loop = asyncio.get_running_loop()
        self._ready: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._wanted = threading.Semaphore(0)

    def start(self) -> None:
        threading.Thread(target=self._read, name="mcp-stdin", daemon=True).start()

    def end(self) -> None:
        """Nothing more is wanted."""
        self._ready.put_nowait(None)

    async def next(self) -> bytes | None:
        """The next line; None at the end. One that is too long comes without its end."""
        self._wanted.release()
        return await self._ready.get()

    def _read(self) -> None:
        """One line for each that is asked for."""
        while True:
            self._wanted.acquire()
            try:
                line = self._line()
            except (OSError, ValueError):
                line = None
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._ready.put_nowait, line)
            if line is None:
                return

    def _line(self) -> bytes | None:
        line = self._source.readline(MOST_LINE + 1)
        if not line:
            return None
        if len(line) > MOST_LINE:
            while line and not line.endswith(b"\n"):
                line = self._source.readline(_CHUNK)
            return b"\x00"  # no JSON
        return line


def _decoded(line: bytes) -> object:
    if line == b"\x00":
        return ProtocolError(PARSE_ERROR, f"the message is longer than {MOST_LINE} bytes")
    try:
        value = json.loads(line, parse_constant=_refused)
        if b"\\ud" in line.lower():
            write(value).encode()  # half of a surrogate pair is no text
        return value
    except (ValueError, RecursionError) as error:
        return ProtocolError(PARSE_ERROR, f"the line is no JSON: {str(error)[:200]}")


def _refused(text: str) -> float:
    raise ValueError(f"{text} is no JSON")


def _key(id_: Any) -> Any:
    """1 and "1" are two ids."""
    return (type(id_).__name__, id_) if isinstance(id_, str | int | float) else None
