"""Users with passwords, over every wire: RFC 7617, guesses, and a file that changes."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from llm_schema_registry.v1 import credentials_pb2 as pb
from llm_schema_registry.v1 import schema_registry_pb2 as registry_pb
from tests.api.server import ROOT
from tests.api.wires import CallFailed, HttpWire, Wire
from tests.security.replicas import WIRES, Replicas, caller

PASSWORD = "correct: h\u00f6rse"
SETTINGS = {"AUTH__API_KEYS__ENABLED": "true", "AUTH__ROLES__COUNTER": "metrics:read"}


def hashed(password: str) -> str:
    """As an operator makes it."""
    done = subprocess.run(
        [sys.executable, "-m", "llm_schema_registry_server", "hash-password"],
        input=password + "\n",
        env={"PYTHONPATH": ":".join(str(ROOT / p) for p in ("engines", "server", "clients/python"))},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def write(file: Path, **passwords: str) -> None:
    part = file.with_suffix(".part")
    tables = (f'[users.{name}]\npassword_hash = "{h}"\nroles = ["reader"]\n' for name, h in passwords.items())
    part.write_text("".join(tables))
    part.rename(file)


@pytest.fixture(scope="module")
def users(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("users") / "users.toml"
    write(file, ada=hashed(PASSWORD))
    return file


@pytest.fixture(scope="module")
def replicas(users: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replicas]:
    made = Replicas(
        tmp_path_factory.mktemp("passwords"),
        "sqlite",
        AUTH__PASSWORDS__USERS_FILE=str(users),
        AUTH__PASSWORDS__USERS__ROOT__PASSWORD_HASH=hashed("toor"),
        AUTH__PASSWORDS__USERS__ROOT__ROLES="admin,counter",
        AUTH__LOCKOUT_SECONDS="0",
        **SETTINGS,
    )
    made.start()
    yield made
    made.stop()
    log = made.logs()
    assert "argon2" not in log
    assert PASSWORD not in log
    assert b64encode(f"ada:{PASSWORD}".encode()).decode() not in log


def reason(wire: Wire) -> str:
    try:
        wire.call("WhoAmI", pb.WhoAmIRequest())
    except CallFailed as failed:
        return failed.reason
    return ""


def recorded(home: Path) -> set[str]:
    """The events in the audit log of a registry in a file somewhere below."""
    (file,) = home.rglob("registry.db")
    with closing(sqlite3.connect(file)) as db:
        texts = db.execute("SELECT entry FROM audit_inbox UNION ALL SELECT entry FROM audit_log").fetchall()
    return {json.loads(text)["event"] for (text,) in texts}


def basic(user: str, password: str) -> dict[str, str]:
    return {"authorization": "Basic " + b64encode(f"{user}:{password}".encode()).decode()}


@pytest.mark.parametrize("wire", WIRES)
def test_a_user_gets_in_by_name_and_password(replicas: Replicas, wire: str) -> None:
    with caller(wire, replicas.of(wire), basic("ada", PASSWORD)) as ada:
        for _ in range(2):
            who = ada.call("WhoAmI", pb.WhoAmIRequest())
            assert (who.name, who.kind, who.credential) == ("ada", "user", "password ada")
            assert list(who.roles) == ["reader"]
            ada.call("ListSubjects", registry_pb.ListSubjectsRequest())
        with pytest.raises(CallFailed) as refused:
            ada.call("ListApiKeys", pb.ListApiKeysRequest())
        assert refused.value.reason == "PERMISSION_DENIED"
    with caller(wire, replicas.of(wire), basic("root", "toor")) as root:
        assert list(root.call("WhoAmI", pb.WhoAmIRequest()).roles) == ["admin", "counter"]


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize(
    ("user", "password"),
    [("ada", PASSWORD.upper()), ("ada", ""), ("nobody", PASSWORD), ("", ""), ("root", PASSWORD)],
)
def test_nobody_else_does(replicas: Replicas, wire: str, user: str, password: str) -> None:
    with caller(wire, replicas.of(wire), basic(user, password)) as other:
        with pytest.raises(CallFailed) as refused:
            other.call("WhoAmI", pb.WhoAmIRequest())
        assert (refused.value.reason, refused.value.message) == (
            "UNAUTHENTICATED",
            "the user name or the password is wrong",
        )


def test_http_clients_that_take_a_user_work(replicas: Replicas) -> None:
    with closing(HttpWire(replicas.of("http").http)) as http:
        found = http.client.get("/api/v1/whoami", auth=("ada", PASSWORD.encode()))
        assert (found.status_code, found.json()["name"]) == (200, "ada")
        key = replicas.create_key("--name", "kafka", "--role", "reader")
        for user in ("key", "kafka", key["key_id"]):
            found = http.client.get("/api/v1/whoami", auth=(user, key["secret"]))
            assert (found.status_code, found.json()["kind"]) == (200, "key")
        assert http.client.get("/api/v1/whoami", auth=("ada", key["secret"])).status_code == 401


def test_a_file_that_changes_counts_after_some_seconds(replicas: Replicas, users: Path) -> None:
    before = users.read_text()
    with caller("native", replicas.of("native"), basic("ada", PASSWORD)) as ada:
        ada.call("WhoAmI", pb.WhoAmIRequest())
        write(users, ada=hashed("another"))
        began = time.monotonic()
        while reason(ada) != "UNAUTHENTICATED":
            assert time.monotonic() - began < 12
            time.sleep(0.1)
    with caller("http", replicas.of("http"), basic("ada", "another")) as ada:
        ada.call("WhoAmI", pb.WhoAmIRequest())
    users.write_text(before)
    time.sleep(6)
    assert "PASSWORD_CHANGED" in recorded(replicas.home)


def test_guesses_are_slowed_down_and_told_when_to_come_again(users: Path, tmp_path: Path) -> None:
    alone = Replicas(tmp_path, "sqlite", AUTH__PASSWORDS__USERS_FILE=str(users), **SETTINGS)
    alone.start()
    with closing(HttpWire(alone.of("http").http)) as http:
        ada = ("ada", PASSWORD.encode())
        assert http.client.get("/api/v1/whoami", auth=ada).status_code == 200
        seen = [http.client.get("/api/v1/whoami", auth=("ada", f"guess {n}")) for n in range(13)]
        codes = [answer.status_code for answer in seen]
        assert codes[:11] == [401] * 11
        assert codes[-1] == 429
        assert int(seen[-1].headers["retry-after"]) >= 1
        assert http.client.get("/api/v1/whoami", auth=ada).status_code == 200
    alone.stop()
    assert recorded(tmp_path) >= {"AUTHENTICATION_FAILURE", "SUSPICIOUS_ACTIVITY"}
