"""The dialect watch: all verdicts come up to date, changed ones are told, nothing else is; whatever stops it, it goes on there."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from llm_schema_engines.formats.catalogue import EngineLimits, engines
from llm_schema_engines.providers.reading import shipped
from llm_schema_registry_server.errors import LimitExceeded
from llm_schema_registry_server.model.change import Change, EventType
from llm_schema_registry_server.model.profile import ProfileFit
from llm_schema_registry_server.registry.dialect_watch import BATCH, DialectWatch
from llm_schema_registry_server.registry.library import Library
from llm_schema_registry_server.registry.observing import Observing
from llm_schema_registry_server.registry.profiles import Profiles
from llm_schema_registry_server.registry.verdicts import Progress
from llm_schema_registry_server.storage.leases import LeaseLost
from llm_schema_registry_server.storage.store import WriteTx
from llm_schema_registry_server.telemetry.work import Work
from llm_schema_registry_server.workers.inline import InlineWorkers
from llm_schema_registry_server.workers.provider_tasks import Judged, JudgeSchemas
from tests.support.profiles import ENFORCED, REJECTED, profile
from tests.support.registry import ADMIN, World, world

SHORT = json.dumps({"type": "string", "minLength": 3})
PLAIN = json.dumps({"type": "string"})


class Watched:
    """A registry with real engines, and its watch."""

    def __init__(self, made: World) -> None:
        self.world, self.store = made, made.store
        known = engines(EngineLimits())
        self.workers = InlineWorkers(known)
        self.library = Library(made.store, known, self.workers, cache_bytes=1 << 22, most_references=10)
        made.register_._library = made.register_._assessor._library = self.library
        made.register_._engines = known
        self.profiles = Profiles(made.store, made.clock)
        self.watch = self.another()

    def another(self) -> DialectWatch:
        self.work = Work()
        return DialectWatch(self.store, self.library, self.profiles, self.world.clock, work=self.work)

    async def register(self, subject: str, text: str) -> str:
        return (await self.world.register(subject, text)).version.schema_id

    async def put(self, version: int, **keywords: Any) -> None:
        await self.profiles.put("own", profile("own", version, **keywords), ADMIN)

    async def fits(self, name: str = "own") -> Mapping[str, ProfileFit]:
        """The fit of each version, by its id, live or not."""
        async with self.store.read() as tx:
            versions = [v.schema_id for s in await self.subjects() for v in await self.world.versions(s)]
            return {v.schema_id: v.fit for v in await tx.verdicts_of(versions) if v.profile == name}

    async def subjects(self) -> list[str]:
        async with self.store.read() as tx:
            from llm_schema_registry_server.storage.values import Page

            return [str(s) for s in await tx.subjects(include_deleted=True, page=Page(1000))]

    async def told(self) -> list[Change]:
        return [c for c in await self.world.changes() if c.event_type is EventType.PROFILE_VERDICT_CHANGED]

    async def progress(self) -> Progress:
        async with self.store.read() as tx:
            return Progress.read(await tx.profile_watch())


@pytest.fixture
async def watched() -> AsyncIterator[Watched]:
    async with world() as made:
        yield Watched(made)


async def test_every_version_gets_a_verdict_of_every_profile(watched: Watched) -> None:
    await watched.put(1, minLength=REJECTED)
    before = await watched.register("before", SHORT)
    await watched.watch.run()
    after = await watched.register("after", PLAIN)
    await watched.watch.run()

    assert await watched.fits() == {before: ProfileFit.REFUSED, after: ProfileFit.FITS}
    for name in shipped():
        assert set(await watched.fits(name)) == {before, after}, name
    assert await watched.told() == [], "a first verdict is no change"


async def test_how_far_it_is_can_be_read_by_every_server(watched: Watched) -> None:
    observing = Observing(watched.store, watched.profiles, watched.world.clock)

    async def seen() -> tuple[int, int]:
        await observing.read()
        assert observing.newest is not None
        return observing.newest.behind, observing.newest.pending

    await watched.register("orders", SHORT)
    assert await seen() == (1, len(shipped()))
    await watched.watch.run()
    assert await seen() == (0, 0)
    await watched.put(1, minLength=REJECTED)
    await watched.register("bills", SHORT)
    assert await seen() == (2, 1)
    await watched.watch.run()
    assert await seen() == (0, 0)


async def test_exactly_what_is_affected_by_a_new_version_of_a_profile_is_told(watched: Watched) -> None:
    await watched.put(1)
    short = [await watched.register(f"short.{n:03}", SHORT) for n in range(2 * BATCH + 3)]
    plain = [await watched.register(f"plain.{n:03}", PLAIN) for n in range(BATCH)]
    await watched.watch.run()
    await watched.put(2, minLength=REJECTED)
    await watched.watch.run()

    told = await watched.told()
    assert sorted(c.schema_id for c in told) == sorted(short)
    assert told[0].metadata == {
        "profile": "own",
        "profile_version": "2",
        "from": "FITS",
        "to": "REFUSED",
        "pointer": "/minLength",
        "rule": "keyword/minLength",
        "message": "`minLength` makes Our gateway refuse the whole request (tried on a Monday)",
    }
    assert str(told[0].subject).startswith("short.")
    fits = await watched.fits()
    assert {fits[i] for i in short} == {ProfileFit.REFUSED}
    assert {fits[i] for i in plain} == {ProfileFit.FITS}
    assert watched.work.judged_versions.total() == 2 * (len(short) + len(plain))
    assert dict(watched.work.changed_verdicts.items()) == {("REFUSED",): len(short)}

    await watched.watch.run()
    await watched.put(3, minLength=REJECTED | {"note": "tried again"})
    await watched.watch.run()
    assert len(await watched.told()) == len(short), "the same verdict for another reason is no news"


async def test_a_newer_profile_of_the_server_is_applied_when_it_starts(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema_id = await watched.register("s", SHORT)
    await watched.watch.run()
    newer = profile("cohere", 99, minLength=ENFORCED)
    from llm_schema_engines.providers.reading import read_profile
    from llm_schema_registry_server.registry import profiles
    from llm_schema_registry_server.workers import provider_tasks

    with_newer = {**shipped(), "cohere": read_profile(newer.encode())}
    for module in (profiles, provider_tasks):
        monkeypatch.setattr(module, "shipped", lambda: with_newer)
    watched.profiles = Profiles(watched.store, watched.world.clock)
    await watched.another().run()

    (change,) = await watched.told()
    assert (change.schema_id, change.metadata["profile"]) == (schema_id, "cohere")
    assert (change.metadata["profile_version"], change.metadata["to"]) == ("99", "FITS")


async def test_a_server_of_an_older_release_does_not_undo_what_a_newer_one_has_found(
    watched: Watched,
) -> None:
    await watched.register("s", SHORT)
    await watched.put(5, minLength=REJECTED)
    await watched.watch.run()
    progress = await watched.progress()
    async with watched.store.write() as tx:
        await tx.set_profile_watch(Progress(progress.sequence, {}, {}, None).text())
        await tx.remove_profile("own")
    await watched.put(4)
    await watched.watch.run()

    assert list((await watched.fits()).values()) == [ProfileFit.REFUSED]
    assert await watched.told() == []


class Stopped(Exception):
    """The server dies here."""


@pytest.mark.parametrize("after", range(1, 8))
async def test_another_server_goes_on_where_one_has_stopped(watched: Watched, after: int) -> None:
    """Whatever write was the last one: nothing is told twice, nothing is left out."""
    await watched.put(1)
    short = [await watched.register(f"short.{n:03}", SHORT) for n in range(3 * BATCH)]
    await watched.watch.run()
    await watched.put(2, minLength=REJECTED)
    late = await watched.register("late", SHORT)
    writes = 0

    async def confirm(tx: WriteTx) -> None:
        nonlocal writes
        writes += 1
        if writes > after:
            raise Stopped

    dying = watched.another()
    dying.confirmed_by(confirm)
    with contextlib.suppress(Stopped):
        await dying.run()
    await watched.another().run()

    assert sorted(c.schema_id for c in await watched.told()) == sorted(short)
    assert (await watched.fits())[late] is ProfileFit.REFUSED


async def test_nothing_is_written_without_the_lease(watched: Watched) -> None:
    await watched.register("s", SHORT)
    async with watched.store.write() as tx:
        lease = await tx.acquire_lease("profiles", "another", 30)
    assert lease is not None

    async def lost(tx: WriteTx) -> None:
        raise LeaseLost(lease)

    watched.watch.confirmed_by(lost)
    with pytest.raises(LeaseLost):
        await watched.watch.run()
    assert await watched.fits("cohere") == {}
    async with watched.store.read() as tx:
        assert await tx.profile_watch() is None


async def test_verdicts_of_a_profile_that_is_gone_go(watched: Watched) -> None:
    await watched.put(1)
    schema_id = await watched.register("s", SHORT)
    await watched.watch.run()
    await watched.profiles.delete("own", ADMIN)
    await watched.watch.run()

    assert await watched.fits() == {}
    assert set(await watched.fits("cohere")) == {schema_id}
    await watched.put(1, minLength=REJECTED)
    await watched.watch.run()
    assert await watched.fits() == {schema_id: ProfileFit.REFUSED}, "a lower version than before may be put"


async def test_what_is_deleted_is_not_told_of_until_it_comes_back(watched: Watched) -> None:
    await watched.put(1)
    schema_id = await watched.register("s", SHORT)
    await watched.register("t", PLAIN)
    await watched.watch.run()
    await watched.world.deletion.delete(schema_id, by=ADMIN)
    await watched.put(2, minLength=REJECTED)
    await watched.watch.run()
    assert await watched.told() == []

    await watched.world.deletion.undelete(schema_id, ADMIN)
    await watched.watch.run()
    assert [c.schema_id for c in await watched.told()] == [schema_id]


async def test_changes_that_were_forgotten_cost_a_pass_and_leave_nothing_out(watched: Watched) -> None:
    await watched.put(1)
    await watched.watch.run()
    missed = await watched.register("missed", SHORT)
    for n in range(3):
        await watched.register(f"more.{n}", PLAIN)
    async with watched.store.write() as tx:
        newest = (await tx.change_bounds())[1]
        assert await tx.compact_changes(newest - 1)
    await watched.watch.run()

    assert missed in await watched.fits()
    assert len(await watched.fits()) == 4


async def test_a_schema_that_cannot_be_checked_has_a_verdict_that_says_so(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = await watched.register("bad", SHORT)
    good = await watched.register("good", PLAIN)
    run = JudgeSchemas.run

    def fails(self: JudgeSchemas, known: Any) -> Judged:
        if any(b"minLength" in source.content for source in self.sources):
            if not self.alone:
                return Judged(())
            raise LimitExceeded("takes longer than 2 s", setting="workers.parse_seconds")
        return run(self, known)

    monkeypatch.setattr(JudgeSchemas, "run", fails)
    await watched.watch.run()

    assert await watched.fits("cohere") | {good: None} == {bad: ProfileFit.UNKNOWN, good: None}
    async with watched.store.read() as tx:
        (verdict,) = [v for v in await tx.verdicts_of([bad]) if v.profile == "cohere"]
    assert (verdict.rule, verdict.message) == ("check/failed", "takes longer than 2 s")


async def test_workers_that_are_busy_are_no_verdict(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    await watched.register("s", SHORT)
    run = JudgeSchemas.run

    def busy(self: JudgeSchemas, known: Any) -> Judged:
        raise LimitExceeded("too many tasks wait", setting="workers.queue")

    monkeypatch.setattr(JudgeSchemas, "run", busy)
    with pytest.raises(LimitExceeded):
        await watched.watch.run()
    assert await watched.fits("cohere") == {}
    monkeypatch.setattr(JudgeSchemas, "run", run)
    await watched.watch.run()
    assert len(await watched.fits("cohere")) == 1
