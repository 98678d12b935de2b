"""docs/llm/conformance.md is true: its example is run against a real server, and it names what is counted."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from llm_schema_registry.v1 import conformance_pb2
from llm_schema_registry_server.settings import ConformanceSettings
from tests.api.server import ROOT, ServerProcess

PAGE = (ROOT / "docs" / "llm" / "conformance.md").read_text(encoding="utf-8")


def test_the_example_of_the_page_works(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path)
    (program,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    ran = subprocess.run(
        [sys.executable, "-c", program.replace("localhost:9090", server.grpc)],
        env={"PYTHONPATH": f"{ROOT / 'clients' / 'python'}"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    server.stop()

    assert (ran.returncode, ran.stderr) == (0, "")


def test_the_page_names_every_count_and_its_settings() -> None:
    counts = [f.name for f in conformance_pb2.ModelOutcomes.DESCRIPTOR.fields][4:]
    settings = [f"conformance.{name}" for name in ConformanceSettings.model_fields]

    assert [name for name in (*counts, *settings) if f"`{name}`" not in PAGE] == []
