"""What several unit tests need."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from llm_schema_registry_server.telemetry import context, logs

LogLines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def log_lines() -> Iterator[LogLines]:
    """Logs as a server does, into memory; the value reads what has been logged so far."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    page = io.StringIO()
    logs.configure("debug", "json", page)
    yield lambda: [json.loads(line) for line in page.getvalue().splitlines()]
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()
    context.bind(context.NONE)
