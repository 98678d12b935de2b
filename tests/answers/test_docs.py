"""docs/llm/answers.md is true: its Python blocks are run, in order, and it names every kind, style and status."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from llm_schema_engines import Coercion, ReaskStyle, StreamStatus
from tests.api.server import ROOT

PAGE = (ROOT / "docs" / "llm" / "answers.md").read_text(encoding="utf-8")
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
    assert "byte 32: /category: enum: no allowed value begins with 'bilX'\n" in ran.stdout


@pytest.mark.parametrize("kind", [Coercion, ReaskStyle, StreamStatus])
def test_the_page_names_every_member(kind: type[Coercion] | type[ReaskStyle] | type[StreamStatus]) -> None:
    assert [member.name for member in kind if member.name not in PAGE] == []
