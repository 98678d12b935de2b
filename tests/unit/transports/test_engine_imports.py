"""What a server does not use, it does not import."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import sys
sys.modules["pygrpc_native"] = None  # as where the package is not installed
import llm_schema_registry_server.app
from llm_schema_registry_server.transports.grpc.listener import GrpcListener
"""


@pytest.mark.slow
def test_the_native_grpc_engine_is_imported_only_when_it_is_used() -> None:
    path = os.pathsep.join(os.path.abspath(entry) for entry in sys.path if entry)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env={"PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
