"""Answers as JSON: what takes long to write is written outside of the event loop."""

from __future__ import annotations

import threading
import tracemalloc
from typing import Any

import pytest

from llm_schema_registry.v1 import providers_pb2 as pb
from llm_schema_registry_server.transports.http import json_out


def answer(findings: int) -> pb.CheckProfileResponse:
    report = pb.ProfileReport(findings=[pb.ProfileFinding(pointer=f"/p{n}") for n in range(findings)])
    return pb.CheckProfileResponse(reports=[report])


@pytest.mark.parametrize(("findings", "on_the_loop"), [(0, True), (10, True), (7_000, False)])
async def test_large_answers_are_written_in_a_thread(
    monkeypatch: pytest.MonkeyPatch, findings: int, on_the_loop: bool
) -> None:
    written: list[int] = []

    def render(message: Any) -> bytes:
        written.append(threading.get_ident())
        return expected(message)

    expected = json_out.render
    monkeypatch.setattr(json_out, "render", render)
    tagged: list[int] = []

    def tag(body: bytes) -> str:
        tagged.append(threading.get_ident())
        return str(len(body))

    made, tag_of_it = await json_out.render_large(answer(findings), tag)

    assert made == expected(answer(findings))
    assert tag_of_it == str(len(made))
    assert (written == [threading.get_ident()]) is on_the_loop
    assert tagged == written
    assert await json_out.render_large(answer(findings), None) == (made, "")


def test_rendered_answers_hold_no_more_memory_than_they_need() -> None:
    """They are kept, and what is kept is counted by its length."""
    made = [answer(50) for _ in range(20)]
    json_out.render(made[0])
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        rendered = [json_out.render(one) for one in made]
        held = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert held < 1.2 * sum(map(len, rendered))
