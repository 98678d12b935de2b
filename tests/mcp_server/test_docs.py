"""docs/llm/mcp.md is true: its commands are run, in order, against a server of its own, and it names every tool and prompt."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from llm_schema_registry.mcp_server.prompts import PROMPTS
from llm_schema_registry.mcp_server.tools import TOOLS
from llm_schema_registry.mcp_server.wire import HANDSHAKE_REVISIONS, MODERN_REVISIONS
from tests.api.server import ROOT, ServerProcess

PAGE = (ROOT / "docs" / "llm" / "mcp.md").read_text(encoding="utf-8")
HERE = "http://localhost:8080"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def test_the_page_names_all_there_is() -> None:
    rows = set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))
    assert rows - {"compile_for_provider"} == {tool.name for tool in TOOLS} - {"compile_for_provider"}
    assert [p.name for p in PROMPTS if f"`{p.name}`" not in PAGE] == []
    assert [r for r in (*HANDSHAKE_REVISIONS, *MODERN_REVISIONS) if r not in PAGE] == []


def test_the_configurations_are_json() -> None:
    clients = [json.loads(block) for block in blocks("json")][:2]
    assert clients[0]["mcpServers"]["schema-registry"]["args"][-2:] == ["mcp", "serve"]
    assert clients[1]["mcpServers"]["schema-registry"]["url"].endswith("/mcp")


def test_the_commands_work(tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    server = ServerProcess(tmp_path)
    try:
        answers = []
        for block in blocks("bash"):
            assert HERE in block
            command = block.replace(HERE, server.http)
            ran = subprocess.run(
                ["bash", "-c", command],
                capture_output=True,
                text=True,
                timeout=60,
                check=True,
                env={"PATH": "/usr/bin:/bin"},
            )
            answers.append(json.loads(ran.stdout)["result"])
        assert answers[0]["structuredContent"]["created"] is True
        assert answers[1]["protocolVersion"] == "2025-06-18"
        assert answers[2]["structuredContent"] == json.loads(blocks("json")[2])
    finally:
        server.stop()


def test_the_program_works(tmp_path: Path) -> None:
    pytest.importorskip("mcp", reason="the package mcp of the dev extra is not installed")
    server = ServerProcess(tmp_path)
    try:
        program = blocks("python")[0].replace(HERE, server.http)
        ran = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", program],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        assert ran.stdout == "nothing found\n"
    finally:
        server.stop()
