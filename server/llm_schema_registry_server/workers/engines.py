"""The engines as a worker subprocess holds them: with protoc, which may kill its process."""

from __future__ import annotations

from llm_schema_engines.formats.catalogue import EngineLimits, engines
from llm_schema_engines.formats.engine import Engines
from llm_schema_engines.protoc.in_process import InProcessProtoc

FACTORY = "llm_schema_registry_server.workers.engines:in_worker"
"""The function that each worker process calls to make its engines."""


DOCUMENT_BYTES = 4 * 1024 * 1024
"""So that the schemas of a long history are not opened for each check."""


def in_worker(limits: EngineLimits) -> Engines:
    return engines(limits, InProcessProtoc(), document_bytes=DOCUMENT_BYTES)
