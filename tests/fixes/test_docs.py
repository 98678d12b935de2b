"""docs/llm/fixes.md is true: its example is run, and it names every kind."""

from __future__ import annotations

import re
import subprocess
import sys

from llm_schema_engines import FixKind
from llm_schema_registry.enums import FixKind as SdkKind
from llm_schema_registry.v1 import fixes_pb2
from tests.api.server import ROOT

PAGE = (ROOT / "docs" / "llm" / "fixes.md").read_text(encoding="utf-8")


def test_the_example_of_the_page_works() -> None:
    program, printed = re.search(
        r"^```python\n(.*?)^```\n\n```\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE
    ).groups()  # type: ignore[union-attr]
    ran = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(ROOT / "engines")},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert (ran.stderr, ran.stdout) == ("", printed)


def test_the_page_the_wire_and_the_sdk_name_every_kind() -> None:
    assert [kind.name for kind in FixKind if f"| {kind.name} |" not in PAGE] == []
    assert [f"FIX_KIND_{kind.name}" for kind in FixKind] == fixes_pb2.FixKind.keys()[1:]
    assert [kind.name for kind in FixKind] == [kind.name for kind in SdkKind if kind]
    assert [int(kind) for kind in FixKind] == [kind.number for kind in SdkKind if kind]
