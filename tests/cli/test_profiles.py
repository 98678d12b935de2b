"""Profiles: which server a command talks to, and the file that says so."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from llm_schema_registry.cli.exits import Exit
from llm_schema_registry.v1 import schema_registry_pb2 as pb
from tests.cli.conftest import Cli
from tests.sdk.fake_registry import FakeRegistry, answers


@pytest.fixture
def file(cli: Cli, tmp_path: Path) -> Path:
    return tmp_path / "config" / "schema-registry" / "config.toml"


def written(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(0o600)


def test_the_life_of_a_profile(cli: Cli, file: Path, fake: FakeRegistry) -> None:
    made = cli(
        "profile", "set", "dev", "--server", fake.target, "--token", 't"ø\\', "--timeout", "7", server=False
    )
    assert (made.code, made.out) == (Exit.OK, "profile dev is set and is in use\n")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert (
        cli("profile", "set", "prod", "--server", "https://prod", "-o", "json", server=False).code == Exit.OK
    )

    shown = cli("profile", "show", "-o", "json").json
    assert shown == {
        "name": "dev", "in_use": True, "server": fake.target, "timeout": 7.0, "output": None, "context": None, "token": "(set)",
        "ca": None, "cert": None, "key": None,
    }  # fmt: skip
    assert "ø" not in cli("profile", "list").out
    assert cli("profile", "use", "prod").code == Exit.OK
    assert [row["in_use"] for row in cli("profile", "list", "-o", "json").json] == [False, True]
    cli("profile", "set", "prod", "--clear", "output", server=False)
    assert cli("profile", "show", "prod", "-o", "json").json["output"] is None
    assert cli("profile", "remove", "prod").code == Exit.OK
    assert "prod" not in file.read_text()
    assert cli("profile", "show").code == Exit.USAGE  # none is in use any more


def test_option_before_variable_before_profile_before_default(
    cli: Cli, file: Path, fake: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(
        file,
        f'profile = "a"\n[profiles.a]\nserver = "localhost:1"\ntoken = "of-a"\n'
        f'[profiles.b]\nserver = "{fake.target}"\ntoken = "of-b"\noutput = "json"\ncontext = ".staging"\n',
    )
    fake.script("ListSubjects", answers(pb.ListSubjectsResponse(subjects=["x"])))

    def token() -> str:
        return str(fake.calls["ListSubjects"][-1].headers["authorization"])

    assert cli("list", server=False).code == Exit.UNAVAILABLE  # profile a
    assert cli("list", "--profile", "b", server=False).json == ["x"]
    assert token() == "Bearer of-b"
    assert fake.calls["ListSubjects"][-1].request.prefix == ":.staging:"
    monkeypatch.setenv("SCHEMA_REGISTRY_PROFILE", "b")
    assert cli("list", "-o", "table", server=False).out == "x\n"
    monkeypatch.setenv("SCHEMA_REGISTRY_TOKEN", "of-variable")
    cli("list", server=False)
    assert token() == "Bearer of-variable"
    cli("list", "--token", "of-option", server=False)
    assert token() == "Bearer of-option"
    monkeypatch.setenv("SCHEMA_REGISTRY_SERVER", "localhost:1")
    assert cli("list", server=False).code == Exit.UNAVAILABLE
    assert cli("list", "-S", fake.target, server=False).code == Exit.OK


def test_a_token_is_for_the_server_of_its_profile(cli: Cli, file: Path, fake: FakeRegistry) -> None:
    """Whoever asks another server meanwhile does not show it what is good elsewhere."""
    written(file, 'profile = "prod"\n[profiles.prod]\nserver = "https://prod.example"\ntoken = "of-prod"\n')
    fake.script("ListSubjects", answers(pb.ListSubjectsResponse(subjects=["x"])))

    asked = cli("list", "-S", fake.target, server=False)
    assert (asked.code, asked.out) == (Exit.OK, "x\n")
    assert "is for https://prod.example and not shown to" in asked.err
    cli("list", "-S", fake.target, "--profile", "prod", server=False)
    first, second = (call.headers.get("authorization") for call in fake.calls["ListSubjects"])
    assert (first, second) == (None, "Bearer of-prod")


def test_a_context_counts_for_names_that_have_none(
    cli: Cli, fake: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCHEMA_REGISTRY_CONTEXT", ".staging")
    fake.script("RegisterSchema", answers(pb.RegisterSchemaResponse(version="1.0.0")))

    cli("register", "orders", "-", "-t", "json", "-r", "m=money", stdin=b"{}")
    cli("register", ":.other:orders", "-", "-t", "json", stdin=b"{}")
    first, second = (call.request for call in fake.calls["RegisterSchema"])
    assert (first.subject, first.references[0].subject) == (":.staging:orders", ":.staging:money")
    assert second.subject == ":.other:orders"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("profile = 7", "profile: "),
        ("nonsense", "not TOML"),
        ("colour = 1", "colour: no such key"),
        ("profiles = 1", "profiles: "),
        ("[profiles.dev]\nsrever = 'x'", "profiles.dev.srever: no such key; there are server, token"),
        ("[profiles.dev]\ntimeout = 'x'", "profiles.dev.timeout: "),
        ("[profiles.dev]\ntimeout = true", "profiles.dev.timeout: "),
        ("[profiles.dev]\ntimeout = 0", "profiles.dev.timeout: "),
        ("[profiles.dev]\noutput = 'xml'", "profiles.dev.output: "),
        ("[profiles.dev]\ncontext = 'staging'", "profiles.dev.context: "),
        ("[profiles.dev]\nserver = ''", "profiles.dev.server: "),
        ("[profiles.'a b']", "profiles.a b: "),
        ("profile = 'gone'", "no profile 'gone' (from its key `profile`)"),
    ],
)
def test_an_error_names_the_file_and_the_key(text: str, place: str, cli: Cli, file: Path) -> None:
    written(file, text)

    ran = cli("list")
    assert (ran.code, ran.out) == (Exit.USAGE, "")
    assert ran.err.startswith(f"error: {file}: ")
    assert place in ran.err


def test_a_wrong_token_is_not_shown(cli: Cli, file: Path) -> None:
    written(file, '[profiles.dev]\ntoken = ["s3cret"]')
    assert "s3cret" not in cli("list").err


def test_a_file_that_others_can_read_is_warned_about(cli: Cli, file: Path, fake: FakeRegistry) -> None:
    fake.script("ListSubjects", answers(pb.ListSubjectsResponse(subjects=["x"])))
    written(file, '[profiles.dev]\ntoken = "t"')
    assert cli("list").err == ""
    file.chmod(0o644)
    assert "others can read the tokens" in cli("list").err


@pytest.mark.parametrize(
    "arguments",
    [["--server", ""], ["--server", "a b"], ["--context", "x"], ["--token", "a\nb"], ["--clear", "colour"]],
)
def test_nothing_wrong_is_written(arguments: list[str], cli: Cli, file: Path) -> None:
    assert cli("profile", "set", "dev", *arguments, server=False).code == Exit.USAGE
    assert cli("profile", "set", "a b", "--server", "x", server=False).code == Exit.USAGE
    assert not file.exists()


def test_a_profile_that_is_not_there_names_those_that_are(cli: Cli, file: Path) -> None:
    written(file, "[profiles.dev]\n")
    ran = cli("list", "--profile", "prod")
    assert ran.code == Exit.USAGE
    assert "no profile 'prod' (from --profile); there are: dev" in ran.err
