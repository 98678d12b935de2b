"""Logging in at a provider, by device and as a program, against a real server that finds the provider's keys by itself."""

from __future__ import annotations

import json
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterator
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any

import pytest

from llm_schema_registry.cli import logins, oauth, run
from llm_schema_registry.cli.exits import Exit
from llm_schema_registry.cli.oauth import LoginFailed, Provider
from tests.api.server import ServerProcess
from tests.cli.conftest import Ran
from tests.support.oidc import OidcProvider
from tests.support.tokens import AUDIENCE


@pytest.fixture(scope="module")
def provider() -> Iterator[OidcProvider]:
    with OidcProvider(roles={"ada": ["reader"], "robot": ["service"]}) as made:
        yield made


@pytest.fixture(scope="module")
def server(provider: OidcProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    made = ServerProcess(
        tmp_path_factory.mktemp("login"),
        AUTH__OIDC__ISSUER=provider.issuer,
        AUTH__OIDC__INTROSPECTION="opaque",
        AUTH__OIDC__CLIENT_ID="server",
        AUTH__OIDC__CLIENT_SECRET=provider.clients["server"],
        AUTH__JWT__AUDIENCE=AUDIENCE,
    )
    yield made
    made.stop()
    log = made.log.read_text()
    assert provider.clients["server"] not in log
    assert not any(token in log for token in provider.issued)


class Command:
    def __init__(
        self, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, file: Path
    ) -> None:
        self._capfd, self._monkeypatch, self.file = capfd, monkeypatch, file

    def __call__(self, *arguments: str, stdin: str = "") -> Ran:
        self._capfd.readouterr()
        self._monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(stdin.encode())))
        code = run(arguments)
        sys.stdout.flush()
        return Ran(code, *self._capfd.readouterr())


@pytest.fixture
def command(
    server: ServerProcess,
    provider: OidcProvider,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Iterator[Command]:
    for name in ("SERVER", "TOKEN", "OUTPUT", "PROFILE", "TIMEOUT", "CONTEXT", "CLIENT_SECRET"):
        monkeypatch.delenv(f"SCHEMA_REGISTRY_{name}", raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    made = Command(capfd, monkeypatch, tmp_path / "schema-registry" / "config.toml")
    assert made("profile", "set", "work", "--server", server.grpc).code == Exit.OK
    before = (provider.token_seconds, provider.opaque, provider.device_seconds)
    yield made
    provider.token_seconds, provider.opaque, provider.device_seconds = before
    provider.silent, provider.named = False, ""
    provider.devices.clear()


def somebody(provider: OidcProvider, does: Callable[[str], None]) -> threading.Thread:
    """Does something with the code of the login that is begun next."""

    def run_() -> None:
        ends = time.monotonic() + 10
        while time.monotonic() < ends:
            if provider.devices:
                time.sleep(0.2)  # some questions are answered with "not yet"
                does(next(iter(provider.devices.values())).user_code)
                return
            time.sleep(0.01)

    thread = threading.Thread(target=run_, daemon=True)
    thread.start()
    return thread


def log_in(command: Command, provider: OidcProvider, *arguments: str) -> Ran:
    thread = somebody(provider, lambda code: provider.approve(code, "ada"))
    ran = command("login", *arguments)
    thread.join()
    return ran


def first(provider: OidcProvider) -> tuple[str, ...]:
    return ("--issuer", provider.issuer, "--client-id", "cli")


def whoami(command: Command, *arguments: str) -> Any:
    ran = command("whoami", "-o", "json", *arguments)
    assert ran.code == Exit.OK, ran.err
    return json.loads(ran.out)


@pytest.mark.parametrize("opaque", [False, True])
def test_a_person_logs_in_on_another_device(command: Command, provider: OidcProvider, opaque: bool) -> None:
    provider.opaque = opaque
    assert whoami(command)["anonymous"] is True
    ran = log_in(command, provider, *first(provider), "--scope", "openid")
    assert ran.code == Exit.OK, ran.err
    assert ran.out.startswith("profile work is logged in until ")
    assert f"open {provider.issuer}/activate and enter the code " in ran.err
    who = whoami(command)
    assert (who["name"], who["roles"]) == ("ada", ["reader"])
    assert stat.S_IMODE(command.file.stat().st_mode) == 0o600
    assert list(command.file.parent.glob(".config-*")) == []
    shown = command("profile", "show", "work")
    assert provider.issuer in shown.out
    secret = [
        text for text in (*provider.issued, *provider.refreshing) if text in shown.out + ran.out + ran.err
    ]
    assert secret == []
    again = log_in(command, provider, "-o", "json")
    assert (again.code, again.json["profile"], again.json["client_id"]) == (Exit.OK, "work", "cli")


def test_a_token_renews_itself_and_the_refresh_token_with_it(
    command: Command, provider: OidcProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider.token_seconds = 31.0  # kept for a second
    log_in(command, provider, *first(provider))
    token = command.file.read_text()
    time.sleep(1.2)
    provider.token_seconds = 600.0
    assert whoami(command)["name"] == "ada"
    after = command.file.read_text()
    assert after != token
    assert [*provider.refreshing][-1] in after, "each counts once"
    asked = provider.asked["/token"]
    assert whoami(command)["name"] == "ada"
    assert provider.asked["/token"] == asked, "not before it is due"


def test_processes_that_renew_at_once_ask_once(command: Command, provider: OidcProvider) -> None:
    """A refresh token counts once: the second one to use it would end the login."""
    provider.token_seconds = 1.0
    log_in(command, provider, *first(provider))
    provider.token_seconds = 600.0
    asked = provider.asked["/token"]
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(logins.Renewing("work")())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert provider.asked["/token"] == asked + 1


def test_a_login_that_has_ended_is_told(command: Command, provider: OidcProvider) -> None:
    provider.token_seconds = 1.0
    log_in(command, provider, *first(provider))
    provider.refreshing.clear()
    ran = command("whoami")
    assert ran.code == Exit.DENIED
    assert "`schema-registry login` begins another one" in ran.err


def test_while_the_provider_is_away_a_token_is_used_to_its_end(
    command: Command, provider: OidcProvider
) -> None:
    provider.token_seconds = 20.0  # due at once
    log_in(command, provider, *first(provider))
    provider.silent = True
    assert whoami(command)["name"] == "ada"


def test_a_program_logs_in_with_its_secret(
    command: Command, provider: OidcProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_robot = ("--issuer", provider.issuer, "--client-id", "robot", "--client-secret")
    refused = command("login", *as_robot, stdin="wrong\n")
    assert (refused.code, "invalid_client" in refused.err) == (Exit.USAGE, True)
    assert "wrong" not in refused.err
    assert command("login", *as_robot).code == Exit.USAGE
    provider.token_seconds = 1.0
    assert command("login", *as_robot, "--audience", AUDIENCE, stdin="r0bot\n").code == Exit.OK
    provider.token_seconds = 600.0
    assert whoami(command)["name"] == "robot", "renewed with the secret that is kept"
    monkeypatch.setenv("SCHEMA_REGISTRY_CLIENT_SECRET", "r0bot")
    assert command("login", *as_robot, "--profile", "robot", "--server", "localhost:1").code == Exit.OK
    assert command("profile", "show", "robot", "-o", "json").json["server"] == "localhost:1"
    for text in (command("profile", "list").out, command("profile", "show", "robot").out):
        assert "r0bot" not in text


@pytest.mark.parametrize("way", ["denied", "nobody"])
def test_without_agreement_there_is_no_login(command: Command, provider: OidcProvider, way: str) -> None:
    if way == "nobody":
        provider.device_seconds = 0.5
    else:
        somebody(provider, provider.deny)
    before = command.file.read_text()
    ran = command("login", *first(provider))
    assert ran.code == Exit.USAGE
    said = {"denied": ("access_denied",), "nobody": ("nobody has agreed", "expired_token")}[way]
    assert any(text in ran.err for text in said)
    assert command.file.read_text() == before


def test_logging_out_forgets_and_tells_the_provider(command: Command, provider: OidcProvider) -> None:
    log_in(command, provider, *first(provider))
    kept = command.file.read_text()
    ran = command("logout")
    assert (ran.code, ran.out) == (Exit.OK, "profile work is logged out\n")
    assert not any(token in kept for token in provider.refreshing), "the refresh token counts no more"
    left = command.file.read_text()
    assert not any(token in left for token in provider.issued)
    assert "refresh_token" not in left
    assert whoami(command)["anonymous"] is True
    assert command("logout").code == Exit.OK, "the provider is remembered for the next login"
    assert log_in(command, provider).code == Exit.OK


def test_a_token_that_is_set_takes_the_place_of_the_login(command: Command, provider: OidcProvider) -> None:
    log_in(command, provider, *first(provider))
    assert command("profile", "set", "work", "--token", provider.token("robot")).code == Exit.OK
    assert whoami(command)["name"] == "robot"
    assert "login" not in command.file.read_text()


def test_an_option_or_a_variable_comes_before_the_login(
    command: Command, provider: OidcProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_in(command, provider, *first(provider))
    assert whoami(command, "--token", provider.token("robot"))["name"] == "robot"
    monkeypatch.setenv("SCHEMA_REGISTRY_TOKEN", provider.token("robot"))
    assert whoami(command)["name"] == "robot"


def test_providers_that_cannot_be_believed_are_not(command: Command, provider: OidcProvider) -> None:
    assert "say where and as whom" in command("login").err
    for issuer in ("http://login.example", "ftp://x", "x"):
        ran = command("login", "--issuer", issuer, "--client-id", "cli")
        assert (ran.code, "must start with https://" in ran.err) == (Exit.USAGE, True)
    provider.named = "https://another.example"
    assert "give the issuer as it names itself" in command("login", *first(provider)).err
    provider.named, provider.silent = "", True
    assert "answered 503" in command("login", *first(provider)).err


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"access_token": "x"}, "else than a bearer token"),
        ({"access_token": "x\n", "token_type": "bearer"}, "else than a bearer token"),
        ({"access_token": 7, "token_type": "bearer"}, "no `access_token`"),
    ],
)
def test_an_answer_without_a_token_is_none(
    provider: OidcProvider, monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any], why: str
) -> None:
    found = Provider(provider.issuer)

    def answered(request: Any, *, empty: bool = False) -> dict[str, Any]:
        return answer

    monkeypatch.setattr(oauth, "_answer", answered)
    with pytest.raises(LoginFailed, match=why):
        found.client_credentials(oauth.Client("robot", "r0bot"), "", "")
