"""docs/llm/integrations.md is true: its Python blocks are run, in order, against a server and a provider, and it names every module."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.api.server import ServerProcess

from .kit import ROOT, library
from .test_imports import PACKAGE

PAGE = (ROOT / "docs" / "llm" / "integrations.md").read_text(encoding="utf-8")
PROGRAM = "\n\n".join(re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE))
GOOD = {
    "category": "billing",
    "priority": 2,
    "tags": ["refund"],
    "facts": [{"key": "plan", "value": "pro"}],
    "order": None,
}
GEMINI = {**GOOD, "facts": {"plan": "pro"}}
"""Gemini takes maps."""
WRONG = {**GOOD, "tags": ["refund", "refund"]}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_examples_of_the_page_work(tmp_path: Path, provider: Any) -> None:
    folder = Path(library("openai").__file__).parents[1]
    server = ServerProcess(tmp_path)
    provider.will_answer(
        *(json.dumps(a) for a in (WRONG, GOOD, WRONG, WRONG, GOOD, GEMINI, WRONG, GOOD, GOOD))
    )
    path = [*(str(ROOT / part) for part in ("engines", "clients/python")), str(folder)]
    try:
        ran = subprocess.run(
            [
                sys.executable,
                "-W",
                "ignore",
                "-c",
                PROGRAM.replace("localhost:9090", server.grpc).replace("http://localhost:8000", provider.url),
            ],
            env={
                "PYTHONPATH": os.pathsep.join(path),
                "PATH": os.environ.get("PATH", ""),
                "HOME": str(tmp_path),
            },
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
    finally:
        server.stop()

    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("/tags: ")
    assert provider.answers == []


def test_the_page_names_every_extra_and_module() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    shared = {"__init__", "contract", "errors", "inlining", "judging", "modelling", "streams", "pydantic"}
    others = {"engines", "verify", "server", "postgres", "redis", "s3", "telemetry", "all", "load", "dev"}

    assert [name for name in extras.keys() - others if f"| `{name}` |" not in PAGE] == []
    assert {f.stem for f in PACKAGE.glob("*.py") if f"`integrations.{f.stem}`" not in PAGE} == shared
