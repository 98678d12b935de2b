"""PostgreSQL behind PgBouncer in transaction mode."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest
import pytest_asyncio

from llm_schema_registry_server.storage.postgres import PostgresStore
from tests.support.pgbouncer import PgBouncer, binary
from tests.support.postgres import PATIENT, Postgres, shared_server

POOLED = replace(PATIENT, transaction_pooler=True, poll_seconds=0.02)


@pytest.fixture(scope="session")
def pgbouncer() -> Iterator[PgBouncer]:
    if binary() is None:
        pytest.skip("PgBouncer is not installed: run scripts/system-packages pgbouncer")
    made = PgBouncer(shared_server())
    try:
        yield made
    finally:
        made.remove()


@pytest_asyncio.fixture
async def store(postgres: Postgres, pgbouncer: PgBouncer) -> AsyncIterator[PostgresStore]:
    behind = await postgres.empty_database()
    if pgbouncer._process is None:
        await pgbouncer.start()
    made = PostgresStore(pgbouncer.dsn(behind), POOLED)
    await made.open()
    try:
        yield made
    finally:
        await made.close()
