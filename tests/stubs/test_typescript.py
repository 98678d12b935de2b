"""Stubs for TypeScript: generated, type-checked, and driven against a server by the example of clients/typescript."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.api.server import ServerProcess
from tests.stubs.conftest import COLD_SECONDS, TYPESCRIPT, run

pytestmark = pytest.mark.timeout(COLD_SECONDS)


def test_the_example_speaks_with_a_server(node_modules: Path, server: ServerProcess) -> None:
    run(["npm", "run", "--silent", "generate"], TYPESCRIPT)
    run(["npm", "run", "--silent", "build"], TYPESCRIPT)

    said = run(["npm", "run", "--silent", "example", "--", server.grpc], TYPESCRIPT)

    assert said.splitlines() == [
        "registered typescript.answer 1.0.0",
        "got typescript.answer 1.0.0",
        "listed typescript.answer 1.0.0",
        "valid",
        "not valid: /text: type: 1 is not of type string",
        "refused: FailedPrecondition INCOMPATIBLE_SCHEMA",
        "compatible: false because of JSON_TYPE_REFUSED",
    ]


def test_the_lock_file_names_no_registry() -> None:
    assert '"resolved"' not in (TYPESCRIPT / "package-lock.json").read_text()
