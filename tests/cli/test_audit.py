"""The commands about the audit log and verdicts, against a real server."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path

import pytest

from llm_schema_registry import AuditEvent, AuditEventType, AuditOutcome, AuditResource, AuditSeverity
from llm_schema_registry.cli import run
from llm_schema_registry.cli.cef import cef
from tests.api.server import ServerProcess

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    made = ServerProcess(tmp_path_factory.mktemp("server"), AUDIT__INTERVAL_SECONDS="0.05")
    yield made
    made.stop()


@pytest.fixture
def command(
    server: ServerProcess, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Command:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / ".config"))
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "order.json").write_text('{"type": "object"}')
    (tmp_path / "other.json").write_text('{"type": "string"}')

    def call(*arguments: str) -> tuple[int, str, str]:
        capfd.readouterr()
        monkeypatch.setattr(sys, "stdin", StringIO())
        code = run(["--server", server.grpc, *arguments])
        sys.stdout.flush()
        return (code, *capfd.readouterr())

    return call


def registered(command: Command, subject: str) -> None:
    """Registers one and waits until that is logged."""
    assert command("register", subject, "order.json")[0] == 0
    end = time.monotonic() + 20
    while "no entries" in command("audit", "list", "--resource", subject)[1]:
        assert time.monotonic() < end
        time.sleep(0.05)


def test_entries_are_listed_and_filtered(command: Command) -> None:
    registered(command, "listed")

    code, out, _ = command("audit", "list", "--resource", "subject:listed")
    assert code == 0
    assert re.search(r"SCHEMA_REGISTERED +ALLOWED +anonymous +127\.0\.0\.1 +RegisterSchema listed", out)
    _, out, _ = command("audit", "list", "--event", "SYSTEM_STARTED", "-o", "json")
    assert json.loads(out)[0]["kind"] == "system"
    assert "no entries" in command("audit", "list", "--outcome", "DENIED", "--since", "1h")[1]
    assert "no entries" in command("audit", "list", "--resource", "listed", "--since", "2999-01-01")[1]
    assert command("audit", "list", "--since", "yesterday")[0] == 2
    assert command("audit", "list", "--outcome", "SOMEHOW")[0] == 2


def test_an_export_is_verified_and_what_was_altered_is_named(command: Command) -> None:
    registered(command, "exported")
    _, note, _ = command("audit", "checkpoint")
    Path("kept").write_text(note)
    _, out, _ = command("audit", "checkpoint", "-o", "json")
    Path("key").write_text(json.loads(out)["public_key"])
    assert command("audit", "export", "audit.jsonl")[0] == 0

    code, out, _ = command("audit", "verify", "audit.jsonl", "--public-key", "key", "--checkpoint", "kept")
    assert (code, "nothing was altered" in out) == (0, True)
    whole = Path("audit.jsonl").read_text()
    Path("altered.jsonl").write_text(whole.replace("anonymous", "mallory", 1))
    code, out, _ = command("audit", "verify", "altered.jsonl", "--public-key", "key")
    assert code == 1
    assert "the entry is not the one that was logged" in out
    assert command("audit", "export", "audit.jsonl")[0] != 0, "no file is replaced"
    assert command("audit", "export", "--since", "1h")[0] == 2


def test_an_export_for_a_siem(command: Command) -> None:
    registered(command, "a=b|c")

    code, out, _ = command("audit", "export", "--format", "cef", "--since", "1h")
    assert code == 0
    (line,) = (line for line in out.splitlines() if "cs1=subject:a\\=b|c" in line)
    assert line.startswith("CEF:0|LLM Schema Registry|schema-registry|")
    assert "|SCHEMA_REGISTERED|Schema registered|3|rt=" in line
    assert " src=127.0.0.1 " in line


def test_cef_escapes_what_would_end_a_field() -> None:
    event = AuditEvent(
        7, "id", None, AuditEventType.AUTHORIZATION_DENIED, AuditSeverity.CRITICAL, AuditOutcome.DENIED,
        "a\nb\\c=d", "user", "", "::1", "", "agent", "grpc", "RPC", "p", (AuditResource("subject", "x"),), 2,
        "PERMISSION_DENIED", "WHY", "r-1", 3, 0, {"k": "v"}, "{}",
    )  # fmt: skip
    line = cef(event, "1|0\\")

    assert line.startswith("CEF:0|LLM Schema Registry|schema-registry|1\\|0\\\\|AUTHORIZATION_DENIED|")
    assert "|10|" in line
    assert "suser=a\\nb\\\\c\\=d " in line
    assert "c6a2=::1 c6a2Label=Source IPv6 Address" in line
    assert "cs1=subject:x, and 2 more cs1Label=resources" in line
    assert "cnt=3" in line
    assert "\n" not in line


def test_a_verdict_is_signed_and_verified(command: Command) -> None:
    registered(command, "verdict")
    _, out, _ = command("audit", "checkpoint", "-o", "json")
    key = json.loads(out)["public_key"]
    assert command("certify", "verdict", "order.json", "--into", "yes")[0] == 0
    assert command("certify", "verdict", "other.json", "--into", "no")[0] == 1

    code, out, _ = command("verify-verdict", "yes", "--public-key", key, "--schema", "order.json")
    assert code == 0
    assert re.search(r"verdict +compatible\n", out)
    code, out, _ = command("verify-verdict", "no", "--public-key", key)
    assert code == 1
    assert re.search(r"verdict +not compatible\n", out)
    code, _, err = command("verify-verdict", "yes", "--public-key", key, "--schema", "other.json")
    assert (code, "another schema" in err) == (1, True)
    Path("forged").write_text(Path("no").read_text().replace('"compatible":false', '"compatible":true'))
    code, _, err = command("verify-verdict", "forged", "--public-key", key)
    assert (code, "signature is wrong" in err) == (1, True)
