"""How the servers of a registry learn that credentials have changed: at once here, by the change log elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from ..model.access import AccessChange
from ..model.audit import TEXT
from ..model.change import Change, ServerEvent
from ..model.grant import RoleGrant
from ..model.principal import Actor
from ..storage.store import WriteTx

Told = Callable[[AccessChange], None]
"""Called after a commit and before its caller learns of it: what this server remembers of the credential is dropped."""


async def record_access(
    tx: WriteTx, change: AccessChange, by: Actor, at: datetime, noted: Mapping[str, str]
) -> int:
    """Append the change that tells followers of the log; answers with its sequence. noted: what the audit log says of it, so that it
    can be shown afterwards who could do what."""
    return await tx.append_change(
        Change(
            event_type=ServerEvent.ACCESS_UPDATED,
            subject=None,
            schema_id="",
            version="",
            ordinal=0,
            at=at,
            actor=by.name,
            correlation_id=by.correlation_id,
            metadata=change.metadata,
            noted=noted,
        )
    )


def roles_noted(grants: Iterable[RoleGrant]) -> Mapping[str, str]:
    """Roles and where they hold, as facts of a record: as many in one as a text of a record holds, so that none is cut off."""
    found: list[str] = []
    for grant in grants:
        text = f"{grant.role}@{grant.scope}"
        if found and len(found[-1]) + len(text) + 2 <= TEXT:
            found[-1] += f", {text}"
        else:
            found.append(text)
    return {f"roles {n}" if n > 1 else "roles": text for n, text in enumerate(found, 1)}
