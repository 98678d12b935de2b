"""Global options may stand anywhere; targets, references and paths are read as people mean them."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from llm_schema_registry.cli.arguments import hoisted
from llm_schema_registry.cli.inputs import Target, target
from llm_schema_registry.cli.sources import Naming

from .conftest import Cli

ID = "0198c0de-0000-7000-8000-000000000001"


@pytest.mark.parametrize(
    ("given", "moved"),
    [
        (["list", "-o", "json"], ["-o", "json", "list"]),
        (["list", "-ojson", "x"], ["-ojson", "list", "x"]),
        (["list", "--output=json", "--no-color"], ["--output=json", "--no-color", "list"]),
        (["--server", "a:1", "list"], ["--server", "a:1", "list"]),
        (["get", "s", "--server", "a:1", "--raw"], ["--server", "a:1", "get", "s", "--raw"]),
        (["get", "--", "-o"], ["get", "--", "-o"]),
        (["get", "-o"], ["get", "-o"]),
        (["register", "--tag", "x"], ["register", "--tag", "x"]),
    ],
)
def test_global_options_move_to_the_front(given: list[str], moved: list[str]) -> None:
    assert hoisted(given) == moved


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("orders", Target("orders")),
        ("orders@3", Target("orders", "3", explicit=True)),
        ("orders@1.4.0", Target("orders", "1.4.0", explicit=True)),
        ("orders@1.4.0-rc.1", Target("orders", "1.4.0-rc.1", explicit=True)),
        ("orders@^1.2", Target("orders", "^1.2", explicit=True)),
        ("orders@1.x", Target("orders", "1.x", explicit=True)),
        ("orders@latest", Target("orders", "latest", explicit=True)),
        ("a@b", Target("a@b")),
        ("a@b@2", Target("a@b", "2", explicit=True)),
        ("@scope/name", Target("@scope/name")),
        (ID, Target(schema_id=ID, explicit=True)),
        (f"{ID}@latest", Target(ID, "latest", explicit=True)),
    ],
)
def test_a_target_is_a_subject_a_version_or_an_id(text: str, meant: Target) -> None:
    assert target(text) == meant


@pytest.mark.parametrize(
    ("path", "naming", "subject"),
    [
        ("tools/search.json", Naming(), "tools.search"),
        ("search.schema.json", Naming(), "search"),
        ("a/b/c.proto", Naming("shop-", "/"), "shop-a/b/c"),
        ("orders.v1.avsc", Naming(), "orders.v1"),
    ],
)
def test_a_path_becomes_a_subject(path: str, naming: Naming, subject: str) -> None:
    assert naming.subject(PurePosixPath(path)) == subject


def test_what_is_no_file_of_a_schema_says_what_to_do(cli: Cli, tmp_path: Path) -> None:
    folder = cli("register", "s", str(tmp_path))
    inline = cli("register", "s", '{"type": "object"}', "--type", "json")

    assert (folder.code, inline.code) == (2, 3)
    assert "`schema-registry import` registers folders" in " ".join(folder.err.split())
    assert "`-` reads it from the standard input" in inline.err
