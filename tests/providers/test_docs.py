"""docs/llm/providers.md is true: its Python blocks are run, in order."""

from __future__ import annotations

import re
import subprocess
import sys

from tests.api.server import ROOT

PAGE = (ROOT / "docs" / "llm" / "providers.md").read_text(encoding="utf-8")
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
    assert "/properties/zip/minLength: `minLength` makes Anthropic refuse the whole request" in ran.stdout
