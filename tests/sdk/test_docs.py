"""docs/sdk.md is true: its Python blocks are run, in order, against a real server, and their types are checked."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from llm_schema_registry import SchemaRegistry
from tests.api.server import ROOT, ServerProcess

PAGE = (ROOT / "docs" / "sdk.md").read_text(encoding="utf-8")
PROGRAM = "\n\n".join(re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE))


@pytest.mark.parametrize("engine", ["native", "grpcio"])
def test_the_examples_of_the_page_work(engine: str, tmp_path: Path) -> None:
    server = ServerProcess(tmp_path, GRPC__ENGINE=engine)
    program = PROGRAM.replace("localhost:9090", server.grpc)
    ran = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": f"{ROOT / 'clients' / 'python'}:{ROOT / 'engines'}"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    server.stop()
    assert ran.returncode == 0, ran.stderr


def test_the_examples_of_the_page_have_right_types(tmp_path: Path) -> None:
    file = tmp_path / "page.py"
    file.write_text(PROGRAM)
    ran = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", "pyproject.toml", str(file)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout


def test_the_page_names_every_method() -> None:
    methods = {n for n in dir(SchemaRegistry) if n[0] != "_"} - {"close", "target"}
    assert {n for n in methods if f"`{n}`" not in PAGE} == set()
