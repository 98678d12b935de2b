"""Whatever the length of a history, all of it is looked at where that can change the verdict, and a bounded part of it is held and told."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from llm_schema_engines.model.compatibility import CompatibilityLevel, Verdict
from llm_schema_registry_server.errors import IncompatibleSchema
from llm_schema_registry_server.model.config import Config, UndecidedPolicy
from llm_schema_registry_server.model.subject import Subject
from llm_schema_registry_server.registry.checking import CompatibilityQuestion
from llm_schema_registry_server.registry.configuration import Scope
from llm_schema_registry_server.registry.histories import MOST_REFUSING, MOST_VIOLATIONS
from llm_schema_registry_server.registry.library import LOADED
from tests.support.registry import ADMIN, World, world

L = CompatibilityLevel
MANY = 2 * LOADED + 7
LENGTHS = (MANY, pytest.param(10_000, marks=pytest.mark.deep))


async def history(registry: World, texts: Sequence[str]) -> None:
    for text in texts:
        await registry.register("s", text, level=L.NONE)


async def refusal(registry: World, text: str, level: L = L.BACKWARD_TRANSITIVE) -> IncompatibleSchema:
    with pytest.raises(IncompatibleSchema) as refused:
        await registry.register("s", text, level=level)
    return refused.value


@pytest.mark.parametrize("length", LENGTHS)
async def test_a_break_against_the_oldest_version_only_is_found(length: int) -> None:
    async with world() as registry:
        await history(registry, ["a old", *(f"a w{n % 9}\n# {n}" for n in range(length - 1))])
        words = "a w0 w1 w2 w3 w4 w5 w6 w7 w8"

        report = (await refusal(registry, words)).report

        assert [v.compared_version for v in report.violations] == ["1.0.0"]
        assert len(report.compared_versions) == length
        await registry.register("s", f"{words} old", level=L.BACKWARD_TRANSITIVE)


@pytest.mark.parametrize("level", [L.BACKWARD_TRANSITIVE, L.FULL_TRANSITIVE])
async def test_what_many_versions_refuse_is_not_compared_with_the_thousands_before(level: L) -> None:
    async with world() as registry:
        await history(registry, [f"a w{n}" for n in range(MANY)])
        registry.engine.compared = 0

        report = (await refusal(registry, "b", level)).report

        newest = [str(v.version) for v in reversed(await registry.versions("s"))]
        assert list(report.compared_versions) == newest[:MOST_REFUSING]
        assert f"{MANY - MOST_REFUSING} older versions were not compared" in report.message
        assert {v.compared_version for v in report.violations} == set(newest[:MOST_REFUSING])


async def test_where_undecided_is_allowed_a_refusal_is_found_behind_any_number_of_doubts() -> None:
    length = MOST_VIOLATIONS + 20
    async with world() as registry:
        await history(registry, ["old", *(f"a w{n}?" for n in range(length - 1))])
        scope = Scope(Subject.parse("s"))
        await registry.configuration.set(scope, Config(undecided=UndecidedPolicy.ALLOW), ADMIN)

        report = (await refusal(registry, "a")).report

        assert report.verdict is Verdict.NO
        assert len(report.compared_versions) == length
        assert len(report.violations) == MOST_VIOLATIONS + 1, "doubts are told up to a bound"
        assert report.violations[-1].compared_version == "1.0.0"


async def test_versions_that_mean_the_same_are_loaded_once_when_that_proves_all() -> None:
    async with world() as registry:
        await history(registry, [f"a\n# {n}" for n in range(MANY)])
        registry.engine.compared = 0
        question = CompatibilityQuestion(
            subject=Subject.parse("s"), content=b"a b", level=L.BACKWARD_TRANSITIVE
        )

        report = (await registry.checking(question)).report

        assert report.compatible
        assert len(report.compared_versions) == MANY
        assert registry.engine.compared == 1


async def test_a_long_history_crowds_nothing_out() -> None:
    async with world() as registry:
        await registry.register("other", "z" * 900)
        await history(registry, [f"a w{n % 9} \n# {'filler ' * 120}\n# {n}" for n in range(MANY)])
        await registry.library.known((await registry.versions("other"))[0])
        before = registry.library.stats()["closures"].evictions

        await registry.register("s", "a w0 w1 w2 w3 w4 w5 w6 w7 w8", level=L.BACKWARD_TRANSITIVE)

        after = registry.library.stats()["closures"]
        assert after.evictions - before <= 1, "the newest version at most"
