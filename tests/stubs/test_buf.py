"""buf takes the protos as they are, without a network, and generates code for the languages that protoc knows."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.stubs.conftest import COLD_SECONDS, PROTOS, needs, run

pytestmark = pytest.mark.timeout(COLD_SECONDS)
NOBODY = "http://127.0.0.1:9"
"""A proxy that is not there: whoever asks the network fails."""


@pytest.fixture
def offline(tmp_path: Path) -> dict[str, str]:
    """An environment in which buf has no cache and no network."""
    return {"BUF_CACHE_DIR": str(tmp_path / "cache"), "HTTP_PROXY": NOBODY, "HTTPS_PROXY": NOBODY}


@pytest.mark.parametrize("command", ["build", "lint", "format --diff --exit-code --path schema_registry"])
def test_buf_has_nothing_to_say(command: str, buf: str, offline: dict[str, str]) -> None:
    assert run([buf, *command.split()], PROTOS, offline) == ""


@pytest.mark.parametrize(
    ("language", "file", "text"),
    [
        ("java", "llm/schemaregistry/v1/RegisterSchemaRequest.java", "package llm.schemaregistry.v1;"),
        ("csharp", "V1/SchemaRegistry.cs", "namespace LlmSchemaRegistry.V1"),
        ("python", "schema_registry/v1/schema_registry_pb2.py", "DESCRIPTOR"),
        ("ruby", "schema_registry/v1/schema_registry_pb.rb", "module LlmSchemaRegistry"),
        ("php", "LlmSchemaRegistry/V1/RegisterSchemaRequest.php", "namespace LlmSchemaRegistry\\V1;"),
    ],
)
def test_protoc_generates(
    language: str, file: str, text: str, buf: str, offline: dict[str, str], tmp_path: Path
) -> None:
    needs("protoc")
    protos = tmp_path / "protos"
    shutil.copytree(PROTOS, protos)

    run([buf, "generate"], protos, offline)

    assert text in (tmp_path / "build/stubs" / language / file).read_text()
