"""The page about Avro names every rule with the sentence that the code has."""

from __future__ import annotations

from pathlib import Path

from llm_schema_engines.formats.avro.resolution.rules import BRANCH_MISSING
from llm_schema_engines.formats.avro.resolution.rules import RULES as RESOLUTION
from llm_schema_engines.formats.avro.schema.issues import RULES

PAGE = Path(__file__).parents[3] / "docs" / "avro.md"


def test_every_rule_is_documented() -> None:
    page = PAGE.read_text()

    for rule in (*RULES, *RESOLUTION, BRANCH_MISSING):
        assert f"| {rule.id} | {rule.sentence} |" in page
