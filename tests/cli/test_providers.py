"""What providers take of a schema, without a server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llm_schema_registry.cli.exits import Exit
from tests.cli.conftest import Cli
from tests.sdk.fake_registry import FakeRegistry

ORDER = """{"title": "order", "type": "object", "properties": {"zip": {"type": "string", "minLength": 5},
 "tags": {"type": "object", "additionalProperties": {"type": "number"}}}, "required": ["zip"], "additionalProperties": false}"""
CLOSED = '{"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": false}'
OWN = {
    "id": "mine", "version": 1, "title": "Mine", "provider": "Me", "as_of": "2026-11-23", "keywords": {},
    "enforcement": {"support": "UNKNOWN"}, "unlisted": {"support": "UNKNOWN"}, "when_unknown": "KEEP",
}  # fmt: skip


@pytest.fixture
def alone(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fake: FakeRegistry) -> Cli:
    """The command where no server is, in a folder with files."""
    for name, text in {"order.json": ORDER, "closed.json": CLOSED, "own.json": json.dumps(OWN)}.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    cli.target = "localhost:1"
    return cli


def test_profiles_are_listed_and_shown(alone: Cli) -> None:
    assert (
        "openai-strict       2026-11-29  OpenAI, strict tools and response format\n"
        in alone("provider", "list").out
    )
    shown = alone("provider", "show", "openai-strict").out
    assert "  not  REJECTED (DOCUMENTED, 2026-11-23)\n" in shown
    assert alone("provider", "show", "own.json", "-o", "json").json == OWN


def test_check_ends_with_1_where_a_provider_would_refuse(alone: Cli) -> None:
    ran = alone("provider", "check", "order.json", "-p", "anthropic-strict")
    assert ran.code == Exit.NEGATIVE
    assert ran.out.startswith(
        "anthropic-strict: refused\n  /properties/zip/minLength: `minLength` makes Anthropic"
    )

    assert alone("provider", "check", "closed.json", "-p", "openai-strict").code == Exit.OK
    assert alone("provider", "check", "closed.json", "-p", "own.json").code == Exit.OK
    assert (
        alone("provider", "check", "closed.json", "-p", "own.json", "--fail-on", "unknown").code
        == Exit.NEGATIVE
    )


def test_an_unknown_provider_is_refused_with_those_that_there_are(alone: Cli) -> None:
    ran = alone("provider", "check", "order.json", "-p", "openai")
    assert ran.code == Exit.USAGE
    assert "or one of anthropic" in ran.err


def test_a_schema_is_compiled_and_an_answer_decoded(alone: Cli, tmp_path: Path) -> None:
    ran = alone("provider", "compile", "order.json", "anthropic-strict", "--decoder", "d.json")
    assert ran.code == Exit.OK
    assert "widened /properties/zip/minLength: `minLength`: it is not enforced; for example" in ran.out

    raw = alone("provider", "compile", "order.json", "openai-strict", "--surface", "response", "--raw")
    assert json.loads(raw.out)["text"]["format"]["schema"]["required"] == ["zip", "tags"]

    (tmp_path / "answer.json").write_text('{"zip": "1", "tags": [{"key": "a", "value": 1}]}')
    assert alone("provider", "decode", "d.json", "answer.json").out == '{"zip":"1","tags":{"a":1}}\n'
    (tmp_path / "answer.json").write_text('{"zip": "1", "tags": [1]}')
    assert alone("provider", "decode", "d.json", "answer.json").code == Exit.USAGE


def test_a_grammar_is_written(alone: Cli) -> None:
    assert alone("provider", "grammar", "closed.json", "--raw").out.startswith("root ::= ws ")
    ran = alone("provider", "grammar", "order.json", "--syntax", "lark", "-o", "json")
    assert ran.json["text"].startswith("start: ws ")
    assert (ran.json["widened"], ran.json["narrowed"]) == ("YES", "YES")
