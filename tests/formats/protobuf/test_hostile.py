"""Hostile schemas end in a clear refusal or a result: no crash, no flood of memory. Each runs in one child process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.formats.protobuf.hostile import HOSTILE

SERVER = Path(__file__).parents[3] / "server"
CHILD = """
import json, resource, sys
sys.path[:0] = sys.argv[1:4]
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
from llm_schema_registry_server.errors import InvalidSchema
from llm_schema_engines.formats.engine import SchemaSource
from llm_schema_engines.formats.protobuf import ProtobufEngine
from llm_schema_engines.protoc.in_process import InProcessProtoc
from tests.formats.protobuf.hostile import HOSTILE
engine = ProtobufEngine(InProcessProtoc())
for name, text in HOSTILE.items():
    try:
        engine.parse(SchemaSource(text.encode()))
        outcome = ["accepted"]
    except InvalidSchema as error:
        outcome = sorted({issue.rule for issue in error.issues})
    print(json.dumps([name, outcome]), flush=True)
"""


@pytest.fixture(scope="module")
def outcomes() -> dict[str, list[str]]:
    """What each hostile source came to, in one child whose memory is bounded."""
    child = subprocess.run(
        [sys.executable, "-c", CHILD, str(SERVER), str(SERVER.parent / "engines"), str(SERVER.parent)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert child.returncode == 0, child.stderr[-2000:]
    return dict(json.loads(line) for line in child.stdout.splitlines())


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_source_has_an_outcome(outcomes: dict[str, list[str]], name: str) -> None:
    assert outcomes[name]


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("option nested 100 deep", "NESTING_TOO_DEEP"),
        ("option path of 100 parts", "NESTING_TOO_DEEP"),
        ("option path with spaces", "NESTING_TOO_DEEP"),
        ("option path before brackets", "NESTING_TOO_DEEP"),
        ("option path in a field", "NESTING_TOO_DEEP"),
        ("option with a map whose keys are messages", "MAP_KEY_INVALID"),
        ("option lists nested deep", "NESTING_TOO_DEEP"),
        ("option in angle brackets", "NESTING_TOO_DEEP"),
        ("groups nested 1000 deep", "NESTING_TOO_DEEP"),
        ("long names nested", "IDENTIFIER_TOO_LONG"),
        ("40000 reserved", "TOO_MANY_STATEMENTS"),
        ("unclosed comments", "SYNTAX"),
        ("import of itself", "IMPORT_CYCLE"),
    ],
)
def test_the_refusal_names_the_danger(outcomes: dict[str, list[str]], name: str, rule: str) -> None:
    assert outcomes[name] == [rule]
