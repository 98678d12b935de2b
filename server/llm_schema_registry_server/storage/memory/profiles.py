"""Profiles and their verdicts in a memory store; see protocols/profiles.py for the meaning of each method."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Sequence

from ...errors import ConcurrentUpdate
from ...model.profile import JudgedVersion, ProfileFit, ProfileMark, ProfileVerdict, StoredProfile
from .tables import Tables

WATCH = "how far profiles have been applied"


class MemoryProfilesRead:
    _tables: Tables

    async def profile_marks(self) -> Sequence[ProfileMark]:
        return sorted((p.mark for p in self._tables.profiles.values()), key=lambda mark: mark.id)

    async def stored_profile(self, profile: str) -> StoredProfile | None:
        return self._tables.profiles.get(profile)

    async def verdicts_of(self, schema_ids: Collection[str]) -> Sequence[ProfileVerdict]:
        found = (self._tables.verdicts.get(schema_id) for schema_id in schema_ids)
        return [verdict for of_one in found if of_one for verdict in of_one]

    async def judged_versions(
        self, profile: str, fit: ProfileFit, after: str, limit: int
    ) -> Sequence[JudgedVersion]:
        found = (
            JudgedVersion(version, verdict)
            for schema_id, verdicts in self._tables.verdicts.items()
            if schema_id > after
            for verdict in verdicts
            if verdict.profile == profile and verdict.fit is fit
            if (version := self._tables.versions.get(schema_id)) is not None and version.live
        )
        return heapq.nsmallest(limit, found, key=lambda judged: judged.version.schema_id)

    async def profile_watch(self) -> str | None:
        return self._tables.texts.get(WATCH)


class MemoryProfilesWrite(MemoryProfilesRead):
    async def put_profile(self, profile: StoredProfile) -> None:
        known = self._tables.profiles.get(profile.id)
        if known is not None and known.version >= profile.version:
            raise ConcurrentUpdate(f"the profile {profile.id!r} was put meanwhile; read it again")
        self._tables.profiles[profile.id] = profile

    async def remove_profile(self, profile: str) -> bool:
        known = profile in self._tables.profiles
        self._tables.profiles.remove(profile)
        return known

    async def put_verdicts(self, verdicts: Sequence[ProfileVerdict]) -> None:
        for verdict in verdicts:
            if verdict.schema_id in self._tables.versions:
                others = self._tables.verdicts.get(verdict.schema_id) or ()
                kept = (other for other in others if other.profile != verdict.profile)
                self._tables.verdicts[verdict.schema_id] = (*kept, verdict)

    async def forget_verdicts(self, profile: str, limit: int) -> int:
        gone = 0
        for schema_id, verdicts in list(self._tables.verdicts.items()):
            kept = tuple(verdict for verdict in verdicts if verdict.profile != profile)
            if len(kept) < len(verdicts) and gone < limit:
                self._tables.verdicts[schema_id] = kept
                gone += 1
        return gone

    async def set_profile_watch(self, state: str) -> None:
        self._tables.texts[WATCH] = state
