"""Profiles of providers that are put at run time, what profiles say about versions, and how far that has been found out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from ...model.profile import JudgedVersion, ProfileFit, ProfileMark, ProfileVerdict, StoredProfile


class ProfilesRead(Protocol):
    """Reads of them."""

    async def profile_marks(self) -> Sequence[ProfileMark]:
        """The marks of all stored profiles, by id. Those that cannot be decoded are left out."""
        ...

    async def stored_profile(self, profile: str) -> StoredProfile | None:
        """None when there is none with this id. Raises StorageDamaged when it cannot be decoded."""
        ...

    async def verdicts_of(self, schema_ids: Collection[str]) -> Sequence[ProfileVerdict]:
        """What is stored about these versions, under all profiles, in no order. Rows that cannot be decoded are left out."""
        ...

    async def judged_versions(
        self, profile: str, fit: ProfileFit, after: str, limit: int
    ) -> Sequence[JudgedVersion]:
        """Up to `limit` live versions that fit a profile so, with schema ids greater than `after`, by schema id, which is the order
        of their creation. Rows that cannot be decoded are left out."""
        ...

    async def profile_watch(self) -> str | None:
        """What `set_profile_watch` was given last; None before."""
        ...


class ProfilesWrite(ProfilesRead, Protocol):
    """Writes of them."""

    async def put_profile(self, profile: StoredProfile) -> None:
        """Add a profile, or put it in the place of one with a smaller version. Raises ConcurrentUpdate when the one that is there
        has the same version or a greater one."""
        ...

    async def remove_profile(self, profile: str) -> bool:
        """False when there is none with this id. Verdicts stay."""
        ...

    async def put_verdicts(self, verdicts: Sequence[ProfileVerdict]) -> None:
        """Store verdicts in the place of those before them. They go with their versions; one about a version that is gone is left
        out."""
        ...

    async def forget_verdicts(self, profile: str, limit: int) -> int:
        """Remove up to `limit` verdicts of a profile; answers with how many there were."""
        ...

    async def set_profile_watch(self, state: str) -> None:
        """Remember how far finding verdicts has come, as text."""
        ...
