"""A check against a whole history says what the comparisons with each version say, and asks for each of them once."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Sequence

import pytest
import pytest_asyncio

from llm_schema_engines.compatibility.levels import LEVEL_REQUIREMENTS
from llm_schema_engines.compatibility.report import VersionComparison, merge
from llm_schema_engines.formats.engine import SchemaSource
from llm_schema_engines.model.compatibility import (
    CompareOptions,
    Comparison,
    CompatibilityLevel,
    CompatibilityReport,
    Direction,
    WriterModel,
)
from llm_schema_engines.model.schema import SchemaType
from llm_schema_registry_server.registry.checking import CompatibilityQuestion
from llm_schema_registry_server.registry.comparisons import BATCH_PAIRS, FEW, Comparisons
from llm_schema_registry_server.registry.library import KnownSchema
from llm_schema_registry_server.workers.task import R, Task
from llm_schema_registry_server.workers.tasks import Compare, CompareBatch, Compared
from tests.support.registry import World, world
from tests.support.shelf import Shelf
from tests.support.words import WordEngine
from tests.support.workers import Afar

L = CompatibilityLevel
HISTORY = 90


class Batched(Afar):
    """Runs tasks as processes do and remembers them. most: results that one batch comes to; None: all. broken: a batch gives no
    result."""

    most: int | None = None
    broken = False

    def __init__(self, engine: WordEngine) -> None:
        super().__init__({SchemaType.JSON: engine})
        self.asked: list[Task[object]] = []

    async def run(self, task: Task[R]) -> R:
        self.asked.append(task)
        if isinstance(task, CompareBatch) and self.broken:
            return Compared(())  # type: ignore[return-value]
        done = await super().run(task)
        if isinstance(done, Compared) and self.most is not None:
            kept = [c if n < self.most else None for n, c in enumerate(done.found)]
            return Compared(tuple(kept))  # type: ignore[return-value]
        return done

    def count(self, kind: type[Task[object]]) -> int:
        return sum(isinstance(task, kind) for task in self.asked)


def schema(text: str) -> KnownSchema:
    return KnownSchema(SchemaType.JSON, f"identity of {text}", SchemaSource(text.encode()))


def made(shared: Shelf | None = None) -> tuple[Comparisons, WordEngine, Batched]:
    engine = WordEngine()
    workers = Batched(engine)
    return (
        Comparisons({SchemaType.JSON: engine}, workers, cache_bytes=1 << 20, shared=shared),
        engine,
        workers,
    )


def texts(count: int) -> list[str]:
    """Schemas of words, some of which nothing is known about."""
    chance = random.Random(count)
    return [f"w{n} " + " ".join(chance.sample(["a", "b", "c", "d?", "e"], 2)) for n in range(count)]


async def one_by_one(
    engine: WordEngine, new: KnownSchema, olds: Sequence[KnownSchema], direction: Direction
) -> list[Comparison]:
    pairs = [(new, old) if direction is Direction.BACKWARD else (old, new) for old in olds]
    return [engine.compare(reader.source, writer.source, CompareOptions()) for reader, writer in pairs]


@pytest.mark.slow
@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("count", [0, 1, FEW, FEW + 1, 2 * BATCH_PAIRS + 3])
@pytest.mark.parametrize("most", [None, 1, 7])
async def test_what_is_found_together_is_what_is_found_one_by_one(
    direction: Direction, count: int, most: int | None
) -> None:
    comparisons, engine, workers = made()
    workers.most = most
    new, olds = (
        schema("a b c " + " ".join(f"w{n}" for n in range(0, 200, 2))),
        list(map(schema, texts(count))),
    )

    found = await comparisons.with_all(new, olds, direction, CompareOptions())

    assert found == await one_by_one(engine, new, olds, direction)


async def test_each_pair_is_asked_for_once_and_kept() -> None:
    comparisons, engine, _ = made()
    new, olds = schema("a"), list(map(schema, texts(HISTORY)))

    first = await comparisons.with_all(new, [*olds, *olds, new], Direction.BACKWARD, CompareOptions())
    again = await comparisons.with_all(new, olds, Direction.BACKWARD, CompareOptions())
    alone = await comparisons.of(new, olds[5], CompareOptions())

    assert engine.compared == HISTORY
    assert list(again) == list(first[:HISTORY])
    assert alone == first[5]


async def test_many_make_few_trips() -> None:
    comparisons, _, workers = made()
    await comparisons.with_all(
        schema("a"), list(map(schema, texts(HISTORY))), Direction.BACKWARD, CompareOptions()
    )

    assert workers.count(CompareBatch) == 2
    assert workers.count(Compare) == 0


async def test_of_schemas_that_mean_the_same_one_is_compared_when_that_proves_all() -> None:
    comparisons, engine, _ = made()
    olds = [schema(f"a b\n# {n}") for n in range(HISTORY)]
    meanings = ["one"] * HISTORY

    found = await comparisons.with_all(schema("a b c"), olds, Direction.BACKWARD, CompareOptions(), meanings)
    assert all(found)
    assert engine.compared == 1

    refused = await comparisons.with_all(schema("a"), olds, Direction.BACKWARD, CompareOptions(), meanings)
    assert not any(refused)
    assert engine.compared == 1 + HISTORY  # each is reported in its own words


@pytest.mark.parametrize(
    "options", [CompareOptions(apply_defaults=True), CompareOptions(writer_model=WriterModel.DECLARED_KEYS)]
)
async def test_what_depends_on_more_than_validity_is_compared_each(options: CompareOptions) -> None:
    comparisons, engine, _ = made()
    olds = [schema(f"a b\n# {n}") for n in range(HISTORY)]

    await comparisons.with_all(schema("a b c"), olds, Direction.BACKWARD, options, ["one"] * HISTORY)

    assert engine.compared == HISTORY


async def test_a_batch_without_result_is_asked_for_one_by_one() -> None:
    comparisons, engine, workers = made()
    workers.broken = True
    new, olds = schema("a b"), list(map(schema, texts(HISTORY)))

    found = await comparisons.with_all(new, olds, Direction.BACKWARD, CompareOptions())

    assert workers.count(Compare) == HISTORY
    assert found == await one_by_one(engine, new, olds, Direction.BACKWARD)


async def test_what_another_instance_proved_is_not_proved_again() -> None:
    shelf = Shelf()
    (first, one, _), (second, two, _) = made(shelf), made(shelf)
    new, olds = schema("a"), list(map(schema, texts(HISTORY)))

    expected = await first.with_all(new, olds, Direction.BACKWARD, CompareOptions())

    assert await second.with_all(new, olds, Direction.BACKWARD, CompareOptions()) == expected
    assert (one.compared, two.compared) == (HISTORY, 0)


async def test_an_error_of_one_batch_ends_all() -> None:
    comparisons, engine, workers = made()

    async def fail(task: Task[R]) -> R:
        raise RuntimeError("no")

    workers.run = fail  # type: ignore[method-assign]
    with pytest.raises(RuntimeError):
        await comparisons.with_all(
            schema("a"), list(map(schema, texts(HISTORY))), Direction.BACKWARD, CompareOptions()
        )
    assert engine.compared == 0


@pytest_asyncio.fixture
async def history() -> AsyncIterator[World]:
    async with world() as registry:
        for text in texts(HISTORY):
            await registry.register("s", text, level=L.NONE)
        yield registry


@pytest.mark.parametrize("level", [L.BACKWARD_TRANSITIVE, L.FORWARD_TRANSITIVE, L.FULL_TRANSITIVE])
async def test_the_report_is_that_of_all_versions_newest_first(history: World, level: L) -> None:
    text = "a b c d e"
    report = (
        await history.checking(
            CompatibilityQuestion(
                subject=(await history.versions("s"))[0].subject, content=text.encode(), level=level
            )
        )
    ).report

    versions = list(reversed(await history.versions("s")))
    new = KnownSchema(SchemaType.JSON, "new", SchemaSource(text.encode()))
    known = [await history.library.known(v) for v in versions]
    found = [
        VersionComparison(str(v.version), d, (await one_by_one(history.engine, new, [k], d))[0])
        for v, k in zip(versions, known, strict=True)
        for d in LEVEL_REQUIREMENTS[level].directions
    ]
    expected: CompatibilityReport = merge(
        level,
        found,
        [str(v.version) for v in versions],
        allow_undecided=False,
        options=CompareOptions(),
        change_class=report.change_class,
        suggested_version=report.suggested_version,
    )
    assert report.violations == expected.violations
    assert report.compared_versions == expected.compared_versions
    assert (report.verdict, report.compatible) == (expected.verdict, expected.compatible)
    assert report.message.startswith(expected.message)
