"""The worker process: makes the engines, confines itself, then answers one request after the other until its parent leaves.

A copy of `template_main`, or run by `worker_process` as `python -m llm_schema_registry_server.workers.worker_main`, with one end of a
socket pair as standard input. Any exception but a RegistryError is a bug that ends the process: the parent sees it end, logs what it wrote
to standard error last, and starts another one.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import socket
import sys
import time
import traceback
from typing import Any

from llm_schema_engines.formats.engine import Engines
from llm_schema_engines.protoc.confinement import confine, die_with, limit_cpu

from ..errors import RegistryError
from ..telemetry import context
from . import tasks  # noqa: F401  # imported at the start, so that the first task does not spend its time on it
from .messages import HEADER, Request, Setup, decode_request, encode_answer, frame, timed

OUT_OF_MEMORY = 77
"""Exit status of a process whose task asked for more memory than it may have."""

TASK_RAISED = 1
"""Exit status of a process whose task raised what is not a RegistryError."""

READY = b"ready"


def work(channel: socket.socket, parent: int | None = None) -> None:
    """Does what the server asks for until it leaves. `parent`: whose child this is, None: the server's."""
    setup: Setup = decode_request(_must(_read(channel)))
    die_with(setup.parent if parent is None else parent)
    engines = make_engines(setup.engines, setup.arguments)
    gc.collect()
    gc.freeze()
    confine(setup.memory_bytes)
    channel.sendall(frame(READY))
    try:
        _serve(channel, engines)
    except MemoryError:
        os._exit(OUT_OF_MEMORY)


def make_engines(name: str, arguments: tuple[object, ...]) -> Engines:
    """Call the factory called `package.module:function`."""
    module, _, function = name.partition(":")
    engines: Engines = getattr(importlib.import_module(module), function)(*arguments)
    return engines


def _serve(channel: socket.socket, engines: Engines) -> None:
    while (data := _read(channel)) is not None:
        request: Request = decode_request(data)
        limit_cpu(request.seconds)
        context.bind(request.context)
        began = time.time_ns()
        answer = _answer(request, engines)
        if request.context.traceparent:
            answer = timed(answer, began, time.time_ns())
        channel.sendall(frame(answer))


def _answer(request: Request, engines: Engines) -> bytes:
    try:
        return encode_answer(request.task.run(engines))
    except RegistryError as error:
        return encode_answer(error)
    except MemoryError:
        raise
    except Exception as error:
        traceback.print_exc()
        _log("task_raised", task=type(request.task).__name__, error=repr(error)[:200])
        sys.exit(TASK_RAISED)


def _log(event: str, **facts: str) -> None:
    """One line on standard error, of which the parent logs the end when this process has ended. Not by telemetry.logs: what
    that imports would take a part of a second at each start."""
    now = context.current()
    facts |= {"request_id": now.request_id, "traceparent": now.traceparent}
    print(json.dumps({"event": event, "level": "error", **facts}), file=sys.stderr, flush=True)


def take_channel() -> socket.socket:
    """The socket that came as standard input, moved away so that nobody else reads from it."""
    channel = socket.socket(fileno=os.dup(0))
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.close(null)
    channel.setblocking(True)
    return channel


def _read(channel: socket.socket) -> bytes | None:
    """The payload of the next frame; None when the parent has left."""
    header = _exactly(channel, HEADER.size)
    return None if header is None else _exactly(channel, HEADER.unpack(header)[0])


def _exactly(channel: socket.socket, size: int) -> bytes | None:
    data = bytearray(size)
    view, have = memoryview(data), 0
    while have < size:
        got = channel.recv_into(view[have:])
        if not got:
            return None
        have += got
    return bytes(data)


def _must(data: bytes | None) -> Any:
    if data is None:
        sys.exit(0)
    return data


if __name__ == "__main__":
    work(take_channel())
