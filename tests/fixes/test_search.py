"""The search for fixes is bounded, says why it ended, and offers nothing that it did not prove."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from llm_schema_engines import InvalidRequest, InvalidSchema, find_fixes
from llm_schema_engines.fixes.documents import Operation
from llm_schema_engines.fixes.json_schema import JsonSchemaLanguage
from llm_schema_engines.fixes.language import Proposal, Question, by_operations
from llm_schema_engines.fixes.model import FixKind
from llm_schema_engines.fixes.search import (
    MOST_BYTES,
    MOST_VERSIONS,
    FixBudget,
    RefusedChange,
)
from llm_schema_engines.fixes.search import (
    find_fixes as search_fixes,
)
from llm_schema_engines.formats.engine import SchemaSource
from llm_schema_engines.formats.json_schema import JsonSchemaEngine
from llm_schema_engines.model.compatibility import CompatibilityLevel

ENGINE = JsonSchemaEngine()
OLD, NEW = {"enum": list(range(40))}, {"enum": list(range(20, 60))}


def change(new: Any, *old: Any) -> RefusedChange:
    def source(schema: Any) -> SchemaSource:
        return SchemaSource(json.dumps(schema).encode())

    named = [(str(number), source(one)) for number, one in enumerate(old, 1)]
    return RefusedChange(source(new), named, CompatibilityLevel.BACKWARD)


@pytest.mark.parametrize(
    ("budget", "reason"),
    [
        ({"candidates": 1}, "1 candidates were tried, which is the most"),
        ({"seconds": 0.0}, "the search used up its processor time of 0 s"),
        ({"deadline": 0.0}, "the deadline was too near"),
    ],
)
def test_a_budget_ends_the_search(budget: dict[str, Any], reason: str) -> None:
    found = search_fixes(ENGINE, JsonSchemaLanguage(), change(NEW, OLD), budget=FixBudget(**budget))

    assert not found.fixes
    assert not found.complete
    assert found.reason == reason
    assert found.tried <= 1


def test_what_was_found_before_the_budget_ended_is_kept() -> None:
    found = search_fixes(
        ENGINE, JsonSchemaLanguage(), change(NEW, OLD), budget=FixBudget(candidates=2), most=5
    )

    assert len(found.fixes) == 1
    assert not found.complete


def test_a_candidate_that_is_not_compatible_is_never_offered() -> None:
    class Wrong(JsonSchemaLanguage):
        """Proposes what does not help, what may not be registered, and at last what helps."""

        def proposals(self, draft: Any, old: Any, question: Question) -> Iterator[Proposal[Any]]:
            for value in ([99], "no list", [*range(60)]):
                yield by_operations(
                    FixKind.KEEP_VALUES, "/enum", "", [Operation("replace", ("enum",), value)]
                )

    found = search_fixes(ENGINE, Wrong(), change(NEW, OLD))

    assert [json.loads(fix.content) for fix in found.fixes] == [{"enum": [*range(60)]}]


def test_many_versions_and_large_schemas_are_refused_before_anything_is_tried() -> None:
    many = search_fixes(ENGINE, JsonSchemaLanguage(), change(NEW, *[OLD] * (MOST_VERSIONS + 1)))
    large = search_fixes(ENGINE, JsonSchemaLanguage(), change({**NEW, "title": "x" * MOST_BYTES}, OLD))

    for found in (many, large):
        assert (found.tried, found.complete, found.fixes) == (0, False, ())
        assert "fixes are looked for up to" in found.reason


def test_hostile_schemas_come_to_an_end() -> None:
    wide = {
        "anyOf": [{"properties": {f"p{i}": {"type": "string", "pattern": f"^a{i}*$"}}} for i in range(60)]
    }
    narrow = {"anyOf": [{"required": [f"p{i}", f"q{i}"]} for i in range(60)]}
    found = search_fixes(ENGINE, JsonSchemaLanguage(), change(narrow, wide), budget=FixBudget(seconds=1.0))

    assert 1 <= found.tried <= 40
    assert found.fixes or found.reason


def test_a_schema_that_is_compatible_needs_no_fix() -> None:
    assert find_fixes('{"type": "string"}', '{"type": "string"}').compatible
    assert find_fixes('{"type": "string"}', '{"type": "integer"}', "NONE").compatible
    assert find_fixes('{"type": "string"}', []).compatible


@pytest.mark.parametrize("limit", [0, 6, True, "3"])
def test_a_limit_out_of_range_is_refused(limit: Any) -> None:
    with pytest.raises(InvalidRequest, match=r"limit: is .*; it must be a number from 1 to 5"):
        find_fixes("{}", "{}", limit=limit)


@pytest.mark.parametrize("seconds", [0, -1, 601, True, "3", float("nan")])
def test_a_time_out_of_range_is_refused(seconds: Any) -> None:
    with pytest.raises(InvalidRequest, match="seconds: is"):
        find_fixes("{}", "{}", seconds=seconds)


def test_schemas_that_cannot_be_read_are_refused_by_their_argument() -> None:
    with pytest.raises(InvalidSchema, match="old"):
        find_fixes("{}", ['{"type": 7}'])
