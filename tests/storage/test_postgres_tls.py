"""PostgreSQL over TLS: the server proves who it is, or nothing is sent to it."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from llm_schema_registry_server.errors import StorageUnavailable
from llm_schema_registry_server.storage.postgres import PostgresStore
from tests.support.certificates import Certificates, issue
from tests.support.postgres import Postgres, skip_where_missing, unprivileged


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return issue(tmp_path_factory.mktemp("ours"))


@pytest.fixture(scope="module")
def secured(certificates: Certificates) -> Iterator[Postgres]:
    """A server that takes connections over TLS only."""
    skip_where_missing()
    server = Postgres(
        listen_addresses="127.0.0.1,127.0.0.2",
        ssl="on",
        ssl_cert_file="server.crt",
        ssl_key_file="server.key",
    )
    shutil.copy(certificates.certificate, server.data / "server.crt")
    shutil.copy(certificates.key, server.data / "server.key")
    (server.data / "server.key").chmod(0o600)
    user = unprivileged()
    if user is not None:
        for name in ("server.crt", "server.key"):
            os.chown(server.data / name, user.pw_uid, user.pw_gid)
    (server.data / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 trust\n")
    server.start()
    yield server
    server.remove()


async def opened(dsn: str) -> None:
    """Open a store and close it; waits while the server is starting."""
    store = PostgresStore(dsn)
    async with asyncio.timeout(60):
        while True:
            try:
                await store.open()
                break
            except StorageUnavailable as error:
                if "starting" not in error.message and "cannot be reached" not in error.message:
                    raise
                await asyncio.sleep(0.02)
    await store.close()


async def test_a_server_of_our_authority_is_taken(secured: Postgres, certificates: Certificates) -> None:
    await opened(f"{secured.dsn()}?sslmode=verify-full&sslrootcert={certificates.authority}")


async def test_a_server_of_another_authority_is_refused(secured: Postgres, tmp_path: Path) -> None:
    foreign = issue(tmp_path).authority
    with pytest.raises(StorageUnavailable, match=r"check sslrootcert.*certificate verify failed"):
        await opened(f"{secured.dsn()}?sslmode=verify-full&sslrootcert={foreign}")


async def test_a_server_of_another_name_is_refused(secured: Postgres, certificates: Certificates) -> None:
    dsn = secured.dsn().replace("127.0.0.1", "127.0.0.2")
    with pytest.raises(StorageUnavailable, match=r"check sslrootcert.*certificate verify failed"):
        await opened(f"{dsn}?sslmode=verify-full&sslrootcert={certificates.authority}")


async def test_a_connection_without_tls_is_refused_by_a_server_that_wants_it(secured: Postgres) -> None:
    with pytest.raises(StorageUnavailable, match="no encryption"):
        await opened(f"{secured.dsn()}?sslmode=disable")
