"""Users with passwords (RFC 7617): Argon2id hashes (RFC 9106) from the settings and a file, verified in threads, one after the other.

A hash takes some 50 ms and 64 MiB, so that guessing is dear; it must not be dear for those who do not guess. Callers take turns, by
address; what was verified is remembered by the authenticator; who guesses waits longer each time.
"""

from __future__ import annotations

import asyncio
import os
import tomllib
from base64 import b64decode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from argon2 import PasswordHasher, Type, extract_parameters
from argon2.exceptions import Argon2Error, InvalidHashError

from ..errors import Unauthenticated, Unavailable
from ..model.principal import Principal
from ..queues import caller as callers
from ..queues.fair_queue import FairQueue, Queues
from ..storage.completion import run_to_completion
from ..telemetry import logs
from .permissions import Roles

_LOG = logs.get("auth.users")
LONGEST_NAME, LONGEST_PASSWORD = 255, 1024
"""Of a name in characters, of a password in bytes."""
MOST_USERS = 10_000
MOST_FILE_BYTES = 4 * 1024 * 1024
_MOST_MEMORY_KIB, _MOST_ROUNDS, _MOST_LANES = 256 * 1024, 16, 16
"""What a hash may ask for: with more, whoever logs in could stop the server."""
LOOK_SECONDS = 5.0
"""How often the file is looked at."""
_HASHER = PasswordHasher()


class UsersError(ValueError):
    """Users cannot be read; the message says which and why, without their hashes."""


@dataclass(frozen=True, slots=True)
class User:
    """A user: the hash of the password (`$argon2id$...`), and roles."""

    name: str
    password_hash: str
    roles: frozenset[str]

    def __repr__(self) -> str:
        return f"User({self.name!r})"


def hash_password(password: str) -> str:
    """A hash to be kept. Raises UsersError for a password that is empty or too long."""
    if not 0 < len(password.encode()) <= LONGEST_PASSWORD:
        raise UsersError(f"a password has 1 to {LONGEST_PASSWORD} bytes")
    return _HASHER.hash(password)


def checked_user(name: str, password_hash: str, roles: Iterable[str], known: Roles) -> User:
    """A user that can be one. Raises UsersError."""
    if not (0 < len(name) <= LONGEST_NAME and name.isprintable() and ":" not in name):
        raise UsersError(f"user {name!r}: a name has 1 to {LONGEST_NAME} printable characters and no colon")
    try:
        asked = extract_parameters(password_hash)
    except InvalidHashError as error:
        raise UsersError(
            f"user {name!r}: password_hash is none; `schema-registry-server hash-password` makes one"
        ) from error
    if asked.type is not Type.ID:
        raise UsersError(f"user {name!r}: its hash is not of Argon2id")
    if (
        asked.memory_cost > _MOST_MEMORY_KIB
        or asked.time_cost > _MOST_ROUNDS
        or asked.parallelism > _MOST_LANES
    ):
        raise UsersError(
            f"user {name!r}: its hash asks for more than {_MOST_MEMORY_KIB // 1024} MiB, {_MOST_ROUNDS} rounds or "
            f"{_MOST_LANES} lanes"
        )
    held = frozenset(roles)
    if unknown := held - known.names:
        raise UsersError(f"user {name!r}: no role is called {', '.join(sorted(map(repr, unknown)))}")
    return User(name, password_hash, held)


def read_users(text: bytes, roles: Roles) -> Mapping[str, User]:
    """The users of a file: TOML with tables such as `[users.ada]`, each with `password_hash` and `roles`. Raises UsersError."""
    if len(text) > MOST_FILE_BYTES:
        raise UsersError(f"the file has more than {MOST_FILE_BYTES} bytes")
    try:
        found = tomllib.loads(text.decode())
    except ValueError as error:
        # Not its text, which may quote a line with a hash.
        raise UsersError("the file is not TOML in UTF-8") from error
    tables = found.pop("users", {})
    if found or not isinstance(tables, dict):
        raise UsersError("the file holds something else than tables [users.NAME]")
    if len(tables) > MOST_USERS:
        raise UsersError(f"the file has more than {MOST_USERS} users")
    return {name: _user(name, table, roles) for name, table in tables.items()}


def _user(name: str, table: object, roles: Roles) -> User:
    match table:
        case {"password_hash": str(password_hash), "roles": list(named), **rest} if not rest:
            if all(isinstance(role, str) for role in named):
                return checked_user(name, password_hash, named, roles)
    raise UsersError(
        f"user {name!r}: must have password_hash, a text, and roles, a list of texts, and nothing else"
    )


class UserBook:
    """The users of the settings, and those of a file, which is read anew when it has changed. A user of the settings hides one of the
    file. A file that cannot be read leaves those that are known."""

    def __init__(
        self,
        fixed: Mapping[str, User],
        file: Path | None,
        roles: Roles,
        changed: Callable[[str], None],
    ) -> None:
        """changed: called with the name of each user that is not as it was read before."""
        self._fixed, self._file, self._roles = dict(fixed), file, roles
        self._changed = changed
        self._read: Mapping[str, User] = {}
        self._mark: tuple[int, ...] = ()
        self._begun = False
        self._fault = ""

    def __len__(self) -> int:
        return len({*self._fixed, *self._read})

    def find(self, name: str) -> User | None:
        return self._fixed.get(name) or self._read.get(name)

    async def look(self, *, demanded: bool = False) -> None:
        """Read the file if it has changed. demanded: raise UsersError when it cannot be read."""
        if self._file is None:
            return
        try:
            found = await asyncio.to_thread(self._load, self._file)
        except (OSError, UsersError) as error:
            fault = f"{self._file}: {error.strerror if isinstance(error, OSError) else error}"
            if demanded:
                raise UsersError(fault) from error
            if fault != self._fault:
                _LOG.warning("users_not_read", why=fault, keeps=len(self._read))
            self._fault = fault
            return
        self._fault = ""
        if found is not None:
            before, self._read, first = self._read, found, not self._begun
            self._begun = True
            for name in () if first else {*before, *found}:
                if before.get(name) != found.get(name):
                    self._changed(name)

    def _load(self, file: Path) -> Mapping[str, User] | None:
        """The users; None when the file is the one that was read last."""
        with file.open("rb") as stream:
            stat = os.fstat(stream.fileno())
            mark = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            if mark == self._mark:
                return None
            found = read_users(stream.read(MOST_FILE_BYTES + 1), self._roles)
        self._mark = mark
        return found


class PasswordCheck:
    """Verifies passwords: `checks` at a time, in threads; callers take turns in one of `queues`."""

    def __init__(self, book: UserBook, roles: Roles, queues: Queues, *, checks: int = 1) -> None:
        self._book, self._roles = book, roles
        self._queue = queues.add(
            FairQueue(
                "passwords",
                (checks, checks, checks),
                queues.limits,
                what="passwords wait to be verified",
                setting="queues.waiting",
            )
        )
        # What is verified for a name that nobody has, so that it takes as long.
        self._nobody = _HASHER.hash(os.urandom(16).hex())
        self._following: asyncio.Task[None] | None = None

    async def verify(self, name: str, password: str, admit: Callable[[], None] = lambda: None) -> Principal:
        """The principal of a user. admit: called when it is this caller's turn; what it raises is raised. Raises Unauthenticated, in
        the same words and after the same time for a wrong name and a wrong password; LimitExceeded when too many wait."""
        user = self._book.find(name)
        # Before the wait: a long password costs nothing.
        fits = len(name) <= LONGEST_NAME and 0 < len(password.encode()) <= LONGEST_PASSWORD
        with await self._queue.take(callers.current()):
            admit()
            hashed = user.password_hash if user is not None and fits else self._nobody
            loop = asyncio.get_running_loop()
            # To its end, also when the caller leaves: there is room for so many and no more.
            work = loop.run_in_executor(None, _verified, hashed, password if fits else "")
            right = await run_to_completion(work, None)
        if user is None or not right or self._book.find(name) != user:
            raise Unauthenticated("the user name or the password is wrong")
        return Principal(
            user.name,
            self._roles.permissions(user.roles),
            roles=user.roles,
            credential=credential_of(user.name),
        )

    async def start(self) -> None:
        """Reads the file, and follows it from now on. Raises Unavailable when it cannot be read."""
        try:
            await self._book.look(demanded=True)
        except UsersError as error:
            raise Unavailable(f"auth.passwords.users_file {error}") from error
        self._following = asyncio.create_task(self._follow(), name="users file")

    async def stop(self) -> None:
        """Ends what `start` began."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.wait({self._following})

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self._book.look()


def credential_of(name: str) -> str:
    """What Principal.credential is for a user with a password."""
    return f"password {name}"


def read_basic(credentials: str) -> tuple[str, str]:
    """User and password of what stands behind `Basic` (RFC 7617 2). Raises Unauthenticated."""
    try:
        user, colon, password = b64decode(credentials, validate=True).decode().partition(":")
    except ValueError as error:
        raise Unauthenticated("what follows `Basic` is no base64 of user:password in UTF-8") from error
    if not colon:
        raise Unauthenticated("what follows `Basic` is no base64 of user:password in UTF-8")
    return user, password


def _verified(password_hash: str, password: str) -> bool:
    try:
        return _HASHER.verify(password_hash, password)
    except Argon2Error:
        return False
