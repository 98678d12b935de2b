"""What people see: colours only where they are wanted, and nothing cut on a narrow terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from llm_schema_registry.cli import text
from llm_schema_registry.cli.exits import Exit
from llm_schema_registry.v1 import schema_registry_pb2 as pb
from tests.api.server import ServerProcess
from tests.cli.conftest import Cli
from tests.sdk.fake_registry import FakeRegistry, answers

ID = "0198c0de-0000-7000-8000-000000000001"
LONG = "a.rather.long.name.of.a.subject.that.does.not.fit.into.sixty.columns"
COMMAND = [sys.executable, "-c", "from llm_schema_registry.cli import main; main()"]
COMMANDS = [
    "register",
    "get",
    "list",
    "versions",
    "search",
    "deps",
    "convert",
    "validate",
    "validate-schema",
    "judge",
    "reask",
    "coerce",
    "check",
    "fix",
    "diff",
    "lint",
    "state",
    "update",
    "history",
    "delete",
    "undelete",
    "import",
    "pull",
    "watch",
    "health",
    "stats",
]
GROUPS = {"config": ["get", "set", "unset"], "profile": ["list", "set", "use", "show", "remove"]}
EVERY = [
    [],
    *([c] for c in COMMANDS),
    *([g] for g in GROUPS),
    *([g, c] for g, cs in GROUPS.items() for c in cs),
]


def on_a_terminal(folder: Path, *arguments: str, **variables: str) -> str:
    """What the command writes to a terminal."""
    ours, theirs = pty.openpty()
    environment = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS")}
    environment |= {"TERM": "xterm-256color", "XDG_CONFIG_HOME": str(folder), **variables}
    with subprocess.Popen(
        [*COMMAND, *arguments], cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        said = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # Linux: the other end is closed
                break
            if not part:
                break
            said += part
        process.wait()
    os.close(ours)
    return said.decode()


@pytest.fixture
def check(tmp_path: Path) -> list[str]:
    (tmp_path / "old.json").write_text('{"type": "string"}')
    (tmp_path / "new.json").write_text('{"type": "integer"}')
    return ["check", "new.json", "--old", "old.json"]


def test_verdicts_are_coloured_on_a_terminal(check: list[str], tmp_path: Path) -> None:
    assert "\x1b[31mincompatible" in on_a_terminal(tmp_path, *check)
    assert "\x1b[32mcompatible" in on_a_terminal(tmp_path, *check, "--level", "none")


def test_there_are_no_colours_where_they_are_not_wanted(check: list[str], tmp_path: Path) -> None:
    for shown in (
        on_a_terminal(tmp_path, *check, NO_COLOR="1"),
        on_a_terminal(tmp_path, *check, "--no-color"),
        on_a_terminal(tmp_path, *check, TERM="dumb"),
        on_a_terminal(tmp_path, *check, "-o", "json"),
        subprocess.run([*COMMAND, *check], cwd=tmp_path, capture_output=True, text=True, check=False).stdout,
    ):
        assert "ompatible" in shown
        assert "\x1b" not in shown


def test_control_characters_are_taken_out_of_coloured_lines_too() -> None:
    assert "\x1b" not in text.bad("\x1b[2Jname").plain


@pytest.fixture
def two_versions(fake: FakeRegistry) -> None:
    response = pb.GetSubjectVersionsResponse(subject="orders")
    for ordinal in (1, 2):
        response.versions.add(
            version=f"{ordinal}.0.0",
            ordinal=ordinal,
            schema_id=ID,
            state=pb.SCHEMA_STATE_DEPRECATED,
            created_at=Timestamp(seconds=1_800_000_000),
        )
    fake.script("GetSubjectVersions", answers(response))


@pytest.mark.usefixtures("two_versions")
def test_a_table_that_does_not_fit_becomes_lines(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cli("versions", "orders").out.splitlines()[1].split() == [
        "1",
        "1.0.0",
        "DEPRECATED",
        "2027-01-15",
        ID,
    ]
    monkeypatch.setenv("COLUMNS", "60")
    lines = [line.rstrip() for line in cli("versions", "orders").out.splitlines()]
    assert lines[:6] == [
        "#        1",
        "version  1.0.0",
        "state    DEPRECATED",
        "created  2027-01-15",
        f"id       {ID}",
        "",
    ]
    assert max(map(len, lines)) <= 60


def test_long_names_are_folded_and_never_cut(
    cli: Cli, fake: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    schema = pb.SchemaInfo(
        id=ID,
        subject=LONG,
        version="10.20.30",
        schema_type=pb.SCHEMA_TYPE_PROTOBUF,
        state=pb.SCHEMA_STATE_ACTIVE,
    )
    fake.script("SearchSchemas", answers(pb.SearchSchemasResponse(schemas=[schema], total_count=1)))
    shown = cli("search", "x").out
    assert max(len(line.rstrip()) for line in shown.splitlines()) <= 60
    assert LONG in "".join(line.split("  ")[0].strip() for line in shown.splitlines()[1:])
    monkeypatch.delenv("COLUMNS")
    assert LONG in cli("search", "x").out  # where nobody looks, a row is a line


@pytest.mark.parametrize("command", EVERY, ids=" ".join)
@pytest.mark.parametrize("columns", [60, 80])
def test_help_fits(columns: int, command: list[str], cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    ran = cli(*command, "-h", server=False)
    assert ran.code == Exit.OK
    # Examples are lines to copy: they are not folded, and fit 80 columns.
    limits = (
        (line, 80 if line.startswith("    ") and "schema-registry " in line else columns)
        for line in ran.out.splitlines()
    )
    assert [line for line, limit in limits if len(line) > limit] == []
    assert "…" not in ran.out
    commands = ran.out.partition("\nCommands:\n")[2].splitlines()
    assert [line for line in commands if line.endswith("...")] == []


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    running = ServerProcess(tmp_path_factory.mktemp("display"))
    yield running
    running.stop()


def test_another_protocol_is_exit_code_four_and_says_where_grpc_is(cli: Cli, server: ServerProcess) -> None:
    cli.target = server.http
    ran = cli("list")
    assert ran.code == Exit.UNAVAILABLE
    assert f"gRPC is served on port {server.grpc.rpartition(':')[2]}" in ran.err
    cli.target = f"https://{server.grpc}"
    ran = cli("list")
    assert ran.code == Exit.UNAVAILABLE
    assert "answers, but not in TLS" in ran.err
