"""To which part of the server a frame of a stack belongs. Pure.

A frame is `function (file:line)`, as py-spy writes it.
"""

from __future__ import annotations

import re

LAYERS: tuple[tuple[str, str], ...] = (
    (r"llm_schema_registry_server/transports/grpc", "transports: gRPC"),
    (r"llm_schema_registry_server/transports/http", "transports: HTTP"),
    (r"llm_schema_registry_server/transports", "transports: the rest"),
    (r"llm_schema_registry_server/calls", "calls: pipeline, guards, cached answers"),
    (r"llm_schema_registry_server/rpc", "rpc: handlers and messages"),
    (r"llm_schema_registry_server/registry", "registry: use cases"),
    (r"llm_schema_registry_server/(storage|audit)", "storage and audit"),
    (r"llm_schema_registry_server/(workers|queues)", "workers and queues"),
    (r"llm_schema_registry_server/telemetry", "telemetry"),
    (r"llm_schema_registry_server", "the rest of the server"),
    (r"llm_schema_engines", "engines"),
    (r"(pygrpc_native|granian|/grpc/)", "libraries of the wires"),
    (r"google/protobuf", "protobuf"),
)
"""Of a frame, by the first pattern that its file has."""
REST = "event loop, and libraries that it calls"
_RUN = re.compile(r"(Runner\.run \(asyncio/|Thread\.run \(threading)")
"""What is above this frame belongs to whoever runs below it: the server's `main` does not do what its event loop does."""


def shortened(frame: str) -> str:
    """`function (file:line)` with a file below this tree, or below the packages."""
    return re.sub(r"\((?:.*/site-packages/|.*/lib/python3\.\d+/|.*?/(?=llm_schema_))", "(", frame)


def layer(stack: tuple[str, ...]) -> str:
    """Of the innermost frame that belongs to one."""
    for frame in reversed(stack):
        if _RUN.match(frame):
            break
        for pattern, name in LAYERS:
            if re.search(pattern, frame):
                return name
    return REST


def function(stack: tuple[str, ...]) -> str:
    """The innermost frame, without its line."""
    return re.sub(r":\d+\)$", ")", stack[-1])


OUTSIDE = "outside of Python"
_WAITING = re.compile(
    r"(Runner\.run \(asyncio/|Thread\.run \(threading|Condition\.wait \(threading|_worker \(concurrent/futures/thread|"
    rf"\S*\.select \(selectors|\S*\._receive \(llm_schema_registry_server/transports/grpc/native|{OUTSIDE})"
)


def waits(stack: tuple[str, ...]) -> bool:
    """Whether a thread may be waiting in C there, which a sampler from outside cannot always tell from work."""
    return _WAITING.match(stack[-1]) is not None
