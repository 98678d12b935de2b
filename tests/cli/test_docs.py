"""docs/cli.md is true: its console sessions are run, in order, against a real server."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from llm_schema_registry.cli import run
from llm_schema_registry.cli.exits import MEANINGS
from tests.api.server import ServerProcess

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
SESSION = re.compile(r"^```console\n(.*?)^```", re.DOTALL | re.MULTILINE)
EXIT = re.compile(r"\[exit code (\d+)\]\n\Z")

FILES = {
    "order.json": '{"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}\n',
    "order-2.json": '{"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"]}\n',
    "money.proto": 'syntax = "proto3";\npackage shop;\nmessage Money { int64 cents = 1; }\n',
    "invoice.proto": 'syntax = "proto3";\npackage shop;\nimport "money.proto";\nmessage Invoice { Money total = 1; }\n',
    "schemas/common/money.json": '{"type": "number"}',
    "schemas/llm/answer.json": '{"properties": {"price": {"$ref": "../common/money.json"}}}',
    "schemas/llm/tool.json": '{"type": "object"}',
    "revisions.jsonl": '{"path": "answer.json", "old": {"type": "string"}, "new": {"type": "number"}}\n',
}
"""What lies in the folder in which the page's commands run."""


@pytest.fixture(params=["native", "grpcio"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    server = ServerProcess(tmp_path / "server", GRPC__ENGINE=request.param)
    work = tmp_path / "work"
    for name, content in FILES.items():
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text(content)
    command = work / "bin" / "schema-registry"
    command.parent.mkdir()
    command.write_text(
        "#!/bin/sh\n"
        f"export PYTHONPATH='{ROOT / 'clients' / 'python'}'\n"
        f"exec '{sys.executable}' -c 'from llm_schema_registry.cli import main; main()' \"$@\"\n"
    )
    command.chmod(0o755)
    monkeypatch.chdir(work)
    monkeypatch.setenv("PATH", str(command.parent), prepend=os.pathsep)
    monkeypatch.setenv("SCHEMA_REGISTRY_SERVER", server.grpc)
    monkeypatch.setenv("COLUMNS", "80")
    yield work
    server.stop()


def commands() -> Iterator[tuple[str, str]]:
    """Each command of the page with the output that it shows."""
    for session in SESSION.findall(PAGE):
        for part in re.split(r"^\$ ", session, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            yield command, output


def matches(shown: str, expected: str) -> bool:
    """Whether the output is the expected one, in which `...` stands for anything and trailing spaces do not count."""
    tidy = "\n".join(line.rstrip() for line in shown.splitlines())
    wanted = "\n".join(line.rstrip() for line in expected.splitlines())
    pattern = r"[\s\S]*?".join(map(re.escape, wanted.split("...")))
    return re.fullmatch(re.sub(r"(\\ )+", " +", pattern), tidy) is not None


def ran(command: str, folder: Path, capfd: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """The exit code and the output of a command: of a plain `schema-registry` in this process, which is quicker than
    a process each, of anything else in a shell."""
    words = shlex.split(command)
    if words[0] == "schema-registry" and not set(words) & {"|", "<", ">", "2>", "-"}:
        capfd.readouterr()
        code = run(words[1:])
        sys.stdout.flush()
        return code, "".join(capfd.readouterr())
    process = subprocess.run(["sh", "-c", command], cwd=folder, capture_output=True, text=True, check=False)
    return process.returncode, process.stdout + process.stderr


def test_every_console_session_of_the_page_is_true(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for command, output in commands():
        ending = EXIT.search(output)
        code, shown = ran(command, folder, capfd)
        assert code == (int(ending[1]) if ending else 0), f"$ {command}\n{shown}"
        assert matches(shown, EXIT.sub("", output)), f"$ {command}\n{shown}\nis not\n{output}"


def test_the_page_lists_every_exit_code() -> None:
    for code, meaning in MEANINGS.items():
        assert f"| {code.value} | {meaning} |" in PAGE
