"""Users with passwords: which files are taken, and who gets in by which password."""

from __future__ import annotations

import asyncio
import os
import time
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher

from llm_schema_registry_server.auth import passwords
from llm_schema_registry_server.auth.authenticator import FREE_GUESSES, CredentialAuthenticator
from llm_schema_registry_server.auth.passwords import (
    PasswordCheck,
    UserBook,
    UsersError,
    checked_user,
    hash_password,
    read_users,
)
from llm_schema_registry_server.auth.permissions import ROLES, Roles
from llm_schema_registry_server.auth.standing import Standings
from llm_schema_registry_server.errors import LimitExceeded, Unauthenticated, Unavailable
from llm_schema_registry_server.model.principal import Principal
from llm_schema_registry_server.queues.fair_queue import QueueLimits, Queues

QUICK = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
HASH = QUICK.hash("correct horse")
LIMITS = QueueLimits()


def file_of(**users: str) -> bytes:
    return "".join(f"[users.{name}]\n{text}\n" for name, text in users.items()).encode()


GOOD = f'password_hash = "{HASH}"\nroles = ["reader"]'


def test_a_file_names_users() -> None:
    users = read_users(file_of(ada=GOOD, bob=GOOD.replace('"reader"', "")), Roles())
    assert {name: user.roles for name, user in users.items()} == {"ada": {"reader"}, "bob": frozenset()}
    assert HASH not in repr(users)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"\xff", "TOML"),
        (b"users = 1", "tables"),
        (b"[others]\na = 1", "tables"),
        (file_of(ada=""), "must have"),
        (file_of(ada=GOOD + "\nmore = 1"), "nothing else"),
        (file_of(ada=GOOD.replace('["reader"]', '"reader"')), "must have"),
        (file_of(ada=GOOD.replace("reader", "emperor")), "no role"),
        (file_of(ada=GOOD.replace(HASH, "secret")), "password_hash is none"),
        (file_of(ada=GOOD.replace("argon2id", "argon2i")), "not of Argon2id"),
        (file_of(ada=GOOD.replace("m=64", "m=4194304")), "asks for more"),
        (file_of(ada=GOOD.replace("t=1", "t=1000")), "asks for more"),
        (file_of(ada=GOOD.replace("p=1", "p=100")), "asks for more"),
        (b'[users."a:b"]\n' + GOOD.encode(), "no colon"),
        (b"#" * (passwords.MOST_FILE_BYTES + 1), "bytes"),
    ],
    ids=range(14),
)
def test_a_file_that_cannot_be_meant_is_refused(text: bytes, why: str) -> None:
    with pytest.raises(UsersError, match=why) as refused:
        read_users(text, Roles())
    assert HASH not in str(refused.value)


def test_a_password_is_hashed_with_salt() -> None:
    made = [hash_password("x") for _ in range(2)]
    assert made[0] != made[1]
    assert all(text.startswith("$argon2id$") for text in made)
    for wrong in ("", "x" * 1025):
        with pytest.raises(UsersError):
            hash_password(wrong)


def basic(user: str, password: str) -> dict[str, str]:
    return {"authorization": "Basic " + b64encode(f"{user}:{password}".encode()).decode()}


class World:
    def __init__(self, file: Path | None = None, lockout: float = 0.0) -> None:
        self.standings = Standings()
        fixed = {"ada": checked_user("ada", HASH, ["reader"], Roles())}
        self.book = UserBook(
            fixed, file, Roles(), lambda name: self.standings.end(passwords.credential_of(name))
        )
        self.check = PasswordCheck(self.book, Roles(), Queues(LIMITS))
        self.seconds = 0.0
        self.auth = CredentialAuthenticator(
            Principal("anonymous", anonymous=True),
            self.standings,
            passwords=self.check,
            lockout_seconds=lockout,
            monotonic=lambda: self.seconds,
        )


async def test_a_password_is_verified_once_and_remembered_without_itself() -> None:
    world = World()
    principal = await world.auth.authenticate(basic("ada", "correct horse"))
    assert (principal.name, principal.kind, principal.credential) == ("ada", "user", "password ada")
    assert principal.permissions == ROLES["reader"]
    assert world.auth.known(basic("ada", "correct horse")) is principal
    assert world.auth.known(basic("ada", "correct Horse")) is None
    assert not any("Basic" in text for text in world.auth._verified)
    world.standings.end("password ada")
    assert world.auth.known(basic("ada", "correct horse")) is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("user", "password"),
    [("ada", "Correct horse"), ("ada", ""), ("Ada", "correct horse"), ("bob", "correct horse"), ("", ""),
     ("ada", "correct horse "), ("ada", "x" * 5000), ("a" * 5000, "correct horse")],
)  # fmt: skip
async def test_wrong_names_and_wrong_passwords_are_alike(user: str, password: str) -> None:
    with pytest.raises(Unauthenticated) as refused:
        await World().auth.authenticate(basic(user, password))
    assert refused.value.message == "the user name or the password is wrong"


@pytest.mark.slow
@pytest.mark.parametrize("shown", ["Basic", "Basic !!", "Basic YWRh", "Basic /w==", "Basic Og"])
async def test_what_is_no_basic_is_refused(shown: str) -> None:
    with pytest.raises(Unauthenticated):
        await World().auth.authenticate({"authorization": shown})


async def test_a_wrong_name_costs_as_much_as_a_wrong_password(monkeypatch: pytest.MonkeyPatch) -> None:
    world, verified = World(), list[str]()

    def verify(password_hash: str, password: str) -> bool:
        verified.append(password_hash)
        return False

    monkeypatch.setattr(passwords, "_verified", verify)
    for user in ("ada", "nobody"):
        with pytest.raises(Unauthenticated):
            await world.auth.authenticate(basic(user, "x"))
    assert len(verified) == 2
    assert verified[0] == HASH
    assert verified[1].startswith("$argon2id$")


async def test_passwords_are_verified_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when those who asked have left."""
    world, running, most = World(), [0], [0]

    def verify(password_hash: str, password: str) -> bool:
        running[0] += 1
        most[0] = max(most[0], running[0])
        time.sleep(0.02)
        running[0] -= 1
        return False

    monkeypatch.setattr(passwords, "_verified", verify)
    asked = [asyncio.create_task(world.auth.authenticate(basic("ada", str(n)))) for n in range(8)]
    await asyncio.sleep(0.005)
    for task in asked[:3]:
        task.cancel()
    done = await asyncio.gather(*asked, return_exceptions=True)
    assert most == [1]
    assert sum(isinstance(each, Unauthenticated) for each in done) >= 5


async def test_whoever_guesses_waits_and_so_does_his_victim_unless_known() -> None:
    world = World(lockout=60.0)
    await world.auth.authenticate(basic("ada", "correct horse"), "10.0.0.1")
    refusals: list[Any] = []
    for number in range(14):
        with pytest.raises((Unauthenticated, LimitExceeded)) as refused:
            await world.auth.authenticate(basic("ada", f"guess {number}"), f"10.0.1.{number}")
        refusals.append(refused.type)
    assert refusals[:11] == [Unauthenticated] * 11
    assert refusals[11:] == [LimitExceeded] * 3
    with pytest.raises(LimitExceeded):
        await world.auth.authenticate(basic("ada", "another"), "10.0.0.9")
    assert world.auth.known(basic("ada", "correct horse")) is not None
    world.seconds += 1.5
    with pytest.raises(Unauthenticated):
        await world.auth.authenticate(basic("ada", "once more"), "10.0.0.9")


async def test_who_guesses_all_at_once_is_no_better_off(monkeypatch: pytest.MonkeyPatch) -> None:
    world, verified = World(lockout=60.0), list[str]()

    def verify(password_hash: str, password: str) -> bool:
        verified.append(password)
        return False

    monkeypatch.setattr(passwords, "_verified", verify)
    guesses = (world.auth.authenticate(basic("ada", f"guess {n}"), "10.0.0.1") for n in range(200))
    done = await asyncio.gather(*guesses, return_exceptions=True)
    assert len(verified) == FREE_GUESSES + 1
    assert sum(isinstance(each, LimitExceeded) for each in done) == 200 - FREE_GUESSES - 1


@pytest.mark.slow
async def test_the_file_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "LOOK_SECONDS", 0.01)
    file = tmp_path / "users.toml"
    file.write_bytes(file_of(bob=GOOD, ada=GOOD.replace(HASH, QUICK.hash("hidden"))))
    world = World(file)
    await world.auth.start()
    first = await world.auth.authenticate(basic("bob", "correct horse"))
    assert first.roles == {"reader"}
    with pytest.raises(Unauthenticated):  # the one of the settings hides the one of the file
        await world.auth.authenticate(basic("ada", "hidden"))

    async def replaced(text: bytes) -> None:
        part = file.with_suffix(".part")
        part.write_bytes(text)
        os.replace(part, file)
        await asyncio.sleep(0.2)

    await replaced(b"not TOML [")
    assert world.auth.known(basic("bob", "correct horse")) is first, "what is known stays"
    await replaced(file_of(bob=GOOD.replace("reader", "admin"), carl=GOOD))
    assert world.auth.known(basic("bob", "correct horse")) is None
    assert (await world.auth.authenticate(basic("bob", "correct horse"))).roles == {"admin"}
    await replaced(b"")
    with pytest.raises(Unauthenticated):
        await world.auth.authenticate(basic("bob", "correct horse"))
    await world.auth.stop()


async def test_a_server_without_its_file_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"users\.toml"):
        await World(tmp_path / "users.toml").auth.start()
