"""The command as scripts and people run it: a process of its own, real signals and pipes, the real server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from llm_schema_registry.cli.exits import Exit
from tests.api.server import ROOT, ServerProcess

# As in a terminal: what runs the tests may have been started in the background, where Ctrl-C is ignored. The command sets
# this itself; a preexec_fn would fork this process with the threads of gRPC, which then abort the child now and then.
COMMAND = [
    sys.executable,
    "-c",
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from llm_schema_registry.cli import main; main()",
]
DATA = ROOT.parent / "shared" / "data"


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, ServerProcess]]:
    home = tmp_path_factory.mktemp("cli")
    running = {engine: ServerProcess(home / engine, GRPC__ENGINE=engine) for engine in ("native", "grpcio")}
    yield running
    for server in running.values():
        server.stop()


class Process:
    """Starts the command against one server."""

    def __init__(self, server: ServerProcess, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT / "clients" / "python"),
            "SCHEMA_REGISTRY_SERVER": server.grpc,
        }

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **options,
        )

    def run(self, *arguments: str, stdin: bytes = b"") -> tuple[int, str, str]:
        process = self.start(*arguments)
        out, err = process.communicate(stdin)
        return process.returncode, out.decode(), err.decode()


@pytest.fixture(params=["native", "grpcio"])
def cli(request: pytest.FixtureRequest, servers: dict[str, ServerProcess], tmp_path: Path) -> Process:
    return Process(servers[request.param], tmp_path)


@pytest.fixture
def subject() -> str:
    return f"cli-{uuid4().hex[:12]}"


def test_a_pipeline_gates_on_exit_codes(cli: Process, subject: str) -> None:
    old, wider = b'{"type": "string"}', b'{"type": ["string", "null"]}'
    register = ("register", subject, "-", "--type", "json")

    assert cli.run(*register, stdin=old)[0] == Exit.OK
    assert cli.run("check", subject, "-", stdin=wider)[0] == Exit.OK
    code, out, err = cli.run(*register, stdin=b'{"type": "number"}')
    assert (code, out) == (Exit.NEGATIVE, "")
    assert "request id: " in err
    assert cli.run("state", subject, "draft")[0] == Exit.REFUSED


def test_json_of_one_command_feeds_the_next(cli: Process, subject: str) -> None:
    cli.run("register", subject, "-", "-t", "avro", stdin=b'"string"')

    schema_id = json.loads(cli.run("get", subject, "-o", "json")[1])["id"]
    code, out, _ = cli.run("validate", schema_id, "--lines", "-o", "json", stdin=b'"a"\n7\n')
    assert code == Exit.NEGATIVE
    assert [json.loads(line)["report"]["valid"] for line in out.splitlines()] == [True, False]


def test_a_watch_is_stopped_by_the_keyboard_without_a_traceback(cli: Process, subject: str) -> None:
    cli.run("register", subject, "-", "-t", "json", stdin=b"{}")
    with cli.start("watch", subject, "--from", "earliest", "-o", "json") as watch:
        assert watch.stdout is not None
        line = json.loads(watch.stdout.readline())
        assert (line["event_type"], line["subject"]) == ("SCHEMA_REGISTERED", subject)
        watch.send_signal(signal.SIGINT)
        _, err = watch.communicate()
    assert (watch.returncode, err) == (Exit.INTERRUPTED, b"")


def test_a_reader_that_leaves_ends_the_command_quietly(cli: Process, subject: str) -> None:
    cli.run("register", subject, "-", "-t", "json", stdin=json.dumps({"title": "x" * 500_000}).encode())

    with cli.start("get", subject) as reader:
        assert reader.stdout is not None
        assert reader.stderr is not None
        reader.stdout.read(10)
        reader.stdout.close()
        said = reader.stderr.read()
    assert (reader.returncode, said) == (Exit.READER_GONE, b"")


@pytest.mark.parametrize("file", ["schemastore-pairs.jsonl", "googleapis-pairs.jsonl"])
def test_an_import_of_real_revisions_answers_for_each(cli: Process, file: str) -> None:
    if not (DATA / file).exists():
        pytest.skip(f"no {file} beside the repository")
    code, out, err = cli.run("import", str(DATA / file), "--prefix", f"{uuid4().hex[:8]}.", "-o", "json")

    assert code in (Exit.OK, Exit.NEGATIVE), err
    found = json.loads(out)
    assert (
        sum(found["counts"].values())
        == len(found["rows"])
        == 2 * len((DATA / file).read_bytes().splitlines())
    )
    assert found["counts"]["registered"] > 100
    assert found["counts"]["failed"] == 0
