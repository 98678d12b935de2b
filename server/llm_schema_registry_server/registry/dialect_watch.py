"""Finds out, in the background, how every registered JSON Schema fits every profile; anew when a profile changes, whose verdicts that
have changed are then told in the change log."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from llm_schema_engines.errors import clip
from llm_schema_engines.model.schema import SchemaType
from llm_schema_engines.providers.findings import Fit

from ..errors import InternalError, LimitExceeded, RegistryError, SchemaNotFound, StorageDamaged
from ..model.change import Change, EventType
from ..model.profile import ProfileFit, ProfileVerdict
from ..model.schema import SchemaVersion
from ..storage.store import Store, WriteTx
from ..storage.values import Page, SchemaFilter
from ..telemetry.work import Work
from ..workers.provider_tasks import Found, JudgeSchemas
from .library import KnownSchema, Library
from .paging import version_key
from .profiles import KnownProfile, Profiles
from .verdicts import Progress

BATCH = 32
"""Most versions that are judged together, and whose verdicts are written in one transaction: short, for others write too."""
_VERDICTS = 512
"""Most verdicts that are written in one transaction, where one version has not more: about 2 ms on the event loop."""
_FORGOTTEN = 160
"""Verdicts that are removed in one transaction."""
PAGE = 500
"""Changes of the log that are read together."""
_SHOWN = 300
"""Characters of a pointer or a message that are kept."""
_JSON = SchemaFilter(schema_type=SchemaType.JSON)
_NEW = frozenset({EventType.SCHEMA_REGISTERED, EventType.SCHEMA_CREATED, EventType.SCHEMA_UNDELETED})
"""Changes after which a version may be without the verdicts of today."""
_OF_THE_SCHEMA = ("workers.parse_seconds", "workers.memory_bytes")
"""Settings whose limits a schema exceeds by itself, however often it is tried."""
ACTOR = "dialect watch"

Confirm = Callable[[WriteTx], Awaitable[None]]
"""Raises when another server may be at the same work; see LeaseKeeper.confirm."""
Known = Mapping[str, KnownProfile]


class DialectWatch:
    """One run after the other brings all verdicts up to date.

    A profile that is new, or of a greater version than the one that versions were judged by, is applied to all of them in a pass by
    subject and ordinal; versions that come meanwhile, and between passes, are found by the change log. What has been done is stored
    with the verdicts: whoever holds the lease next goes on there. share: of the time, that judging may take.
    """

    def __init__(
        self,
        store: Store,
        library: Library,
        profiles: Profiles,
        clock: Callable[[], datetime],
        *,
        share: float = 1.0,
        work: Work | None = None,
    ) -> None:
        self._store, self._library, self._profiles, self._clock = store, library, profiles, clock
        self._share, self._work = share, work or Work()
        self._confirm: Confirm = _alone

    def confirmed_by(self, confirm: Confirm) -> None:
        """Ask this in each transaction that writes."""
        self._confirm = confirm

    async def run(self) -> None:
        """Bring everything up to date. Raises RegistryError when that cannot be finished now; what was done stays done."""
        known = await self._profiles.all()
        progress = await self._begin(known)
        progress = await self._pass(progress, known)
        goal = await self._newest()
        while progress.sequence < goal:
            progress = await self._follow(progress, known)
            progress = await self._pass(progress, known)

    # -- profiles that have changed

    async def _begin(self, known: Known) -> Progress:
        """What is to be done: profiles that are gone are forgotten, changed ones become the targets of a pass."""
        async with self._store.read() as tx:
            progress = Progress.read(await tx.profile_watch())
            newest = (await tx.change_bounds())[1]
        for gone in (progress.judged.keys() | progress.targets.keys()) - known.keys():
            progress = await self._forget(progress, gone)
        if not progress.judged and not progress.targets:
            progress = replace(progress, sequence=newest)  # the pass sees all that is there
        wanted = {
            name: one.profile.version
            for name, one in known.items()
            if progress.judged.get(name, 0) < one.profile.version
        }
        if any(progress.targets.get(name, 0) < version for name, version in wanted.items()):
            progress = replace(progress, targets=wanted, after=None)
            await self._save(progress)
        return progress

    async def _forget(self, progress: Progress, profile: str) -> Progress:
        left = replace(
            progress,
            judged={name: version for name, version in progress.judged.items() if name != profile},
            targets={name: version for name, version in progress.targets.items() if name != profile},
        )
        while True:
            async with self._store.write() as tx:
                await self._confirm(tx)
                if not await tx.forget_verdicts(profile, _FORGOTTEN):
                    await tx.set_profile_watch(left.text())
                    return left
            await asyncio.sleep(0)

    async def _pass(self, progress: Progress, known: Known) -> Progress:
        """Go on with the pass that is under way, to its end."""
        while progress.targets:
            targets = {name: known[name] for name in progress.targets if name in known}
            async with self._store.read_elsewhere() as tx:
                batch = await tx.scan_versions(_JSON, Page(_together(targets), 0, progress.after))
            if batch:
                progress = replace(progress, after=version_key(batch[-1]))
                await self._judge(batch, targets, progress)
            else:
                judged = {**progress.judged, **{n: p.profile.version for n, p in targets.items()}}
                progress = replace(progress, judged=judged, targets={}, after=None)
                await self._save(progress)
        return progress

    # -- versions that are new

    async def _newest(self) -> int:
        async with self._store.read() as tx:
            return (await tx.change_bounds())[1]

    async def _follow(self, progress: Progress, known: Known) -> Progress:
        """Judge the versions that the next changes of the log tell of; everything anew when changes were forgotten before."""
        page = await self._store.log_page(progress.sequence, PAGE)
        if page.oldest > progress.sequence:
            everything = {name: one.profile.version for name, one in known.items()}
            progress = replace(progress, sequence=page.oldest, targets=everything, after=None)
            await self._save(progress)
            return progress
        new = dict.fromkeys(c.schema_id for c in page.changes if c.event_type in _NEW and c.schema_id)
        async with self._store.read() as tx:
            found = await tx.versions_by_id(list(new))
        left = [
            version
            for schema_id in new
            if (version := found.get(schema_id)) is not None
            and version.live
            and version.schema_type is SchemaType.JSON
        ]
        after = replace(progress, sequence=max(page.last, progress.sequence))
        if page.last <= progress.sequence:
            await asyncio.sleep(_SETTLING_SECONDS)  # the newest changes are not final yet
        together = _together(known)
        for first in range(0, len(left), together):
            part = left[first : first + together]
            await self._judge(part, known, after if first + together >= len(left) else None)
        if not left:
            await self._save(after)
        return after

    # -- verdicts

    async def _judge(
        self, versions: Sequence[SchemaVersion], profiles: Known, progress: Progress | None
    ) -> None:
        """Store what these profiles say about versions, tell what has changed, and remember the progress."""
        began = time.perf_counter()
        verdicts = [v for v in await self._verdicts(versions, profiles) if v.profile in profiles]
        async with self._store.write() as tx:
            await self._confirm(tx)
            before = {
                (v.schema_id, v.profile): v for v in await tx.verdicts_of([v.schema_id for v in versions])
            }
            news = verdicts
            if before:
                news = [v for v in verdicts if _is_news(v, before.get((v.schema_id, v.profile)))]
            await tx.put_verdicts(news)
            await self._tell(tx, news, before)
            if progress is not None:
                await tx.set_profile_watch(progress.text())
        self._work.judged(len(versions))
        took = time.perf_counter() - began
        await asyncio.sleep(took * (1 / self._share - 1))

    async def _tell(
        self,
        tx: WriteTx,
        news: Iterable[ProfileVerdict],
        before: Mapping[tuple[str, str], ProfileVerdict],
    ) -> None:
        """Append a change for each verdict of a live version that is another one than before."""
        if not before:
            return
        changed = [v for v in news if (v.schema_id, v.profile) in before]
        changed = [v for v in changed if before[v.schema_id, v.profile].fit is not v.fit]
        if not changed:
            return
        live = await tx.versions_by_id({v.schema_id for v in changed})
        for verdict in changed:
            version = live.get(verdict.schema_id)
            if version is not None and version.live:
                old = before[verdict.schema_id, verdict.profile]
                await tx.append_change(_change(version, verdict, old, self._clock()))
                self._work.verdict_changed(verdict.fit.name)

    async def _verdicts(self, versions: Sequence[SchemaVersion], profiles: Known) -> Sequence[ProfileVerdict]:
        try:
            schemas = await self._library.known_all(versions)
            found = await self._library.run(_task(schemas, profiles))
        except (SchemaNotFound, StorageDamaged):
            pass  # one of them: each is asked for by itself
        else:
            if len(found.schemas) == len(versions):
                of_each = zip(versions, found.schemas, strict=True)
                return [_verdict(v, one) for v, judged in of_each for one in judged.profiles]
        verdicts: list[ProfileVerdict] = []
        for version in versions:
            verdicts += await self._alone(version, profiles)
        return verdicts

    async def _alone(self, version: SchemaVersion, profiles: Known) -> Sequence[ProfileVerdict]:
        """The verdicts about one version; UNKNOWN ones, which say why, when it cannot be checked, however often it is tried."""
        try:
            schema = await self._library.known(version)
            found = await self._library.run(_task([schema], profiles, alone=True))
        except SchemaNotFound:
            return ()  # it was removed meanwhile
        except (StorageDamaged, LimitExceeded, InternalError) as error:
            if isinstance(error, LimitExceeded) and error.metadata.get("setting") not in _OF_THE_SCHEMA:
                raise  # of the moment
            return [_unchecked(version, name, one, error) for name, one in profiles.items()]
        return [_verdict(version, one) for one in found.schemas[0].profiles]

    async def _save(self, progress: Progress) -> None:
        async with self._store.write() as tx:
            await self._confirm(tx)
            await tx.set_profile_watch(progress.text())


_SETTLING_SECONDS = 0.05


async def _alone(tx: WriteTx) -> None:
    """For a watch without a lease."""


def _together(profiles: Known) -> int:
    """How many versions are judged together by these profiles."""
    return max(1, min(BATCH, _VERDICTS // max(1, len(profiles))))


def _task(schemas: Sequence[KnownSchema], profiles: Known, *, alone: bool = False) -> JudgeSchemas:
    given = tuple(one.given for one in profiles.values())
    return JudgeSchemas(tuple(schema.source for schema in schemas), given, alone)


def _is_news(verdict: ProfileVerdict, before: ProfileVerdict | None) -> bool:
    """Whether it is to be stored: a server of an older release does not undo what a newer one has found."""
    return before is None or (before.profile_version <= verdict.profile_version and before != verdict)


_FITS = {fit: ProfileFit[fit.name] for fit in Fit}


def _verdict(version: SchemaVersion, found: Found) -> ProfileVerdict:
    texts = found.pointer, found.keyword, found.rule, found.message
    if sum(map(len, texts)) > _SHOWN:  # seldom: this is done for each profile
        texts = (
            clip(texts[0], _SHOWN),
            clip(texts[1], _SHOWN),
            clip(texts[2], _SHOWN),
            clip(texts[3], _SHOWN),
        )
    fit = _FITS[found.fit]
    return ProfileVerdict(
        version.schema_id, found.profile, found.profile_version, fit, *texts, findings=found.findings
    )


def _unchecked(
    version: SchemaVersion, name: str, profile: KnownProfile, error: RegistryError
) -> ProfileVerdict:
    return ProfileVerdict(
        version.schema_id,
        name,
        profile.profile.version,
        ProfileFit.UNKNOWN,
        rule="check/failed",
        message=clip(error.message, _SHOWN),
    )


def _change(version: SchemaVersion, verdict: ProfileVerdict, before: ProfileVerdict, at: datetime) -> Change:
    facts = {
        "profile": verdict.profile,
        "profile_version": str(verdict.profile_version),
        "from": before.fit.name,
        "to": verdict.fit.name,
        "pointer": verdict.pointer,
        "rule": verdict.rule,
        "message": verdict.message,
    }
    return Change(
        event_type=EventType.PROFILE_VERDICT_CHANGED,
        subject=version.subject,
        schema_id=version.schema_id,
        version=str(version.version),
        ordinal=version.ordinal,
        at=at,
        actor=ACTOR,
        metadata={name: text for name, text in facts.items() if text},
    )
