"""The native engine of gRPC hangs on nobody's binaries: built from its source distribution, it answers as they do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD_SECONDS, TEST_SECONDS = 1800, 1800
SERVED_BY = """
import sys
from pathlib import Path
from tests.api.server import ServerProcess
server = ServerProcess(Path(sys.argv[1]), GRPC__ENGINE="native")
print(Path(f"/proc/{server.process.pid}/maps").read_text())
server.stop()
"""


@pytest.mark.deep
@pytest.mark.timeout(BUILD_SECONDS + TEST_SECONDS)
def test_the_tests_of_the_api_pass_on_a_build_from_source(tmp_path: Path) -> None:
    build = ROOT / "scripts/native-from-source"
    built = subprocess.run([build], capture_output=True, text=True, timeout=BUILD_SECONDS, check=False)
    assert built.returncode == 0, built.stderr
    place = built.stdout.strip()
    path = os.pathsep.join([place, str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path, "TEST_PACKAGES": place}
    served = subprocess.run(
        [sys.executable, "-c", SERVED_BY, tmp_path],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"{place}/pygrpc_native/" in served.stdout, served.stderr

    tests = ["tests/api", "tests/unit/transports"]
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-n",
        "2",
        "--dist",
        "loadfile",
    ]
    ran = subprocess.run(
        [*command, *tests],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TEST_SECONDS,
        check=False,
    )

    assert ran.returncode == 0, ran.stdout[-5000:]
