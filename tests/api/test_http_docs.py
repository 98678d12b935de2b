"""The commands of docs/http.md do what they say, and there is one for each group of paths."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from llm_schema_registry_server.rpc import methods

from .server import ServerProcess

PAGE = (Path(__file__).parents[2] / "docs" / "http.md").read_text()
COMMANDS = "\n".join(re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL))


def test_there_is_a_command_for_each_group_of_paths() -> None:
    groups = {
        re.match(r"(/api/v1)?/[\w-]+", binding.path)[0]  # type: ignore[index]  # all paths begin so
        for method in methods.load()
        for binding in method.bindings
    }

    assert groups
    assert [group for group in sorted(groups) if f"$REGISTRY{group}" not in COMMANDS] == []


@pytest.mark.slow
def test_the_commands_run(tmp_path: Path) -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is not installed")
    server = ServerProcess(tmp_path / "server", STORAGE__KIND="memory")
    (tmp_path / ".curlrc").write_text('fail-with-body\nwrite-out = "\\n"\n')
    environment = {**os.environ, "CURL_HOME": str(tmp_path), "REGISTRY": server.http, "no_proxy": "*"}
    try:
        done: Any = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", COMMANDS],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    finally:
        server.stop()

    assert done.returncode == 0, done.stdout[-1500:] + done.stderr[-500:]
    for piece in (
        '"status":"STATUS_HEALTHY"',
        '"routes":',
        '"valid":true',
        '"differences":',
        "data: {",
        '"versions":"2"',
        '"allowed":',
        '"root_hash":',
    ):
        assert piece in done.stdout.replace(": ", ":") or piece in done.stdout, (piece, done.stdout[-3000:])
