"""docs/engines.md is true: its Python blocks are run, in order, and their types are checked; it names every function."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import llm_schema_engines as engines
from tests.api.server import ROOT

PAGE = (ROOT / "docs" / "engines.md").read_text(encoding="utf-8")
PROGRAM = "\n\n".join(re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE))


def test_the_examples_of_the_page_work() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={"PYTHONPATH": str(ROOT / "engines")},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr
    assert '/id "seven" is not of type integer\n' in ran.stdout
    assert "line 1, column 33: /propertes: the keyword 'propertes'" in ran.stdout


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


def test_the_page_names_every_function() -> None:
    functions = [name for name in engines.__all__ if name[0].islower()]

    assert [name for name in functions if f"`{name}(" not in PAGE] == []
