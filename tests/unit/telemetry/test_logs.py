"""Logs are one JSON object a line, with the request id, and hold no secrets."""

from __future__ import annotations

import io
import json
import logging
from typing import Literal

import pytest

from llm_schema_registry_server.telemetry import logs
from llm_schema_registry_server.telemetry.budget import LogBudget
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


def test_a_flood_of_one_event_is_cut_and_told_and_others_are_written() -> None:
    now = 100.0
    page = io.StringIO()
    logs.configure("info", "json", page, lines_per_second=3)
    (handler,) = logging.getLogger().handlers
    handler._budget = LogBudget(3, lambda: now)  # type: ignore[attr-defined]
    for n in range(50):
        logs.get("x").info("flood", n=n)
        logging.getLogger("library").warning("text %s", n)
    logs.get("x").info("other")
    now += 1
    logs.get("x").info("later")
    lines = [json.loads(line) for line in page.getvalue().splitlines()]

    assert [line["event"] for line in lines].count("flood") == 3
    assert sum(line["logger"] == "library" for line in lines) == 3
    assert [(line["of"], line["lines"]) for line in lines if line["event"] == logs.LEFT_OUT] == [
        (["x", "flood"], 47),
        (["library", ""], 47),
    ]
    assert [line["event"] for line in lines[-4:]] == ["other", logs.LEFT_OUT, logs.LEFT_OUT, "later"]


def test_events_whose_names_are_texts_do_not_fill_memory(log_lines: LogLines) -> None:
    page = io.StringIO()
    logs.configure("info", "json", page, lines_per_second=100)
    (handler,) = logging.getLogger().handlers
    for n in range(1500):
        logs.get("x").info(f"event {n}")

    assert len(handler._kinds) == 1000  # type: ignore[attr-defined]
    assert len(page.getvalue().splitlines()) < 1500


TRACEPARENT = f"00-{'a' * 32}-{'b' * 16}-00"


def test_lines_of_a_call_name_its_trace(log_lines: LogLines) -> None:
    logs.bind_request("id-1", TRACEPARENT)
    logs.get("x").info("e")
    logs.bind_request("id-2")
    logs.get("x").info("e")

    first, second = log_lines()
    assert (first["trace_id"], first["span_id"]) == ("a" * 32, "b" * 16)
    assert "trace_id" not in second


def test_levels_of_modules_change_while_the_server_runs() -> None:
    page = io.StringIO()
    logs.configure("warning", "json", page, levels={"storage": "debug"})

    def written() -> list[str]:
        start = page.tell()
        for name in ("storage.postgres", "calls"):
            logs.get(name).debug("e")
            logs.get(name).info("e")
        lines = page.getvalue()[start:].splitlines()
        return [f"{line['logger']} {line['level']}" for line in map(json.loads, lines)]

    assert written() == ["storage.postgres debug", "storage.postgres info"]
    logs.set_levels("error", {"calls": "info"})
    assert written() == ["calls info"]
    logs.set_levels("error", {})
    assert written() == []


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_colours_unless_it_wants_none_and_never_what_a_caller_has_it_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pages = []
    for no_color in ("", "1"):
        monkeypatch.setenv("NO_COLOR", no_color)
        page = Terminal()
        logs.configure("info", "auto", page)
        logs.get("x").info("e", subject="a\x1b]0;owned\x07\nb")
        pages.append(page.getvalue())
    coloured, plain = pages

    assert "\x1b[" in coloured
    assert "\x1b" not in plain
    for line in pages:
        assert line.count("\n") == 1
        assert "\x1b]" not in line
        assert "\x07" not in line
    assert "owned" in plain


def test_lines_are_counted_by_level_and_those_left_out_together() -> None:
    logs.configure("info", "json", io.StringIO(), lines_per_second=5)
    before, left_out = logs.written().get("warning", 0), logs.left_out()
    for _ in range(20):
        logs.get("counted").warning("e")

    assert logs.written()["warning"] - before == 5
    assert logs.left_out() - left_out == 15
