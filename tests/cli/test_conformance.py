"""The command `conformance` against a real server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from llm_schema_registry import ModelOutcomes, SchemaRegistry
from llm_schema_registry.cli.exits import Exit
from tests.api.server import ServerProcess
from tests.cli.conftest import Cli


@pytest.fixture
def at(cli: Cli, tmp_path: Path) -> Iterator[Cli]:
    """The command at a registry with two versions of `answers`, of which the second is worse."""
    server = ServerProcess(tmp_path)
    with SchemaRegistry(server.grpc) as registry:
        one = registry.register_schema("answers", {"type": "object"}, schema_type="JSON")
        two = registry.register_schema("answers", {"type": "object", "title": "t"})
        registry.report_outcomes(
            [
                ModelOutcomes("gpt", 2000, 1900, 100, schema_id=one.schema_id),
                ModelOutcomes("gpt", 2000, 1700, 200, 40, 60, schema_id=two.schema_id),
                ModelOutcomes("claude", 10, 10, schema_id=two.schema_id),
            ]
        )
    cli.target = server.grpc
    yield cli
    server.stop()


def test_rates_are_shown_by_version_and_model(at: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    ran = at("conformance", "answers")

    assert ran.code == Exit.OK
    head, *lines = ran.out.splitlines()
    assert head.split()[:3] == ["VERSION", "MODEL", "ANSWERS"]
    assert [line.split()[:4] for line in lines] == [
        ["1.0.0", "gpt", "2000", "95.0%"],
        [lines[1].split()[0], "claude", "10", "100.0%"],
        [lines[2].split()[0], "gpt", "2000", "85.0%"],
    ]
    assert lines[2].endswith("from 95.0%")
    assert "drop: gpt with" in ran.err


def test_lists_are_narrowed(at: Cli) -> None:
    of_one = at("conformance", "answers", "--version", "latest", "--model", "claude", "-o", "json").json
    assert [(one["model"], one["answers"], one["drop"]["found"] if one["drop"] else None) for one in of_one] == [
        ("claude", 10, None)
    ]  # fmt: skip
    assert len(at("conformance", "answers", "--since", "2d", "-o", "json").json) == 3
    assert at("conformance", "answers", "--until", "2020-01-01").out == "nothing was reported\n"
    assert len(json.loads(at("conformance", "answers", "-n", "1", "-o", "json").out)) == 1


def test_a_drop_may_be_a_failure(at: Cli) -> None:
    assert at("conformance", "answers", "--fail-on-drop").code == Exit.NEGATIVE
    assert at("conformance", "answers", "--model", "claude", "--fail-on-drop").code == Exit.OK
    assert at("conformance", "nobody").code == Exit.NOT_FOUND
    assert at("conformance", "answers", "--since", "yesterday").code == Exit.USAGE
    assert at("conformance", "answers", "--model", "a b").code == Exit.USAGE
