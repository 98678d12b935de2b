"""The official test suite through the engine: strict parse, compile, validate.

Custom metaschemas (`vocabulary`, `format-assertion`) are refused by the dialect list, on purpose; everything else that
is required must agree.
"""

from __future__ import annotations

import json
from collections import Counter

import pytest

from llm_schema_registry_server.errors import InvalidSchema

from . import suite
from .build import ENGINE

pytestmark = pytest.mark.skipif(not suite.PRESENT, reason="the official suite is not beside the repository")

REFUSED_ON_PURPOSE = frozenset({"json/dialect"})


def run(dialect: str, group: str = "", policy: str = "DIALECT") -> tuple[Counter[str], list[str]]:
    """Counts of agreed, disagreed and refused tests, and what went wrong."""
    counts: Counter[str] = Counter()
    wrong: list[str] = []
    for case in suite.cases(dialect, group, policy):
        try:
            ENGINE.parse(case.source)
            validator = ENGINE.compile_validator(case.source)
        except InvalidSchema as error:
            counts["refused"] += len(case.tests)
            if error.issues[0].rule not in REFUSED_ON_PURPOSE:
                wrong.append(f"{case.name}: {error}")
            continue
        for description, data, valid in case.tests:
            report = validator.validate(json.dumps(data).encode())
            agreed = report.valid is valid and report.valid is not bool(report.errors)
            counts["agreed" if agreed else "disagreed"] += 1
            if not agreed:
                wrong.append(f"{case.name}: {description}")
    return counts, wrong


@pytest.mark.parametrize(("dialect", "tests"), [("draft-07", 927), ("2019-09", 1254), ("2020-12", 1294)])
def test_every_required_test_agrees(dialect: str, tests: int) -> None:
    counts, wrong = run(dialect)

    assert wrong == []
    assert counts["agreed"] >= tests


@pytest.mark.parametrize(("dialect", "tests"), [("draft-04", 500), ("draft-06", 750)])
def test_cases_of_draft_7_agree_with_another_validator_of_older_drafts(dialect: str, tests: int) -> None:
    counts, wrong = run(dialect)

    print(counts)
    assert wrong == []
    assert counts["agreed"] >= tests


@pytest.mark.parametrize("dialect", suite.DRAFTS)
def test_every_format_test_agrees_when_formats_are_asserted(dialect: str) -> None:
    counts, wrong = run(dialect, "optional/format", "ASSERT")

    assert wrong == []
    assert counts["agreed"] > 600


@pytest.mark.parametrize("dialect", suite.DRAFTS)
def test_optional_tests_agree_where_the_schema_may_be_registered(dialect: str) -> None:
    counts, wrong = run(dialect, "optional")

    assert [w for w in wrong if "cross-draft" not in w] == []
    assert counts["agreed"] > 100
