"""Selectors, lists, pages, search, the graph of references, and the settings in force."""

import pytest

from llm_schema_engines.model.compatibility import CompatibilityLevel, Verdict
from llm_schema_engines.model.schema import SchemaType
from llm_schema_registry_server.errors import (
    ConfigNotFound,
    InvalidRequest,
    PageTokenInvalid,
    SchemaNotFound,
    SubjectNotFound,
    VersionNotFound,
)
from llm_schema_registry_server.model import scope
from llm_schema_registry_server.model.config import Config, Mode
from llm_schema_registry_server.model.lifecycle import SchemaState
from llm_schema_registry_server.model.selector import parse_selector
from llm_schema_registry_server.model.subject import Subject
from llm_schema_registry_server.registry import graph
from llm_schema_registry_server.registry.checking import CompatibilityQuestion
from llm_schema_registry_server.registry.configuration import Scope
from llm_schema_registry_server.registry.lifecycle import Update
from llm_schema_registry_server.registry.validating import Payload
from llm_schema_registry_server.storage import ranking
from llm_schema_registry_server.storage.memory.reading import MemoryReadTx
from llm_schema_registry_server.storage.values import SchemaFilter
from tests.support.registry import ADMIN, World

SUBJECT = Subject.parse("s")


async def three(registry: World) -> None:
    await registry.register("s", "a")
    await registry.register("s", "a b")
    await registry.register("s", "a b c")


@pytest.mark.parametrize(
    ("selector", "version"),
    [
        ("latest", "1.2.0"),
        ("2", "1.1.0"),
        ("v1", "1.0.0"),
        ("1.1.0", "1.1.0"),
        ("^1.0", "1.2.0"),
        ("~1.1", "1.1.0"),
        ("1.x", "1.2.0"),
        ("*", "1.2.0"),
    ],
)
async def test_a_selector_chooses_one_version(registry: World, selector: str, version: str) -> None:
    await three(registry)

    found = await registry.reading.by_version(SUBJECT, parse_selector(selector))

    assert str(found.version.version) == version


async def test_latest_passes_over_what_is_not_active_or_deprecated(registry: World) -> None:
    await registry.register("s", "a")
    await registry.register("s", "a b", activate=False)

    assert str((await registry.reading.latest(SUBJECT)).version.version) == "1.0.0"
    assert (await registry.reading.by_version(SUBJECT, parse_selector("2"))).content == b"a b"


async def test_a_missing_version_says_what_there_is(registry: World) -> None:
    await three(registry)

    with pytest.raises(VersionNotFound, match=r"there are 1\.0\.0"):
        await registry.reading.by_version(SUBJECT, parse_selector("9"))
    with pytest.raises(SubjectNotFound):
        await registry.reading.latest(Subject.parse("nobody"))


@pytest.mark.parametrize("schema_id", ["x", "00000000-0000-7000-8000-000000000000", "S" * 10_000])
async def test_an_unknown_id_is_not_found(registry: World, schema_id: str) -> None:
    with pytest.raises(SchemaNotFound):
        await registry.reading.by_id(schema_id)


async def test_pages_by_token_neither_skip_nor_repeat(registry: World) -> None:
    for i in range(7):
        await registry.register(f"s{i}", "a")
    seen: list[str] = []
    token = ""
    while True:
        page = await registry.reading.subjects("", limit=3, offset=None, page_token=token)
        seen += [str(s) for s in page.subjects]
        assert page.total == 7
        token = page.next_token
        if not token:
            break

    assert seen == [f"s{i}" for i in range(7)]


async def test_versions_are_paged_by_offset_and_token(registry: World) -> None:
    await three(registry)

    page = await registry.reading.versions(SUBJECT, limit=2)
    rest = await registry.reading.versions(SUBJECT, limit=2, page_token=page.next_token)
    skipped = await registry.reading.versions(SUBJECT, limit=1, offset=1)

    assert [str(v.version) for v in page.versions] == ["1.0.0", "1.1.0"]
    assert [str(v.version) for v in rest.versions] == ["1.2.0"]
    assert rest.next_token == ""
    assert [str(v.version) for v in skipped.versions] == ["1.1.0"]


@pytest.mark.parametrize(
    "token", ["x", "W10", "WyJzIiwtMV0", "=", "é", "W" * 1000, "WzEsInMiLDJd", "W3RydWUsInMiLDJd"]
)
async def test_a_foreign_page_token_is_refused(registry: World, token: str) -> None:
    with pytest.raises(PageTokenInvalid):
        await registry.reading.subjects("", limit=None, offset=None, page_token=token)


@pytest.mark.parametrize("field", ["limit", "offset"])
async def test_negative_numbers_are_refused_by_name(registry: World, field: str) -> None:
    arguments = {"limit": None, "offset": None, "page_token": "", field: -1}

    with pytest.raises(InvalidRequest, match=field):
        await registry.reading.subjects("", **arguments)  # type: ignore[arg-type]


async def test_a_scan_goes_over_everything_in_order(registry: World) -> None:
    for i in range(5):
        await registry.register(f"s{i}", "a")
        await registry.register(f"s{i}", "a b")

    found = [f async for f in registry.reading.scan(SchemaFilter(), limit=None, offset=None, page_token="")]
    some = [f async for f in registry.reading.scan(SchemaFilter(), limit=3, offset=4, page_token="")]

    assert [(str(f.version.subject), f.version.ordinal) for f in found] == [
        (f"s{i}", n) for i in range(5) for n in (1, 2)
    ]
    assert some == found[4:7]


async def test_search_finds_words_of_subject_description_tags_metadata_and_names(registry: World) -> None:
    await registry.register("billing.invoice", "amount", description="What we charge", tags=["money"])
    await registry.register("chat.prompt", "role", metadata={"team": "assistants"})

    async def hits(text: str) -> list[str]:
        page = await registry.reading.search(SchemaFilter(text=text), limit=None, offset=None, page_token="")
        return [str(f.version.subject) for f in page.items]

    for text in ("invoice", "charge", "money", "amount", "AMO", "charge amount"):
        assert await hits(text) == ["billing.invoice"]
    assert await hits("assistants") == ["chat.prompt"]
    assert await hits("charge role") == []


async def test_what_is_too_much_to_rank_comes_by_name_on_all_pages(
    registry: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await registry.register("a", "a", description="orders")
    for name in ("b.orders", "c.orders"):
        await registry.register(name, "a")

    async def page(token: str = "") -> tuple[list[str], str]:
        wanted = SchemaFilter(text="orders")
        found = await registry.reading.search(wanted, limit=2, offset=None, page_token=token)
        assert found.total == 3
        return [str(f.version.subject) for f in found.items], found.next_token

    names, ranked = await page()
    assert names == ["b.orders", "c.orders"]
    monkeypatch.setattr(ranking, "MOST_HITS", 2)
    names, by_name = await page()
    assert names == ["a", "b.orders"]
    assert await page(by_name) == (["c.orders"], "")
    with pytest.raises(PageTokenInvalid, match="begin anew"):
        await page(ranked)


async def test_the_graph_is_walked_with_depth_and_each_version_once(registry: World) -> None:
    a = await registry.register("a", "x")
    b = await registry.register("b", "@a", references=(("a", "a", "1"),))
    c = await registry.register("c", "@a @b", references=(("a", "a", "1"), ("b", "b", "1")))
    d = await registry.register("d", "@c", references=(("c", "c", "1"),))

    down = (await registry.graph.dependencies(d.version.schema_id, transitive=True)).items
    up = (await registry.graph.dependents(a.version.schema_id, transitive=True)).items
    direct = (await registry.graph.dependents(a.version.schema_id, transitive=False)).items

    assert [(str(x.version.subject), x.depth) for x in down] == [("c", 1), ("a", 2), ("b", 2)]
    assert [(str(x.version.subject), x.depth) for x in up] == [("b", 1), ("c", 1), ("d", 2)]
    assert {x.version.schema_id for x in direct} == {b.version.schema_id, c.version.schema_id}


@pytest.mark.parametrize("readable", ["*", "m*"])
@pytest.mark.parametrize("most", [graph.MOST, 5])
async def test_a_walk_is_the_same_whether_users_are_read_one_by_one_or_at_once(
    registry: World, monkeypatch: pytest.MonkeyPatch, readable: str, most: int
) -> None:
    root = await registry.register("root", "x")
    for n in range(12):
        await registry.register(f"m{n}", f"@root w{n}", references=(("root", "root", "1"),))
        await registry.register(f"{'mz'[n % 2]}-top{n}", f"@m{n}", references=((f"m{n}", f"m{n}", "1"),))
        used = f"{'mz'[n % 2]}-top{n}"
        await registry.register(f"m-last{n}", f"@{used}", references=((used, used, "1"),))

    async def walk(limit: int | None = None) -> list[tuple[str, int, str]]:
        found, token = list[tuple[str, int, str]](), ""
        while True:
            page = await registry.graph.dependents(
                root.version.schema_id, transitive=True, limit=limit, page_token=token,
                readable=scope.SubjectScope([scope.Scope.parse(readable)]),
            )  # fmt: skip
            found += [(str(d.version.subject), d.depth, d.name) for d in page.items]
            token = page.next_token
            if not token:
                return found

    monkeypatch.setattr(graph, "ASKED_SINGLY", 1000)
    expected = await walk()
    assert len(expected) == (36 if readable == "*" else 24)
    monkeypatch.setattr(graph, "ASKED_SINGLY", 2)
    monkeypatch.setattr(graph, "MOST_EDGES", most)
    assert await walk() == expected
    assert await walk(limit=5) == expected


async def test_the_narrower_scope_wins_and_says_so(registry: World) -> None:
    subject = Subject.parse(":.staging:s")
    await registry.configuration.set(Scope(), Config(level=CompatibilityLevel.FULL, mode=Mode.IMPORT), ADMIN)
    await registry.configuration.set(Scope(context=".staging"), Config(level=CompatibilityLevel.NONE), ADMIN)

    view = await registry.configuration.get(Scope(subject))

    assert (view.effective.level, view.effective.mode) == (CompatibilityLevel.NONE, Mode.IMPORT)
    sources = dict(view.effective.sources)
    assert (sources["level"], sources["mode"], sources["strictness"]) == (
        "context:.staging",
        "registry",
        "default",
    )
    await registry.configuration.delete(Scope(context=".staging"), ADMIN)
    assert (await registry.configuration.get(Scope(subject))).effective.level is CompatibilityLevel.FULL
    with pytest.raises(ConfigNotFound):
        await registry.configuration.delete(Scope(context=".staging"), ADMIN)


async def test_a_check_answers_and_stores_nothing(registry: World) -> None:
    await registry.register("s", "a b")

    yes = await registry.checking(CompatibilityQuestion(SUBJECT, b"a b c"))
    no = await registry.checking(CompatibilityQuestion(SUBJECT, b"a"))
    other_way = await registry.checking(CompatibilityQuestion(SUBJECT, b"a", CompatibilityLevel.FORWARD))

    assert (yes.report.compatible, str(yes.version)) == (True, "1.1.0")
    assert (no.report.verdict, str(no.version)) == (Verdict.NO, "2.0.0")
    assert other_way.report.compatible
    assert len(await registry.versions("s")) == 1


async def test_a_check_against_one_version(registry: World) -> None:
    await registry.register("s", "a b", level=CompatibilityLevel.NONE)
    await registry.register("s", "c")

    asked = CompatibilityQuestion(SUBJECT, b"c d", CompatibilityLevel.BACKWARD, parse_selector("1"))

    assert (await registry.checking(asked)).report.compared_versions == ("1.0.0",)


async def test_comparisons_are_made_once(registry: World) -> None:
    await registry.register("s", "a b")
    await registry.checking(CompatibilityQuestion(SUBJECT, b"a b c"))
    made = registry.engine.compared

    await registry.checking(CompatibilityQuestion(SUBJECT, b"a b c"))
    await registry.register("s", "a b c")

    assert registry.engine.compared == made


async def test_data_is_judged_by_the_version_asked_for(registry: World) -> None:
    done = await registry.register("s", "a b")

    assert (await registry.validating.data(Payload(done.version.schema_id, b"a"))).report.valid
    report = (await registry.validating.data(Payload(done.version.schema_id, b"z"))).report
    assert (report.valid, report.errors[0].error_type) == (False, "word")
    with pytest.raises(InvalidRequest, match="max_errors"):
        await registry.validating.data(Payload(done.version.schema_id, b"a", max_errors=101))


async def test_a_schema_is_judged_without_being_stored(registry: World) -> None:
    good = await registry.validating.schema(SchemaType.JSON, b"a b", ())
    bad = await registry.validating.schema(SchemaType.JSON, b"a b!", ())

    assert good.valid
    assert (bad.valid, bad.errors[0].rule) == (False, "BAD_WORD")
    assert await registry.changes() == []


async def test_a_deprecated_version_still_reads(registry: World) -> None:
    done = await registry.register("s", "a")
    await registry.lifecycle.update(done.version.schema_id, Update(state=SchemaState.DEPRECATED), ADMIN)

    assert (await registry.reading.latest(SUBJECT)).content == b"a"


async def test_a_page_of_versions_is_read_as_a_page(registry: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await three(registry)
    for neighbour in ("s.t", "s*", "r"):
        await registry.register(neighbour, "a")

    async def refuse(*_: object, **__: object) -> None:
        raise AssertionError("all versions are read for one page")

    monkeypatch.setattr(MemoryReadTx, "versions", refuse)
    first = await registry.reading.versions(SUBJECT, limit=2)
    second = await registry.reading.versions(SUBJECT, limit=2, page_token=first.next_token)
    skipped = await registry.reading.versions(SUBJECT, limit=2, offset=2)
    beyond = await registry.reading.versions(SUBJECT, limit=2, offset=3)

    assert [v.ordinal for v in first.versions] == [1, 2]
    assert [v.ordinal for v in second.versions] == [v.ordinal for v in skipped.versions] == [3]
    assert (first.total, second.next_token, beyond.versions, beyond.total) == (3, "", [], 3)


@pytest.mark.parametrize("level", [CompatibilityLevel.BACKWARD, CompatibilityLevel.BACKWARD_TRANSITIVE])
@pytest.mark.parametrize("compared", ["", "latest", "1", "1.0.0"])
async def test_a_check_looks_at_all_versions_only_where_the_level_asks_about_all(
    registry: World, level: CompatibilityLevel, compared: str
) -> None:
    await three(registry)
    before = registry.library.stats()["subjects"]
    question = CompatibilityQuestion(
        SUBJECT, b"a b c d", level, parse_selector(compared) if compared else None
    )

    assessment = await registry.checking(question)

    assert assessment.report.compatible
    assert str(assessment.version) == "1.3.0"
    after = registry.library.stats()["subjects"]
    asked = (after.hits + after.misses) - (before.hits + before.misses)
    assert bool(asked) is (level is CompatibilityLevel.BACKWARD_TRANSITIVE)


async def test_a_check_of_a_subject_of_drafts_takes_their_type(registry: World) -> None:
    await registry.register("s", "a", as_draft=True, schema_type=SchemaType.AVRO)

    assessment = await registry.checking(CompatibilityQuestion(SUBJECT, b"b"))

    assert assessment.report.compatible
