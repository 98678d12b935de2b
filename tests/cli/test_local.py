"""Files are checked, compared, validated, linted and converted without a server."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from llm_schema_registry.cli.exits import Exit
from tests.cli.conftest import Cli, Ran
from tests.sdk.fake_registry import FakeRegistry

OLD = '{"type": "object", "properties": {"id": {"type": "string"}}}'
WIDER = '{"type": "object", "properties": {"id": {"type": ["string", "null"]}}}'
BROKEN = '{"type": "object", "properties": {"id": {"type": "integer"}}}'
MORE = '{"type": "object", "properties": {"id": {"type": "string"}, "note": {"type": "string"}}}'
PROTO = 'syntax = "proto3";\nimport "m.proto";\nmessage A { M m = 1; }\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in {
        "old.json": OLD,
        "wider.json": WIDER,
        "broken.json": BROKEN,
        "more.json": MORE,
        "a.proto": PROTO,
        "m.proto": 'syntax = "proto3";\nmessage M { string s = 1; }\n',
        "invalid.json": '{\n "type": "objekt"}',
        "data.json": '{"id": 7}',
    }.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def alone(cli: Cli, folder: Path, fake: FakeRegistry) -> Cli:
    """The command where no server is."""
    cli.target = "localhost:1"
    return cli


def test_check_of_two_files(alone: Cli) -> None:
    ran = alone("check", "wider.json", "--old", "old.json")
    assert (ran.code, ran.err) == (Exit.OK, "")
    assert ran.out.startswith("compatible at level BACKWARD, compared with old.json\n")

    ran = alone("check", "broken.json", "--old", "old.json", "-o", "json")
    assert ran.code == Exit.NEGATIVE
    assert (ran.json["compatible"], ran.json["verdict"], ran.json["change_class"]) == (
        False,
        "NO",
        "BREAKING",
    )
    (violation,) = ran.json["violations"]
    assert (violation["compared_version"], violation["direction"]) == ("old.json", "backward")
    assert json.loads(violation["witness"])["id"] == ""


def test_check_compares_with_every_old_file_at_a_transitive_level(alone: Cli) -> None:
    files = ["check", "old.json", "--old", "broken.json", "--old", "wider.json", "-o", "json"]
    ran = alone(*files, "--level", "backward_transitive")
    assert ran.json["compared_versions"] == ["wider.json", "broken.json"]
    assert alone(*files).json["compared_versions"] == ["wider.json"]


def test_a_way_out_says_what_to_type_and_holds(alone: Cli) -> None:
    ran = alone("check", "more.json", "--old", "old.json")
    assert ran.code == Exit.NEGATIVE
    assert "    the same command with --writer-model declared_keys\n" in ran.out
    assert alone("check", "more.json", "--old", "old.json", "--writer-model", "declared_keys").code == Exit.OK


def test_diff_of_two_files(alone: Cli) -> None:
    ran = alone("diff", "broken.json", "--old", "old.json")
    assert ran.code == Exit.OK
    assert "--- old.json\n+++ broken.json\n" in ran.out
    assert "incompatible at level BACKWARD" in ran.out
    found = alone("diff", "broken.json", "--old", "old.json", "--exit-code", "-o", "json")
    assert found.code == Exit.NEGATIVE
    assert found.json["diff"]["differences"][0]["path"] == "/properties/id/type"
    assert not found.json["diff"]["backward"]["compatible"]


def test_validate_under_a_file(alone: Cli) -> None:
    ran = alone("validate", "--schema", "old.json", "data.json")
    assert (ran.code, ran.out) == (
        Exit.NEGATIVE,
        "data.json: invalid\n  /id: 7 is not of type string [type]\n",
    )
    lines = alone(
        "validate", "--schema", "old.json", "--lines", "-o", "json", stdin=b'{"id": "a"}\n\n{"id": 1}\n'
    )
    rows = [json.loads(line) for line in lines.out.splitlines()]
    assert [(row["source"], row["report"]["valid"]) for row in rows] == [("-:1", True), ("-:3", False)]


def test_references_are_files(alone: Cli) -> None:
    ran = alone("validate", "--schema", "a.proto", "-r", "m.proto=m.proto", stdin=b'{"m": {"s": 1}}')
    assert (ran.code, ran.out.splitlines()[0]) == (Exit.NEGATIVE, "-: invalid")
    missing = alone("validate", "--schema", "a.proto", stdin=b"{}")
    assert missing.code == Exit.NEGATIVE
    assert "error: a.proto: the schema is invalid" in missing.err


def test_lint_points_at_the_line(alone: Cli) -> None:
    ran = alone("lint", "old.json", "invalid.json")
    assert ran.code == Exit.NEGATIVE
    assert "old.json:1:1: info: " in ran.out
    assert "invalid.json: invalid\n  line 2, column " in ran.out
    assert alone("lint", "old.json", "--disable", "json/missing-dialect").out == "old.json: nothing found\n"
    assert alone("lint", "old.json", "--disable", "no-such-rule").code == Exit.USAGE


def test_convert_a_file(alone: Cli) -> None:
    ran = alone("convert", "--schema", "old.json", "avro", "--raw")
    assert ran.code == Exit.OK
    assert json.loads(ran.out)["type"] == "record"


def test_an_invalid_file_is_named(alone: Cli) -> None:
    ran = alone("check", "invalid.json", "--old", "old.json")
    assert (ran.code, ran.out) == (Exit.NEGATIVE, "")
    assert "error: invalid.json: the schema is invalid\n  line 2, column " in ran.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "s", "old.json", "--old", "old.json"],
        ["check", "old.json", "--old", "old.json", "--git", "main"],
        ["check", "old.json"],
        ["check", "s", "old.json", "--allow-undecided"],
        ["check", "old.json", "--old", "wider.json", "--against", "1"],
        ["check", ".", "--old", "old.json"],
        ["check", "old.json", "--old", "m.proto"],
        ["diff", "s", "1", "2", "3"],
        ["diff", "old.json", "--old", "wider.json", "--old", "more.json"],
        ["convert", "avro"],
        ["convert", "--schema", "old.json", "orders", "avro"],
        ["validate"],
        ["validate", "orders", "data.json", "--type", "json"],
        ["validate", "--schema", "a.proto", "-r", "m.proto", "data.json"],
    ],
)
def test_what_does_not_fit_together_is_a_usage_error(arguments: list[str], alone: Cli) -> None:
    ran = alone(*arguments)
    assert (ran.code, ran.out) == (Exit.USAGE, "")
    assert ran.err.startswith("error: ")


def test_without_the_engines_the_way_out_is_told(folder: Path) -> None:
    code = (
        "import sys; sys.modules['jsonschema_rs'] = None; from llm_schema_registry.cli import run; "
        "sys.exit(run(['check', 'wider.json', '--old', 'old.json']))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == Exit.USAGE
    assert "pip install 'llm-schema-registry[engines]'" in ran.stderr
    assert "jsonschema_rs" in ran.stderr


def git(*arguments: str) -> None:
    subprocess.run(
        ["git", "-c", "user.name=n", "-c", "user.email=e@example.com", *arguments],
        check=True,
        capture_output=True,
    )


@pytest.fixture
def repository(alone: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Schemas that were committed, then changed."""
    root = folder / "repository"
    schemas = root / "schemas"
    schemas.mkdir(parents=True)
    monkeypatch.chdir(root)
    for name, text in {
        "a.json": OLD,
        "b.json": OLD,
        "gone.json": OLD,
        "same.json": OLD,
        "uses.proto": PROTO,
    }.items():
        (schemas / name).write_text(text)
    (schemas / "m.proto").write_text('syntax = "proto3";\nmessage M { string s = 1; }\n')
    git("init", "-q", "-b", "main")
    git("add", ".")
    git("commit", "-q", "-m", "one")
    (schemas / "a.json").write_text(WIDER)
    (schemas / "b.json").write_text(BROKEN)
    (schemas / "new.json").write_text(OLD)
    (schemas / "gone.json").unlink()
    return root


def outcomes(ran: Ran) -> dict[str, str]:
    return {row["path"]: row["outcome"] for row in ran.json["rows"]}


def test_a_folder_is_checked_against_a_commit(alone: Cli, repository: Path) -> None:
    ran = alone("check", "schemas", "--git", "main", "-o", "json")
    assert ran.code == Exit.NEGATIVE
    assert outcomes(ran) == {
        "a.json": "COMPATIBLE",
        "b.json": "INCOMPATIBLE",
        "gone.json": "REMOVED",
        "m.proto": "UNCHANGED",
        "new.json": "NEW",
        "same.json": "UNCHANGED",
        "uses.proto": "UNCHANGED",
    }
    (repository / "schemas" / "b.json").write_text(OLD)
    passed = alone("check", "schemas", "--git", "main")
    assert passed.code == Exit.OK
    assert passed.out.splitlines()[0] == "7 schemas: 4 unchanged, 1 compatible, 1 new, 1 removed"


def test_a_change_of_what_is_referenced_breaks_what_references_it(alone: Cli, repository: Path) -> None:
    (repository / "schemas" / "m.proto").write_text('syntax = "proto3";\nmessage M { int32 s = 1; }\n')
    found = outcomes(alone("check", "schemas", "--git", "HEAD", "-o", "json"))
    assert (found["m.proto"], found["uses.proto"]) == ("INCOMPATIBLE", "INCOMPATIBLE")


def test_an_invalid_file_of_a_folder_does_not_hide_the_others(alone: Cli, repository: Path) -> None:
    (repository / "schemas" / "m.proto").write_text("nonsense")
    found = outcomes(alone("check", "schemas", "--git", "main", "-o", "json"))
    assert (found["m.proto"], found["uses.proto"], found["b.json"]) == ("INVALID", "INVALID", "INCOMPATIBLE")


def test_a_file_is_checked_against_a_commit(alone: Cli, repository: Path) -> None:
    assert alone("check", "schemas/a.json", "--git", "main").out.startswith(
        "compatible at level BACKWARD, compared with main:schemas/a.json\n"
    )
    assert alone("check", "schemas/b.json", "--git", "HEAD").code == Exit.NEGATIVE
    assert alone("check", "schemas/b.json", "--git", "HEAD:schemas/b.json").code == Exit.NEGATIVE
    assert "compared with nothing" in alone("check", "schemas/new.json", "--git", "main").out
    assert "--- main:schemas/b.json" in alone("diff", "schemas/b.json", "--git", "main").out


@pytest.mark.parametrize(
    ("commit", "why"),
    [
        ("no-such", "git knows no commit"),
        ("main:schemas/no.json", "there is no file"),
        ("--help", "git knows no"),
    ],
)
def test_a_commit_that_is_none_is_told(commit: str, why: str, alone: Cli, repository: Path) -> None:
    ran = alone("check", "schemas/a.json", f"--git={commit}")
    assert ran.code == Exit.USAGE
    assert why in ran.err


def test_without_a_repository_git_says_so(alone: Cli, folder: Path) -> None:
    ran = alone("check", "old.json", "--git", "main")
    assert ran.code == Exit.USAGE
    assert "not a git repository" in ran.err
