"""The page about the engine names every rule."""

from __future__ import annotations

from pathlib import Path

from llm_schema_engines.formats.json_schema.rules import (
    DEFAULT_WAIVED,
    REFUSED,
    RULES,
    UNDECIDED,
)

PAGE = Path(__file__).parents[3] / "docs" / "json-schema.md"


def test_every_rule_stands_on_the_page_with_its_sentence() -> None:
    text = PAGE.read_text(encoding="utf-8")

    missing = [
        r.id for r in (*RULES.values(), REFUSED, UNDECIDED, DEFAULT_WAIVED) if f"| {r.id} |" not in text
    ]
    assert missing == []
