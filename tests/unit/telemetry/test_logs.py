"""Logs are one JSON object a line, with the request id, and hold no secrets."""

from __future__ import annotations

import io
import logging
from typing import Literal

import pytest

from llm_schema_registry_server.telemetry import logs
from tests.unit.conftest import LogLines


def test_an_event_carries_its_facts_and_the_request_id(log_lines: LogLines) -> None:
    logs.bind_request("id-1")
    logs.get("registry").info("schema_registered", subject="orders", version="1.0.0")

    (line,) = log_lines()
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "schema_registered",
        "subject": "orders",
        "version": "1.0.0",
        "level": "info",
        "logger": "registry",
        "request_id": "id-1",
    }


def test_libraries_log_in_the_same_format(log_lines: LogLines) -> None:
    logging.getLogger("some.library").warning("%s is slow", "it")

    (line,) = log_lines()
    assert (line["event"], line["logger"], line["level"]) == ("it is slow", "some.library", "warning")


def test_secrets_and_content_are_hidden(log_lines: LogLines) -> None:
    logs.get("x").info("e", authorization="Bearer t", schema_content=b"{}", subject="orders")

    (line,) = log_lines()
    assert (line["authorization"], line["schema_content"], line["subject"]) == (
        "(hidden)",
        "(hidden)",
        "orders",
    )


def test_an_event_below_the_level_is_not_written(log_lines: LogLines) -> None:
    page = io.StringIO()
    logs.configure("warning", "text", page)
    logs.get("x").info("quiet")
    logs.get("x").warning("loud", subject="orders")

    assert "quiet" not in page.getvalue()
    assert "loud" in page.getvalue()
    assert "subject=orders" in page.getvalue()


@pytest.mark.parametrize("format", ["json", "text"])
def test_a_stack_shows_no_local_variables(log_lines: LogLines, format: Literal["json", "text"]) -> None:
    page = io.StringIO()
    logs.configure("info", format, page)
    password = "".join(("hu", "sh"))
    try:
        _ = 1 / len(password[9:])
    except ZeroDivisionError:
        logs.get("x").exception("failed")

    assert "ZeroDivisionError" in page.getvalue()
    assert password not in page.getvalue()
