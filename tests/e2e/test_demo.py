"""`make demo` on our own schemas: every verdict, document and event as examples/catalogue.toml says."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.api.server import ROOT


def test_the_demonstration_comes_out_as_its_catalogue_says() -> None:
    path = os.pathsep.join(str(ROOT / part) for part in ("engines", "server", "clients/python"))
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "demo.py"), "--own"],
        env={"PATH": os.environ.get("PATH", ""), "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "unexpected" not in done.stdout
    assert "documents judged as expected" in done.stdout
