"""`make demo-llm`: one page that shows what it says, with the real package of OpenAI and a real MCP client."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.api.server import ROOT

pytestmark = pytest.mark.timeout(600)  # the libraries may have to be installed


def test_the_demonstration_is_one_page_and_true() -> None:
    libraries = subprocess.run(
        [ROOT / "scripts" / "integrations"], capture_output=True, text=True, check=True
    )
    path = [str(ROOT / part) for part in ("engines", "server", "clients/python")]
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "demo_llm.py")],
        env={
            "PATH": os.environ.get("PATH", ""),
            "PYTHONPATH": os.pathsep.join([*path, libraries.stdout.strip()]),
        },
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert len(done.stdout.splitlines()) <= 50
    assert max(map(len, done.stdout.splitlines())) <= 100
    for part in (
        "as it stands: 400",
        "WIDENED",
        "stopped: byte",
        "re-asked with",
        "fix, proved",
        "list_versions",
    ):
        assert part in done.stdout, part
