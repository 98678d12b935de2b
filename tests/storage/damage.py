"""Ways to damage the rows of a store by SQL, as a wrong hand, another version or a disk would."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

import asyncpg

from llm_schema_registry_server.storage.postgres import PostgresStore
from llm_schema_registry_server.storage.sqlite import SqliteStore


@dataclass(frozen=True)
class Damage:
    """sql: `{id}` stands for the schema id of the version that is damaged. readable: whether its row can be read all the
    same. stays: whether repair keeps the version. postgres: the SQL where it differs; "" where it cannot happen there."""

    sql: str
    readable: bool = False
    stays: bool = True
    postgres: str | None = None


_NO_UTF_8 = "CAST(x'6f7264ff' AS TEXT)"
_CONTENT = "(SELECT identity FROM versions WHERE schema_id = '{id}')"
DAMAGES = {
    "number with too many digits": Damage(
        "UPDATE versions SET version = '1000000000.0.0', release = '1000000000.0.0' WHERE schema_id = '{id}'"
    ),
    "no number": Damage("UPDATE versions SET version = 'x' WHERE schema_id = '{id}'"),
    "metadata is no JSON": Damage("UPDATE versions SET about = '{{' WHERE schema_id = '{id}'", postgres=""),
    "metadata has another shape": Damage(
        "UPDATE versions SET about = '{{\"description\": 1, \"tags\": 7}}' WHERE schema_id = '{id}'"
    ),
    "metadata is a list": Damage("UPDATE versions SET about = '[1]' WHERE schema_id = '{id}'"),
    "origin has another shape": Damage("UPDATE versions SET origin = '[]' WHERE schema_id = '{id}'"),
    "unknown state": Damage("UPDATE versions SET state = 77 WHERE schema_id = '{id}'"),
    "unknown type": Damage("UPDATE versions SET schema_type = 77 WHERE schema_id = '{id}'"),
    "unknown level": Damage("UPDATE versions SET level = 77 WHERE schema_id = '{id}'"),
    "unknown class of change": Damage("UPDATE versions SET change_class = 77 WHERE schema_id = '{id}'"),
    "impossible time": Damage(
        "UPDATE versions SET created_at = 9000000000000000000 WHERE schema_id = '{id}'"
    ),
    "missing content": Damage(
        f"DELETE FROM contents WHERE identity = {_CONTENT}", readable=True, stays=False
    ),
    "altered content": Damage(
        f"UPDATE contents SET content = CAST('altered' AS BLOB) WHERE identity = {_CONTENT}",
        postgres=f"UPDATE contents SET content = 'altered'::bytea WHERE identity = {_CONTENT}",
        readable=True,
        stays=False,
    ),
    **{
        f"{column} is no UTF-8": Damage(
            f"UPDATE versions SET {column} = {_NO_UTF_8} WHERE schema_id = '{{id}}'", postgres=""
        )
        for column in (
            "subject",
            "identity",
            "version",
            "content_digest",
            "generation_digest",
            "validation_digest",
            "about",
            "origin",
        )
    },
    "a byte of metadata is no UTF-8": Damage(
        "UPDATE versions SET about = CAST(CAST(replace(about, '[]', '[\"t\"]') AS BLOB) || x'ff' AS TEXT) "
        "WHERE schema_id = '{id}'",
        postgres="",
    ),
    "altered digest": Damage(f"UPDATE contents SET digest = 'f' WHERE identity = {_CONTENT}", readable=True),
}


async def execute(store: SqliteStore | PostgresStore, *statements: str) -> None:
    """Execute SQL on the file or the database of an open store, beside it."""
    if isinstance(store, SqliteStore):
        connection = sqlite3.connect(store._path, timeout=10)
        with connection:
            for sql in statements:
                connection.execute(sql)
        connection.close()
        return
    other = await asyncpg.connect(store._dsn)
    try:
        for sql in statements:
            await other.execute(sql)
    finally:
        await other.close()


async def damage(store: SqliteStore | PostgresStore, kind: str, schema_id: str) -> bool:
    """Do it; False when it cannot happen on this back end."""
    chosen = DAMAGES[kind]
    sql = chosen.sql
    if isinstance(store, PostgresStore) and chosen.postgres is not None:
        sql = chosen.postgres
    if not sql:
        return False
    await execute(store, sql.format(id=schema_id))
    return True
