"""A refusal does not wait long for its ways out."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from llm_schema_engines.compatibility import search
from llm_schema_registry_server.registry import remedies
from llm_schema_registry_server.registry.library import Library


class Slow:
    """A library whose comparisons never end."""

    def __init__(self) -> None:
        self.asked = 0

    async def compare(self, *_: Any) -> Any:
        self.asked += 1
        await asyncio.Event().wait()


async def test_no_remedy_is_better_than_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    class Question:
        reader = writer = options = None

    def questions(*_: Any) -> Any:
        yield Question()
        return ("a remedy",)

    monkeypatch.setattr(remedies, "find_remedies", questions)
    library = Slow()

    found = await remedies.Remedies(cast("Library", library), 0.01).find(
        cast("search.FailedCheck[Any]", None)
    )

    assert found == ()
    assert library.asked == 1
