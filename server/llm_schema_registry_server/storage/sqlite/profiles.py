"""Profiles and their verdicts in a SQLite store; see protocols/profiles.py for the meaning of each method."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from operator import itemgetter

from ...errors import ConcurrentUpdate
from ...model.profile import JudgedVersion, ProfileFit, ProfileMark, ProfileVerdict, StoredProfile
from ..profile_rows import judged_of, mark_of, profile_of, profile_row, verdict_of, verdict_row
from ..unreadable import Unreadable, readable, tolerant, whole_page
from . import queries
from .session import Session

_mark_or_not, _verdict_or_not, _judged_or_not = tolerant(mark_of), tolerant(verdict_of), tolerant(judged_of)


class SqliteProfilesRead:
    _session: Session

    async def profile_marks(self) -> Sequence[ProfileMark]:
        return readable(await self._session.ordered(queries.PROFILE_MARKS, (), _mark_or_not))

    async def stored_profile(self, profile: str) -> StoredProfile | None:
        row = self._session.row(queries.PROFILE, (profile,))
        return None if row is None else profile_of(row)

    async def verdicts_of(self, schema_ids: Collection[str]) -> Sequence[ProfileVerdict]:
        wanted = (json.dumps(list(schema_ids)),)
        return readable(await self._session.ordered(queries.VERDICTS_OF, wanted, _verdict_or_not))

    async def judged_versions(
        self, profile: str, fit: ProfileFit, after: str, limit: int
    ) -> Sequence[JudgedVersion]:
        async def fetch(count: int) -> Sequence[JudgedVersion | Unreadable]:
            wanted = (profile, int(fit), after, count)
            return await self._session.ordered(queries.JUDGED_VERSIONS, wanted, _judged_or_not)

        return await whole_page(fetch, limit)

    async def profile_watch(self) -> str | None:
        row = self._session.row(queries.PROFILE_WATCH)
        return None if row is None else str(row[0])


class SqliteProfilesWrite(SqliteProfilesRead):
    async def put_profile(self, profile: StoredProfile) -> None:
        if not self._session.run(queries.PUT_PROFILE, profile_row(profile)).rowcount:
            raise ConcurrentUpdate(f"the profile {profile.id!r} was put meanwhile; read it again")

    async def remove_profile(self, profile: str) -> bool:
        return self._session.run(queries.REMOVE_PROFILE, (profile,)).rowcount > 0

    async def put_verdicts(self, verdicts: Sequence[ProfileVerdict]) -> None:
        if verdicts:
            about = json.dumps(list({verdict.schema_id for verdict in verdicts}))
            there = set(await self._session.ordered(queries.JUDGED, (about,), itemgetter(0)))
            kept = [verdict_row(verdict) for verdict in verdicts if verdict.schema_id in there]
            self._session.run_each(queries.PUT_VERDICT, kept)

    async def forget_verdicts(self, profile: str, limit: int) -> int:
        return self._session.run(queries.FORGET_VERDICTS, (profile, limit)).rowcount

    async def set_profile_watch(self, state: str) -> None:
        self._session.run(queries.SET_PROFILE_WATCH, (state,))
