"""Mends rows of API keys and revoked tokens. What is in doubt counts for less, never for more."""

from __future__ import annotations

from collections.abc import Sequence

from ...model.timestamps import micros
from .. import credential_rows as credentials
from .. import rows
from .cells import is_time, readable, shown
from .table import RepairFinding, RepairTx, Table, update


class ApiKeys(Table):
    """A key that cannot be read lets nobody in. It is removed: what it was allowed to do cannot be guessed."""

    start = ""
    sql = f"SELECT {', '.join(credentials.KEY_COLUMNS)} FROM api_keys WHERE key_id > $1 ORDER BY key_id LIMIT $2"

    async def look(self, tx: RepairTx, row: rows.Row, apply: bool) -> Sequence[RepairFinding]:
        if readable(credentials.key_of, row):
            return ()
        if apply:
            await tx.execute("DELETE FROM api_keys WHERE key_id = $1", row[0])
        what = f"it is not readable and lets nobody in (it was called {shown(row[1])!r}): it is removed; make a new one"
        return [RepairFinding("api_keys", str(shown(row[0])), what)]


class RevokedTokens(Table):
    """A token stays revoked when only its id and its end can be read. One without a readable end stays so for ever."""

    start = ""
    sql = (
        f"SELECT {', '.join(credentials.REVOKED_COLUMNS)} FROM revoked_tokens WHERE token_id > $1 "
        "ORDER BY token_id LIMIT $2"
    )

    async def look(self, tx: RepairTx, row: rows.Row, apply: bool) -> Sequence[RepairFinding]:
        token_id, expires_at, facts = row
        if isinstance(token_id, bytes):
            if apply:
                await tx.execute("DELETE FROM revoked_tokens WHERE token_id = $1", token_id)
            fault = "its id is no UTF-8, which no token has: it is removed"
            return [RepairFinding("revoked_tokens", str(shown(token_id)), fault)]
        mended: dict[str, object] = {}
        if not is_time(expires_at):
            mended["expires_at"] = expires_at = micros(credentials.FAR)
        if not readable(credentials.whole_revoked_of, (token_id, expires_at, facts)):
            mended["facts"] = credentials.revoked_row(credentials.revoked_of((token_id, expires_at, facts)))[
                2
            ]
        if not mended:
            return ()
        if apply:
            await update(tx, "revoked_tokens", "token_id", token_id, mended)
        what = " and ".join(sorted(mended))
        return [RepairFinding("revoked_tokens", token_id, f"{what}: not readable; the token stays revoked")]
