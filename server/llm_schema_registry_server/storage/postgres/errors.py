"""The registry's errors for those of PostgreSQL: what happened, and the way out; operators are told in which database."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import asyncpg

from ...errors import ConcurrentUpdate, LimitExceeded, RegistryError, StorageDamaged, StorageUnavailable

_RETRY = "another transaction changed the same data; retry"

POOLER = "if a pooler (PgBouncer) stands before it, set storage.postgres.transaction_pooler"

_BY_STATE: dict[str, tuple[type[RegistryError], str]] = {
    # Appendix A of the PostgreSQL manual; the longest prefix of a SQLSTATE that is here decides.
    "08P01": (StorageUnavailable, f"it refuses how we speak to it; {POOLER}"),
    "08": (StorageUnavailable, "the connection was lost; retry"),
    "22003": (LimitExceeded, "a number does not fit its column"),
    "2200H": (LimitExceeded, "all 2147483647 global ids are used"),
    "23": (ConcurrentUpdate, _RETRY),
    "25006": (StorageUnavailable, "it is read-only (a standby?); point storage.postgres.dsn at the primary"),
    "25P02": (StorageUnavailable, "an earlier statement of the transaction failed; retry"),
    "25P03": (StorageUnavailable, "the transaction was idle for too long and was ended; retry"),
    "28": (StorageUnavailable, "it refuses the user or the password; check storage.postgres.dsn"),
    "3D000": (StorageUnavailable, "the database does not exist; create it or correct storage.postgres.dsn"),
    "40": (ConcurrentUpdate, _RETRY),
    "42501": (StorageUnavailable, "the user lacks a privilege; grant it"),
    "42704": (StorageUnavailable, "it does not know a parameter or another name; check storage.postgres.dsn"),
    "42P01": (StorageUnavailable, "a table is missing; run `schema-registry-server migrate`"),
    "42883": (StorageUnavailable, "a function is missing; run `schema-registry-server migrate`"),
    "53": (StorageUnavailable, "it is out of a resource (disk, memory or connections); free some"),
    "54": (LimitExceeded, "a value is too large for it"),
    "55P03": (ConcurrentUpdate, "another transaction holds the lock for too long; retry"),
    "57014": (
        StorageUnavailable,
        "the statement took too long; retry or raise storage.postgres.statement_seconds",
    ),
    "57": (StorageUnavailable, "it is starting, stopping or was restarted; retry"),
    "58": (StorageUnavailable, "its disk failed; see its log"),
    "XX001": (StorageDamaged, "its data are corrupted; restore it from a backup"),
    "XX002": (StorageDamaged, "an index is corrupted; REINDEX it"),
}
CYCLE = "40001"
"""The SQLSTATE of the trigger refuse_circle(): the references close a cycle with what another transaction has committed. Nothing
else raises it, for all writes are READ COMMITTED."""
CONFUSED = asyncpg.InternalClientError
"""What the driver raises on a connection that the database has just closed."""
AWAY = (OSError, asyncio.TimeoutError, asyncpg.InterfaceError, asyncpg.PostgresError, CONFUSED)
"""What the driver raises when the database, the network or a statement fails."""

_NO_URL = "a DSN that is no URL"


def shown(dsn: str) -> str:
    """The database that a DSN names, without the secrets."""
    try:
        parts = urlsplit(dsn)
        port = parts.port
    except ValueError:  # its text quotes the URL
        return _NO_URL
    if "://" not in dsn:
        return _NO_URL
    return f"{parts.hostname or 'local socket'}:{port or 5432}{parts.path or '/'}"


@contextmanager
def translated(database: str) -> Iterator[None]:
    """Raise the registry's error for each error of the driver about `database`; mistakes in our SQL pass unchanged."""
    try:
        yield
    except AWAY as error:
        raise error_of(error, database) from error


def error_of(error: BaseException, database: str) -> RegistryError:
    """The registry's error for one of the driver's."""
    state = getattr(error, "sqlstate", None) or ""
    for length in (5, 2):
        if state[:length] in _BY_STATE:
            kind, advice = _BY_STATE[state[:length]]
            return kind(f"PostgreSQL: {advice}", inside=f"{database}: {error}", sqlstate=state)
    if isinstance(error, asyncpg.PostgresError | asyncpg.DataError):
        raise error  # a mistake in our SQL: nobody else can act on it
    what = str(error) or type(error).__name__
    if isinstance(error, ssl.SSLError):
        return StorageUnavailable(
            "PostgreSQL is not trusted; check sslrootcert and the host in storage.postgres.dsn",
            inside=f"{database}: {what}",
        )
    return StorageUnavailable(
        "PostgreSQL cannot be reached or does not answer; check that it runs", inside=f"{database}: {what}"
    )
