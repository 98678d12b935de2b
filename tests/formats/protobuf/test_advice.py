"""Advice is given for rules that exist, to whoever asks the engines."""

from __future__ import annotations

from pathlib import Path

import llm_schema_engines
from llm_schema_engines.compatibility.advice import ADVICE

PAGE = Path(__file__).parents[3] / "docs" / "protobuf.md"


def test_advice_is_for_rules_that_the_documentation_lists() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert [rule for rule in ADVICE if rule not in page] == []


def test_the_engines_advise_without_a_server() -> None:
    old = 'syntax = "proto3"; message M { string a = 1; bool b = 2; }'
    new = 'syntax = "proto3"; message M { int32 a = 1; int32 b = 2; }'
    report = llm_schema_engines.check(new, [old], schema_type="PROTOBUF")

    assert [remedy.kind for remedy in report.remedies] == ["EDIT", "EDIT"]
