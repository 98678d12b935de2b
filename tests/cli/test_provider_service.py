"""What providers take of registered schemas, own profiles and affected versions, by the command against a real server."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from llm_schema_registry.cli.exits import Exit
from tests.api.server import ServerProcess
from tests.cli.conftest import Cli
from tests.support.profiles import REJECTED, profile

ORDER = """{"title": "order", "type": "object", "properties": {"zip": {"type": "string", "minLength": 5},
 "tags": {"type": "object", "additionalProperties": {"type": "number"}}}, "required": ["zip"], "additionalProperties": false}"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    made = ServerProcess(
        tmp_path_factory.mktemp("providers"), PROVIDERS__WATCH_SECONDS="0.1", PROVIDERS__WATCH_SHARE="1"
    )
    yield made
    assert made.stop() == 0


@pytest.fixture
def at(cli: Cli, server: ServerProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """The command in a folder with files; the subject `orders` is registered."""
    files = {"order.json": ORDER, "own.json": profile("our-gateway", 1, minLength=REJECTED), "bad.json": "{}"}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    cli.target = server.grpc
    assert cli("register", "orders", "order.json").code == Exit.OK
    return cli


def test_a_registered_schema_is_checked_by_the_server(at: Cli) -> None:
    ran = at("provider", "check", "-s", "orders@1", "-p", "anthropic-strict")
    assert ran.code == Exit.NEGATIVE
    assert ran.out == at("provider", "check", "order.json", "-p", "anthropic-strict").out

    every = at("provider", "check", "-s", "orders", "-o", "json").out.splitlines()
    assert {"openai-strict", "cohere"} <= {json.loads(line)["profile"] for line in every}
    for wrong in ((), ("order.json", "-s", "orders")):
        ran = at("provider", "check", *wrong)
        assert (ran.code, "give either a file or --subject" in ran.err) == (Exit.USAGE, True)
    unknown = at("provider", "check", "-s", "nobody")
    assert (unknown.code, "nobody" in unknown.err) == (Exit.NOT_FOUND, True)


def test_a_registered_schema_is_compiled_and_answers_are_decoded(at: Cli) -> None:
    compiled = at("provider", "compile", "-s", "orders", "anthropic-strict", "--decoder", "d.json")
    assert compiled.code == Exit.OK
    assert compiled.out == at("provider", "compile", "order.json", "anthropic-strict").out
    there = at("provider", "compile", "-s", "orders", "anthropic-strict", "-o", "json").json
    assert there == at("provider", "compile", "order.json", "anthropic-strict", "-o", "json").json

    good = at("provider", "decode", "d.json", "-", "-s", "orders", stdin=b'{"zip": "12345", "tags": []}')
    assert (good.code, json.loads(good.out)) == (Exit.OK, {"zip": "12345", "tags": {}})
    bad = at("provider", "decode", "d.json", "-", "-s", "orders", stdin=b'{"zip": "1", "tags": []}')
    assert bad.code == Exit.NEGATIVE
    assert "/zip" in bad.out
    for wrong in (("openai-strict",), ("order.json", "openai-strict", "-s", "orders")):
        assert at("provider", "compile", *wrong).code == Exit.USAGE


def test_a_registered_schema_is_written_as_a_grammar(at: Cli) -> None:
    ran = at("provider", "grammar", "-s", "orders", "--syntax", "lark", "--raw")
    assert ran.out == at("provider", "grammar", "order.json", "--syntax", "lark", "--raw").out
    assert at("provider", "grammar", "-s", "orders", "-o", "json").json["syntax"] == "GBNF"


def test_own_profiles_are_put_shown_and_deleted(at: Cli) -> None:
    assert at("provider", "put", "own.json", "--dry-run").out == "our-gateway, version 1: would be created\n"
    assert at("provider", "put", "own.json").out == "our-gateway, version 1: created\n"
    assert at("provider", "put", "own.json").out == "our-gateway, version 1: there already\n"
    Path("own.json").write_text(profile("our-gateway", 2, minLength=REJECTED))
    assert at("provider", "put", "own.json").out == "our-gateway, version 2: replaced\n"
    listed = at("provider", "list", "--registry").out
    assert "Our gateway, tools (stored)\n" in listed
    assert "openai-strict" in listed
    assert at("provider", "show", "our-gateway", "--registry", "-o", "json").json["version"] == 2
    assert at("provider", "check", "-s", "orders", "-p", "our-gateway").code == Exit.NEGATIVE
    refused = at("provider", "put", "bad.json")
    assert (refused.code, "no id" in refused.err) == (Exit.USAGE, True)

    for _ in range(300):
        ran = at("provider", "affected", "our-gateway")
        if "not all versions" not in ran.err:
            break
        time.sleep(0.1)
    assert ran.out.startswith("orders@1.0.0  /properties/zip/minLength: `minLength` makes Our gateway")
    assert at("provider", "affected", "our-gateway", "--fit", "fits").out == ""

    assert at("provider", "delete", "our-gateway").out == "deleted our-gateway\n"
    assert at("provider", "delete", "our-gateway").code == Exit.NOT_FOUND


def test_a_subject_demands_providers(at: Cli) -> None:
    demanded = at("config", "set", "gated", "--demand", "anthropic-strict", "--worst-fit", "unknown")
    assert demanded.code == Exit.OK
    refused = at("register", "gated", "order.json")
    assert refused.code != Exit.OK
    assert "anthropic-strict" in refused.err

    assert at("config", "set", "gated", "--demand", "none").code == Exit.OK
    assert at("register", "gated", "order.json").code == Exit.OK
