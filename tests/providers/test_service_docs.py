"""docs/llm/provider-service.md is true: its Python blocks are run, in order, against a server, and it names every call."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from llm_schema_registry.v1 import providers_pb2
from tests.api.server import ROOT, ServerProcess

PAGE = (ROOT / "docs" / "llm" / "provider-service.md").read_text(encoding="utf-8")
PROGRAM = "\n\n".join(re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE))


def test_the_examples_of_the_page_work(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path / "server", PROVIDERS__WATCH_SECONDS="0.2")
    try:
        ran = subprocess.run(
            [sys.executable, "-c", PROGRAM.replace("localhost:9090", server.grpc)],
            env={"PYTHONPATH": os.pathsep.join(str(ROOT / part) for part in ("engines", "clients/python"))},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
    finally:
        server.stop()

    assert ran.returncode == 0, ran.stderr
    assert "anthropic-strict REFUSED ['/properties/zip/minLength']\n" in ran.stdout
    assert ran.stdout.endswith("orders 1.0.0 /properties/zip/minLength\n")
    assert "subject 'orders' accepts no schema that fits our-gateway worse than FITS_WITH_LOSS" in ran.stdout


def test_the_page_names_every_call() -> None:
    service = providers_pb2.DESCRIPTOR.services_by_name["ProviderService"]

    assert [m.name for m in service.methods if m.name not in PAGE] == []
