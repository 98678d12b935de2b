"""ListProfileVerdicts: pages, narrowed by what may be read, and whether all is judged; what is remembered is read whatever it holds."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from llm_schema_registry_server.errors import InvalidRequest, PageTokenInvalid, ProfileNotFound
from llm_schema_registry_server.model.profile import ProfileFit, ProfileVerdict
from llm_schema_registry_server.model.scope import EVERYTHING, Scope, SubjectScope
from llm_schema_registry_server.registry import verdicts
from llm_schema_registry_server.registry.limits import RequestLimits
from llm_schema_registry_server.registry.verdicts import Progress, Verdicts
from tests.support.profiles import profile
from tests.support.registry import ADMIN, World, world

LIMITS = RequestLimits(1000, 1000, 10, 10, 1000, page=50)
MINE = SubjectScope([Scope.parse("mine.*")])


@pytest.fixture
async def registry() -> AsyncIterator[World]:
    async with world() as made:
        await made.profiles.put("own", profile("own", 2), ADMIN)
        yield made


async def judge(registry: World, *subjects: str) -> list[str]:
    """The ids of new versions that the profile refuses."""
    ids = [(await registry.register(subject, "a")).version.schema_id for subject in subjects]
    async with registry.store.write() as tx:
        await tx.put_verdicts([ProfileVerdict(i, "own", 2, ProfileFit.REFUSED) for i in ids])
    return ids


async def pages(registry: World, limit: int | None, readable: SubjectScope = EVERYTHING) -> list[list[str]]:
    """The ids on each page."""
    ask = Verdicts(registry.store, registry.profiles, LIMITS)
    found, token = [], ""
    while True:
        page = await ask("own", ProfileFit.REFUSED, limit=limit, page_token=token, readable=readable)
        found.append([judged.version.schema_id for judged in page.verdicts])
        token = page.next_token
        if not token:
            return found


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 7, 8, 50, None])
async def test_pages_have_everything_once_in_order(registry: World, limit: int | None) -> None:
    ids = await judge(registry, *(f"s{n}" for n in range(7)))
    found = await pages(registry, limit)

    assert [i for page in found for i in page] == ids
    assert all(len(page) == min(limit or 50, 7) for page in found[:-1])
    assert found[-1], "no empty page comes last"


@pytest.mark.parametrize("limit", [1, 2, 3, None])
@pytest.mark.parametrize("scanned", [1, 2, 3, 1000])
async def test_pages_tell_only_of_what_may_be_read(
    registry: World, monkeypatch: pytest.MonkeyPatch, limit: int | None, scanned: int
) -> None:
    monkeypatch.setattr(verdicts, "SCANNED", scanned)
    ids = await judge(registry, "mine.a", "x", "y", "z", "mine.b", "w", "mine.c", "v")
    found = await pages(registry, limit, MINE)

    assert [i for page in found for i in page] == [ids[0], ids[4], ids[6]]
    assert not any(await pages(registry, limit, SubjectScope()))


async def test_it_is_complete_when_all_is_judged_by_the_profile_as_it_is(registry: World) -> None:
    await judge(registry, "s")
    ask = Verdicts(registry.store, registry.profiles, LIMITS)

    async def complete() -> bool:
        page = await ask("own", ProfileFit.REFUSED, limit=1, page_token="", readable=EVERYTHING)
        return page.complete

    async with registry.store.read() as tx:
        newest = (await tx.change_bounds())[1]
    for progress, expected in (
        (Progress(newest, {"own": 2}), True),
        (Progress(newest, {"own": 3}), True),
        (Progress(newest, {"own": 1}), False),
        (Progress(newest, {"other": 2}), False),
        (Progress(newest - 1, {"own": 2}), False),
    ):
        async with registry.store.write() as tx:
            await tx.set_profile_watch(progress.text())
        assert await complete() is expected, progress


async def test_what_is_no_profile_and_no_token_is_refused(registry: World) -> None:
    ask = Verdicts(registry.store, registry.profiles, LIMITS)
    for name, token, error in (
        ("", "", InvalidRequest),
        ("nobody", "", ProfileNotFound),
        ("own", "x", PageTokenInvalid),
    ):
        with pytest.raises(error):
            await ask(name, ProfileFit.REFUSED, limit=1, page_token=token, readable=EVERYTHING)


@pytest.mark.parametrize(
    "text", [None, "", "[]", "7", "{", '{"judged": []}', '{"after": 7}', '{"sequence": "x"}', '{"after": []}']
)
def test_progress_that_cannot_be_read_is_none(text: str | None) -> None:
    assert Progress.read(text) == Progress()


def test_progress_is_read_as_it_was_written() -> None:
    made = Progress(7, {"a": 1}, {"b": 2}, ("subject", 3))

    assert Progress.read(made.text()) == made
