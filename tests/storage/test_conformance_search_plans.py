"""Every back end: whichever way a search takes (by words, by labels, by a walk, counted by indexes alone), it finds the same."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import pytest

from llm_schema_engines.model.schema import SchemaType
from llm_schema_registry_server.model.lifecycle import SchemaState
from llm_schema_registry_server.model.schema import SchemaVersion
from llm_schema_registry_server.model.scope import EVERYTHING, Scope, SubjectScope
from llm_schema_registry_server.model.selection import selectable
from llm_schema_registry_server.storage import ranking, search
from llm_schema_registry_server.storage.postgres import lists as postgres_lists
from llm_schema_registry_server.storage.sqlite import lists
from llm_schema_registry_server.storage.sqlite import reading as sqlite_reading
from llm_schema_registry_server.storage.store import Store
from llm_schema_registry_server.storage.values import Page, RankedPage, SchemaFilter
from tests.support.storage import START, insert, version

WORDS = ("order", "orders", "ordinal", "invoice", "in", "total")
TAGS = tuple(f"t{n}" for n in range(12))
SUBJECTS = tuple(
    f"{team}.{word}{n}" for team in ("a", "b", ":.ctx:c") for word in WORDS[:3] for n in range(3)
)
STATES = (SchemaState.ACTIVE, SchemaState.ACTIVE, SchemaState.DEPRECATED, SchemaState.DRAFT)
MINE = SubjectScope([Scope.parse("a.*"), Scope.parse(":.ctx:*")])
Known = Sequence[tuple[SchemaVersion, tuple[str, ...]]]


def some_versions(chance: random.Random) -> Iterator[tuple[SchemaVersion, tuple[str, ...]]]:
    for subject in SUBJECTS:
        for ordinal in range(1, chance.randint(2, 5)):
            made = version(
                subject,
                ordinal,
                description=" ".join(chance.choices(WORDS, k=2)),
                tags=tuple(sorted(chance.sample(TAGS, chance.choice((0, 2, 11))))),
                metadata={"tier": chance.choice("12")},
                state=chance.choice(STATES),
                schema_type=chance.choice((SchemaType.JSON, SchemaType.AVRO)),
                deleted_at=START if chance.random() < 0.2 else None,
            )
            yield made, tuple(chance.sample(WORDS, chance.randint(0, 2)))


def some_filters(chance: random.Random) -> Iterator[SchemaFilter]:
    for _ in range(60):
        yield SchemaFilter(
            text=" ".join(chance.choices((*WORDS, "ord", "i", "nothing"), k=chance.choice((1, 1, 1, 2)))),
            subject_pattern=chance.choice(("", "", "", "*order*", "a.*")),
            schema_type=chance.choice((None, None, SchemaType.AVRO)),
            state=chance.choice((None, None, SchemaState.ACTIVE)),
            tags=tuple(chance.sample(TAGS, chance.choice((0, 0, 1, 2, 10)))),
            metadata=chance.choice(({}, {}, {"tier": "1"})),
            include_deleted=chance.random() < 0.2,
            latest_only=chance.random() < 0.3,
            scope=chance.choice((EVERYTHING, EVERYTHING, MINE)),
        )
    yield from (SchemaFilter(text=word) for word in WORDS)
    yield from (SchemaFilter(text=word, tags=("t1",)) for word in WORDS)


def passing(known: Known, wanted: SchemaFilter) -> Known:
    """By subject and ordinal."""
    newest: dict[str, int] = {}
    for each, _ in known:
        if selectable(each):
            newest[str(each.subject)] = max(each.ordinal, newest.get(str(each.subject), 0))
    return sorted(
        (
            (each, names)
            for each, names in known
            if search.matches(each, sorted(search.about_words(each) | search.name_words(names)), wanted)
            and (not wanted.latest_only or (selectable(each) and newest[str(each.subject)] == each.ordinal))
        ),
        key=lambda pair: (str(pair[0].subject), pair[0].ordinal),
    )


@pytest.mark.parametrize(
    ("most_hits", "ranked_at_once", "most_listed"),
    [(1000, 3, 1000), (0, 3, 1000), (0, 0, 0), (3, 3, 1000), (3, 1, 0), (8, 1, 4)],
)
async def test_every_way_to_search_finds_the_same(
    store: Store, monkeypatch: pytest.MonkeyPatch, most_hits: int, ranked_at_once: int, most_listed: int
) -> None:
    monkeypatch.setattr(ranking, "MOST_HITS", most_hits)
    monkeypatch.setattr(sqlite_reading, "_RANKED_AT_ONCE", ranked_at_once)
    for module in (lists, postgres_lists):
        monkeypatch.setattr(module, "MOST_LISTED", most_listed)
    chance = random.Random(most_hits + most_listed)
    known = list(some_versions(chance))
    for each, names in known:
        await insert(store, each, names=names)

    for wanted in some_filters(chance):
        expected = passing(known, wanted)
        keys = [(str(each.subject), each.ordinal) for each, _ in expected]
        async with store.read() as tx:
            ranked = await tx.ranked_versions(wanted, RankedPage(1000))
            page = await tx.scan_versions(wanted, Page(4))
            rest = await tx.scan_versions(wanted, Page(1000, after=keys[3])) if len(keys) > 3 else ()
            assert await tx.count_versions(wanted) == len(expected), wanted
        async with store.read() as tx:
            assert await tx.count_versions(wanted) == len(expected), wanted
            skipped = await tx.scan_versions(wanted, Page(1000, offset=2))
        assert [(str(v.subject), v.ordinal) for v in (*page, *rest)] == keys, wanted
        assert [(str(v.subject), v.ordinal) for v in skipped] == keys[2:], wanted
        if len(expected) > most_hits:
            assert ranked is None, wanted
            continue
        assert ranked is not None, wanted
        assert ranked.total == len(expected), wanted
        scored = [(ranking.score(wanted.text, ranking.found(each, names)), each) for each, names in expected]
        scored.sort(key=lambda hit: (-hit[0], str(hit[1].subject), -hit[1].ordinal))
        assert [(hit.score, hit.version.schema_id) for hit in ranked.hits] == [
            (score, each.schema_id) for score, each in scored
        ], wanted
