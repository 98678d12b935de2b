"""ListProfileVerdicts: which registered versions fit a profile how; and what is remembered of finding that out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..errors import InvalidRequest
from ..model.profile import JudgedVersion, ProfileFit
from ..model.scope import SubjectScope
from ..storage.store import Store
from .limits import RequestLimits
from .paging import name_token, named_page
from .profiles import Profiles

SCANNED = 1000
"""Verdicts that are read for one page, whether or not the caller may read their versions."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far finding verdicts has come, as it is stored.

    judged: profile -> the version of it by which every version up to the change `sequence` has been judged. targets: of the pass that
    is under way, profile -> version; after: the subject and ordinal that it has come to, None before the first.
    """

    sequence: int = 0
    judged: Mapping[str, int] = field(default_factory=dict)
    targets: Mapping[str, int] = field(default_factory=dict)
    after: tuple[str, int] | None = None

    @classmethod
    def read(cls, text: str | None) -> Progress:
        """From what was stored; from the beginning when there is nothing, or nothing that can be read."""
        try:
            document = json.loads(text or "{}")
            after = document.get("after")
            return cls(
                int(document.get("sequence", 0)),
                {str(k): int(v) for k, v in document.get("judged", {}).items()},
                {str(k): int(v) for k, v in document.get("targets", {}).items()},
                None if after is None else (str(after[0]), int(after[1])),
            )
        except (ValueError, TypeError, AttributeError, IndexError, KeyError):
            return cls()  # it costs a pass over all versions, and nothing else

    def text(self) -> str:
        """As it is stored."""
        return json.dumps(
            {
                "sequence": self.sequence,
                "judged": dict(self.judged),
                "targets": dict(self.targets),
                "after": self.after,
            }
        )


@dataclass(frozen=True, slots=True)
class VerdictPage:
    """Some verdicts, the token of the next page, "" on the last, and whether all versions have been judged by the profile as it is."""

    verdicts: Sequence[JudgedVersion]
    next_token: str
    complete: bool


class Verdicts:
    """The use case behind ListProfileVerdicts."""

    def __init__(self, store: Store, profiles: Profiles, limits: RequestLimits) -> None:
        self._store, self._profiles, self._limits = store, profiles, limits

    async def __call__(
        self,
        profile: str,
        fit: ProfileFit,
        *,
        limit: int | None,
        page_token: str,
        readable: SubjectScope,
    ) -> VerdictPage:
        """The versions that fit a profile so, as far as they may be read. Raises ProfileNotFound, PageTokenInvalid."""
        if not profile:
            raise InvalidRequest("profile", "must not be empty; ListProfiles tells which there are")
        count, after = named_page(limit, page_token, most=min(self._limits.page, SCANNED))
        known = await self._profiles.one(profile)
        shown: list[JudgedVersion] = []
        async with self._store.read_elsewhere() as tx:
            progress = Progress.read(await tx.profile_watch())
            newest = (await tx.change_bounds())[1]
            scanned = 0
            while len(shown) < count and scanned < SCANNED:
                asked = min(count, SCANNED - scanned) if readable.everything else SCANNED - scanned
                batch = await tx.judged_versions(profile, fit, after, asked + 1)
                for judged in batch[:asked]:
                    if len(shown) == count:
                        break
                    after = judged.version.schema_id
                    scanned += 1
                    if readable.contains(str(judged.version.subject)):
                        shown.append(judged)
                else:
                    if len(batch) <= asked:
                        after = ""
                        break
        judged_by = progress.judged.get(profile, 0) >= known.profile.version
        complete = judged_by and progress.sequence >= newest
        return VerdictPage(shown, name_token(after) if after else "", complete)
