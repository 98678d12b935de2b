"""The runbooks are true: each alert leads to one, they have one form, and what they name is there."""

from __future__ import annotations

import ast
import re
import runpy
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from typer.main import get_command

from llm_schema_registry.cli.app import app as client
from llm_schema_registry.cli.arguments import hoisted
from llm_schema_registry_server.cli import app as server
from llm_schema_registry_server.settings import PREFIX, Settings
from llm_schema_registry_server.telemetry.families import ALL as FAMILIES

from .runbooks import INDEX, PAGES, READ, ROOT, RUN, SECTIONS, Page, alerts, anchors, commands

LEAST = 25
PROGRAMS = {
    "schema-registry": get_command(client),
    "schema-registry-server": get_command(server),
}
SETTINGS = {
    ".".join(path)
    for path, _ in runpy.run_path(str(ROOT / "docs" / "generate.py"))["_settings"](Settings, ())
}
RECORDS = {
    rule["record"]
    for group in yaml.safe_load((ROOT / "deploy/prometheus/rules/slo.yaml").read_text())["groups"]
    for rule in group["rules"]
}
OUTSIDE = {
    *("aws", "bash", "curl", "createdb", "df", "dropdb", "du", "find", "grep", "head", "helm", "journalctl", "jq", "kubectl", "ls"),
    *("mv", "openssl", "pg_ctl", "pg_restore", "promtool", "psql", "redis-cli", "rm", "sort", "ss", "systemctl", "tail", "test", "uniq"),
}  # fmt: skip
"""Programs that are not ours."""
REFUSED = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")
every = pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])


def parse(words: list[str]) -> None:
    """What the command line does with a command before it does anything. Raises REFUSED."""
    name, arguments = words[0], words[1:]
    command: Any = PROGRAMS[
        name
    ]  # of the click that typer has, which is not the one that may be installed beside it
    if name == "schema-registry":
        arguments = hoisted(arguments)
    context = command.make_context(name, arguments)
    while hasattr(command, "resolve_command"):
        # What is left of the arguments is the subcommand and its own.
        name, command, arguments = command.resolve_command(context, [*context._protected_args, *context.args])
        context = command.make_context(name, arguments, parent=context)


def ours(page: Page) -> Iterator[tuple[list[str], bool]]:
    """The commands of this product on a page, and whether they must be whole: those in its prose may lack their arguments."""
    for block in page.blocks:
        yield from ((words, True) for words in commands(block.commands) if Path(words[0]).name in PROGRAMS)
    for span in page.spans:
        if span.split(" ")[0] in PROGRAMS and " " in span:
            yield from ((words, False) for words in commands(span))


def test_there_are_as_many_as_were_promised() -> None:
    assert len(PAGES) >= LEAST


def test_each_alert_leads_to_its_page() -> None:
    by_name = {page.name: page for page in PAGES}
    for alert, rule in alerts().items():
        path, _, anchor = rule["runbook_url"].partition("#")
        found = by_name[Path(path).stem]
        assert path == f"docs/runbooks/{found.name}.md"
        assert f"SchemaRegistry{alert.removeprefix('SchemaRegistry')}" in found.sections["Detection"], alert
        if anchor:
            assert anchor in anchors(found.text), alert


def test_the_index_names_every_alert_and_every_page() -> None:
    index = INDEX.read_text()
    for alert, rule in alerts().items():
        name = Path(rule["runbook_url"].partition("#")[0]).name
        assert re.search(rf"^\| {alert} \| \[.+\]\({re.escape(name)}\) \|$", index, re.MULTILINE), alert
    assert {page.name for page in PAGES} == set(re.findall(r"\]\(([\w-]+)\.md\) \|", index))


@every
def test_a_page_has_the_ten_sections_in_their_order(page: Page) -> None:
    assert tuple(page.sections) == SECTIONS
    assert all(text.strip() for text in page.sections.values())
    assert re.search(r"\*\*P[0-4]\*\*", page.sections["Severity"])


@every
def test_blocks_say_whether_they_are_run_or_read(page: Page) -> None:
    """And what they call is ours, in this tree, or a known program."""
    assert {block.language for block in page.blocks} <= {RUN, READ}
    for block in page.blocks:
        done = subprocess.run(
            ["bash", "-n"], input=block.commands, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        for words in commands(block.commands):
            program = words[0]
            if program.startswith("scripts/"):
                assert shutil.which(ROOT / program), program
            else:
                assert Path(program).name in {*PROGRAMS, *OUTSIDE, "pip"}, words


@every
def test_every_command_of_ours_parses(page: Page) -> None:
    for words, whole in ours(page):
        try:
            parse([Path(words[0]).name, *words[1:]])
        except REFUSED as error:
            if whole or type(error).__name__ != "MissingParameter":
                pytest.fail(f"{' '.join(words)}: {error.format_message()}")


@pytest.mark.parametrize(
    "wrong",
    [
        "schema-registry keys disable",
        "schema-registry keys burn ci",
        'schema-registry grants set "key:$KEY" reader "$SUBJECT"',
        "schema-registry-server audit verify --loud",
        "schema-registry-server repare",
    ],
)
def test_a_command_that_there_is_not_does_not_parse(wrong: str) -> None:
    (words,) = commands(wrong)
    with pytest.raises(REFUSED):
        parse(words)


@every
def test_every_metric_and_every_setting_is_there(page: Page) -> None:
    for found in re.finditer(
        r"(\^?)\b((?:schema_registry|db_client|process|http_server|rpc_server)_[a-z0-9_:]+)\b(\(?)", page.text
    ):
        start, name, more = found.groups()
        bare = re.sub(r"_(bucket|count|sum)$", "", name)
        # What grep looks for is the beginning of some.
        begins = (start or more) and any(known.startswith(bare) for known in FAMILIES)
        assert begins or {name, bare} & {*FAMILIES, *RECORDS}, name
    sections = set(Settings.model_fields)
    for span in page.spans:
        for name in re.findall(r"(?<![\w/.$\[\"-])[a-z_0-9]+(?:\.[a-z_0-9]+)+(?![\w/.-])", span):
            if name.split(".")[0] in sections:
                assert name in SETTINGS or any(s.startswith(f"{name}.") for s in SETTINGS), name
    for variable in re.findall(rf"{PREFIX}([A-Z_]+__[A-Z_]+)", page.text):
        assert variable.lower().replace("__", ".") in SETTINGS, variable


@every
def test_every_link_leads_somewhere(page: Page) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", page.prose):
        name, _, anchor = target.partition("#")
        found = INDEX.parent / name
        assert found.is_file(), target
        assert not anchor or anchor in anchors(found.read_text()), target
    for path in re.findall(r"(?<![\w/])(?:docs|scripts|deploy|tests|loadtest)/[\w./-]*\w", page.text):
        assert (ROOT / path).exists(), path


def _words_of_the_server() -> set[str]:
    """Texts in the server's source: events of the log, columns, labels."""
    found: set[str] = set()
    for path in (ROOT / "server").rglob("*.py"):
        found |= {
            node.value
            for node in ast.walk(ast.parse(path.read_bytes()))
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier()
        }
    return found


def test_every_event_of_the_log_is_one_that_the_server_writes() -> None:
    known = _words_of_the_server()
    known |= {
        f"{tier}_{what}" for tier in ("redis", "s3") for what in ("lost", "recovered")
    }  # caches/breaker.py
    for page in PAGES:
        asked = re.findall(r'\.event == "(\w+)"', page.text)
        told = [
            s for s in page.spans if re.fullmatch(r"[a-z]+(_[a-z]+)+", s) and f"`{s}` in the log" in page.text
        ]
        assert not {*asked, *told} - known, page.name
