"""`schema-registry fix`: edits under which a refused schema would be compatible."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llm_schema_registry.cli.exits import Exit
from llm_schema_registry.v1 import fixes_pb2 as pb
from llm_schema_registry.v1 import schema_registry_pb2 as registry
from tests.cli.conftest import Cli
from tests.sdk.fake_registry import FakeRegistry, answers

OLD = '{"type": "object", "properties": {"k": {"enum": ["a", "b"]}}, "additionalProperties": false}'
NEW = """{
  "type": "object",
  "properties": {"k": {"enum": ["a", "c"]}},
  "additionalProperties": false
}
"""


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in {"old.json": OLD, "new.json": NEW, "short.json": '{"enum": [1]}'}.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def alone(cli: Cli, fake: FakeRegistry, files: Path) -> Cli:
    """The command where no server is, in a folder with files."""
    cli.target = "localhost:1"
    return cli


def test_two_files_are_enough(alone: Cli) -> None:
    ran = alone("fix", "new.json", "--old", "old.json")

    assert ran.code == Exit.OK
    assert ran.out.splitlines()[1:5] == [
        "fix 1",
        "  keep_values at /properties/k/enum",
        "    readers must still handle 'b'",
        '  patch: [{"op": "replace", "path": "/properties/k/enum", "value": ["a", "c", "b"]}]',
    ]
    assert "each proved compatible at level BACKWARD, compared with old.json" in ran.out


def test_the_fix_that_is_picked_is_written(alone: Cli, files: Path) -> None:
    ran = alone("fix", "new.json", "--old", "old.json", "-w", "out.json", "--pick", "1", "-o", "json")

    assert ran.json["fixes"][0]["edits"][0]["kind"] == "KEEP_VALUES"
    assert json.loads((files / "out.json").read_text())["properties"]["k"]["enum"] == ["a", "c", "b"]
    assert alone("check", "out.json", "--old", "old.json").code == Exit.OK
    assert alone("fix", "out.json", "--old", "old.json").out.startswith("compatible at level BACKWARD")

    none = alone("fix", "new.json", "--old", "old.json", "-w", "out.json", "--pick", "5")
    assert none.code == Exit.USAGE


def test_without_a_fix_it_ends_with_1_and_the_reason(alone: Cli) -> None:
    ran = alone("fix", "short.json", "--old", "old.json", "--level", "full")

    assert ran.code == Exit.NEGATIVE
    assert (
        "no fix at level FULL, compared with old.json: the only edits that help take the whole change back"
        in ran.out
    )


def test_a_refusal_of_check_names_the_command(alone: Cli) -> None:
    ran = alone("check", "new.json", "--old", "old.json")

    assert ran.code == Exit.NEGATIVE
    assert "  edits that would pass: schema-registry fix new.json --old=old.json\n" in ran.out
    assert "schema-registry fix" not in alone("check", "old.json", "--old", "old.json").out


def test_a_subject_is_asked_about_at_the_server(cli: Cli, fake: FakeRegistry, files: Path) -> None:
    edit = pb.FixEdit(kind=pb.FIX_KIND_KEEP_VALUES, place="/enum", cost="readers must still handle 'b'")
    fake.script(
        "FindFixes",
        answers(
            pb.FindFixesResponse(
                fixes=[pb.Fix(edits=[edit], schema_content=b"{}", patch="[]", takes_back=True)],
                compatible=False,
                level=registry.COMPATIBILITY_LEVEL_FULL,
                compared_versions=["1.0.0"],
            )
        ),
    )
    ran = cli("fix", "orders", "new.json", "--level", "full", "--limit", "2")

    assert ran.code == Exit.OK
    assert "fix 1 (nothing else of the change is left)" in ran.out
    request = fake.calls["FindFixes"][0].request
    assert (request.subject, request.new_schema, request.limit) == ("orders", NEW.encode(), 2)


def test_what_does_not_fit_together_is_refused(alone: Cli) -> None:
    assert alone("fix", "new.json").code == Exit.USAGE
    assert alone("fix", "new.json", "--old", "old.json", "-a", "1").code == Exit.USAGE
    assert alone("fix", "orders", "new.json", "--strictness", "wire").code == Exit.USAGE
