"""The key that signs checkpoints and verdicts: in a file of its own, or beside the log."""

from __future__ import annotations

import base64
import binascii
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ..errors import StorageUnavailable
from ..storage.store import Store
from ..telemetry import logs
from .notes import PublicKey, Signer, origin_of

_SEED_BYTES = 32
_LOG = logs.get("audit")


class SigningKeys:
    """Finds the signer of a registry, or makes it at the first start.

    file: where the seed is (base64, mode 0600). None: it is kept in the database, where whoever may alter the log may sign it, too.
    The public key is kept in the database in either case, so that no server signs with another key than the others.
    """

    def __init__(
        self, store: Store, file: Path | None, random: Callable[[int], bytes] = secrets.token_bytes
    ) -> None:
        self._store, self._file, self._random = store, file, random

    async def signer(self, *, make: bool = True) -> Signer:
        """Raises StorageUnavailable for a file that cannot be used or made, and for another key than that of the log. make: whether
        to make one where there is none; otherwise StorageUnavailable is raised then, too."""
        name = origin_of(self._store.registry_id)
        if self._file is None:
            seed = await self._seed_in_database(make)
        else:
            seed = _decoded(await self._seed_in_file(self._file, make), str(self._file))
        signer = Signer(name, seed)
        kept = await self._kept(str(signer.public), make)
        if kept != str(signer.public):
            raise _another(f"the log has {kept}, this server {signer.public}")
        return signer

    async def public(self) -> PublicKey | None:
        """The public key of the log, as the database has it; None when nothing was signed yet."""
        async with self._store.read() as tx:
            kept = await tx.audit_value("public_key")
        return PublicKey.parse(kept) if kept else None

    async def _kept(self, public: str, make: bool) -> str:
        async with self._store.read() as tx:
            kept = await tx.audit_value("public_key")
        if kept or not make:
            return kept or public
        async with self._store.write() as tx:
            return await tx.keep_audit_value("public_key", public)

    async def _seed_in_file(self, file: Path, make: bool) -> str:
        async with self._store.read() as tx:
            known, kept = await tx.audit_value("public_key"), await tx.audit_value("signing_key")
        if make and not os.path.exists(file):  # noqa: ASYNC240 - once, at the start
            if known and not kept:
                raise StorageUnavailable(
                    "the file with the key of the audit log is missing (setting audit.key_file); put it back from a backup",
                    inside=f"{file}, the key that signed the log is {known}",
                )
            if kept:
                _LOG.warning(
                    "audit_key_copied", why="the database still has it; do not let others read its backups"
                )
            _make_file(file, kept or base64.b64encode(self._random(_SEED_BYTES)).decode())
        return _read(file)

    async def _seed_in_database(self, make: bool) -> bytes:
        async with self._store.read() as tx:
            known, kept = await tx.audit_value("public_key"), await tx.audit_value("signing_key")
        if known and not kept:
            raise _another(f"the log has {known}, and the setting audit.key_file is not given")
        if not kept:
            if not make:
                raise StorageUnavailable(
                    "no key for the audit log was made yet; a server makes it at its start"
                )
            _LOG.warning(
                "audit_key_in_database",
                why="whoever may write to the database can alter the audit log and sign it anew; set audit.key_file",
            )
            made = base64.b64encode(self._random(_SEED_BYTES)).decode()
            async with self._store.write() as tx:
                kept = await tx.keep_audit_value("signing_key", made)
        return _decoded(kept, "the database")


def _another(inside: str) -> StorageUnavailable:
    return StorageUnavailable(
        "the audit log of this database was signed with another key; give this server the file with that key "
        "(setting audit.key_file)",
        inside=inside,
    )


def _make_file(file: Path, seed: str) -> None:
    try:
        with suppress(FileExistsError):  # another server was faster
            _make(file, seed.encode() + b"\n")
    except OSError as error:
        raise StorageUnavailable(
            "the file with the key of the audit log cannot be made (setting audit.key_file)",
            inside=f"{file}: {error}",
        ) from error


def _read(file: Path) -> str:
    try:
        if os.name == "posix" and file.stat().st_mode & 0o077:
            raise StorageUnavailable(
                "the file with the key of the audit log can be read by others; chmod 600 it", inside=str(file)
            )
        return file.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise StorageUnavailable(
            "the file with the key of the audit log cannot be read (setting audit.key_file)",
            inside=f"{file}: {error}",
        ) from error


def _make(file: Path, content: bytes) -> None:
    """Make a file with mode 0600, whole or not at all. Raises FileExistsError."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(content)
            opened.flush()
            os.fsync(opened.fileno())
        os.link(part, file)  # fails when another server was faster
    finally:
        part.unlink(missing_ok=True)


def _decoded(text: str, where: str) -> bytes:
    try:
        seed = base64.b64decode(text.strip(), validate=True)
    except binascii.Error:
        seed = b""
    if len(seed) != _SEED_BYTES:
        raise StorageUnavailable("the key of the audit log is not 32 bytes in base64", inside=where)
    return seed
