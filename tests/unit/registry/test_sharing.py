"""What instances share comes back as it was, and nothing that only looks like it does."""

import enum
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from llm_schema_engines.formats.engine import ParsedSchema, SchemaSource
from llm_schema_engines.model.compatibility import (
    CompareOptions,
    Comparison,
    Direction,
    Severity,
    Verdict,
    Violation,
    Witness,
)
from llm_schema_engines.model.schema import Fingerprints, SchemaType
from llm_schema_registry_server import settings
from llm_schema_registry_server.caches.redis import RedisTier
from llm_schema_registry_server.errors import SchemaIssue
from llm_schema_registry_server.registry.library import KnownSchema, Library
from llm_schema_registry_server.registry.shared_results import layout, lower
from llm_schema_registry_server.storage.memory import MemoryStore
from llm_schema_registry_server.workers.inline import InlineWorkers
from tests.support.redis import RedisServer
from tests.support.shelf import Shelf
from tests.support.words import WordEngine
from tests.support.workers import Afar

TEXT = st.text(max_size=20)
VIOLATIONS = st.builds(
    Violation,
    rule=TEXT,
    path=TEXT,
    message=TEXT,
    severity=st.sampled_from(Severity),
    old_value=TEXT,
    new_value=TEXT,
    witness=st.none() | st.builds(Witness, data=st.binary(max_size=20), text=TEXT),
    undecided=st.booleans(),
    direction=st.none() | st.sampled_from(Direction),
    compared_version=TEXT,
)
COMPARISONS = st.builds(
    Comparison,
    verdict=st.sampled_from(Verdict),
    violations=st.lists(VIOLATIONS, max_size=3).map(tuple),
)
PARSED = st.builds(
    ParsedSchema,
    schema_type=st.sampled_from(SchemaType),
    canonical=st.binary(max_size=30),
    fingerprints=st.builds(Fingerprints, TEXT, TEXT, TEXT),
    artifact=st.binary(max_size=30),
    names=st.lists(TEXT, max_size=3).map(tuple),
    dependencies=st.lists(TEXT, max_size=3).map(tuple),
    warnings=st.lists(
        st.builds(
            SchemaIssue, rule=TEXT, message=TEXT, pointer=TEXT, line=st.integers(), column=st.integers()
        ),
        max_size=2,
    ).map(tuple),
    options=st.dictionaries(TEXT, TEXT, max_size=3),
    interop=st.dictionaries(TEXT, TEXT, max_size=3),
)


class HastyEngine(WordEngine):
    """With `gives_up` its comparisons end in that rule, undecided."""

    gives_up = ""

    def compare(self, reader: SchemaSource, writer: SchemaSource, options: CompareOptions) -> Comparison:
        found = super().compare(reader, writer, options)
        if self.gives_up:
            return Comparison(Verdict.UNDECIDED, (Violation(self.gives_up, "", "why", undecided=True),))
        return found


def instance(
    shared: Shelf | RedisTier | None, gives_up: str = "", workers: type[InlineWorkers] = Afar
) -> tuple[Library, HastyEngine]:
    engine = HastyEngine()
    engine.gives_up = gives_up
    engines = {SchemaType.JSON: engine}
    return (
        Library(
            MemoryStore(),
            engines,
            workers(engines),
            cache_bytes=1 << 20,
            most_references=5,
            shared=shared,
        ),
        engine,
    )


def schema(text: str) -> KnownSchema:
    return KnownSchema(SchemaType.JSON, f"identity of {text}", SchemaSource(text.encode()))


@pytest_asyncio.fixture
async def redis(tmp_path: Path) -> AsyncIterator[RedisTier]:
    server = RedisServer(tmp_path)
    await server.start()
    tier = RedisTier(settings.RedisSettings.model_validate({"url": server.url, "timeout_seconds": 20}))
    yield tier
    await tier.close()
    server.kill()


@pytest.mark.slow
@given(COMPARISONS)
def test_a_comparison_comes_back_as_it_was(value: Comparison) -> None:
    shared = lower(Shelf(), "comparison", Comparison)
    assert shared is not None

    assert shared.codec.decode(shared.codec.encode(value)) == value


@pytest.mark.slow
@given(PARSED)
def test_a_parsed_schema_comes_back_as_it_was(value: ParsedSchema) -> None:
    shared = lower(Shelf(), "parsed", ParsedSchema)
    assert shared is not None

    assert shared.codec.decode(shared.codec.encode(value)) == value


@pytest.mark.slow
@given(st.binary(max_size=60) | PARSED.map(lambda value: json.dumps([[], str(value)]).encode()))
def test_other_bytes_are_nothing(garbage: bytes) -> None:
    shared = lower(Shelf(), "comparison", Comparison)
    assert shared is not None

    assert shared.codec.decode(garbage) is None


def test_another_layout_has_other_keys() -> None:
    class Old(enum.Enum):
        A = 1

    class New(enum.Enum):
        A = 2

    @dataclass(frozen=True)
    class Inside:
        text: str

    @dataclass(frozen=True)
    class Renamed:
        words: str

    kinds: list[Mapping[str, type]] = [
        {"a": int, "b": str},
        {"b": str, "a": int},
        {"a": int, "b": Old},
        {"a": int, "b": New},
        {"a": int, "b": Inside},
        {"a": int, "b": Renamed},
    ]
    layouts = {
        layout(dataclass(frozen=True)(type("Kind", (), {"__annotations__": dict(kind)}))) for kind in kinds
    }

    assert len(layouts) == len(kinds)
    assert layout(Comparison) == layout(Comparison)


async def test_what_one_instance_found_out_another_need_not(redis: RedisTier) -> None:
    (first, one), (second, two) = instance(redis), instance(redis)
    a, b = schema("a b"), schema("a")
    options = CompareOptions()

    expected = await first.parse(a), await first.compare(a, b, options), await first.compare(b, a, options)

    assert expected == (
        await second.parse(a),
        await second.compare(a, b, options),
        await second.compare(b, a, options),
    )
    assert (one.parsed, one.compared, two.parsed, two.compared) == (1, 2, 0, 0)


async def test_what_is_found_out_at_once_is_not_shared() -> None:
    shelf = Shelf()
    library, engine = instance(shelf, workers=InlineWorkers)
    for _ in range(2):
        await library.parse(schema("a"))
        await library.compare(schema("a"), schema("b"), CompareOptions())

    assert (engine.parsed, engine.compared) == (1, 1)
    assert not shelf.kept


async def test_an_answer_at_once_that_is_true_of_one_run_only_is_not_kept() -> None:
    library, engine = instance(None, gives_up="COMPARISON_TIMEOUT", workers=InlineWorkers)
    for _ in range(2):
        await library.compare(schema("a"), schema("b"), CompareOptions())

    assert engine.compared == 2


@pytest.mark.parametrize("change", ["strictness", "engine", "identity", "options"])
async def test_what_changes_the_answer_changes_the_key(change: str) -> None:
    shelf = Shelf()
    (first, _), (second, engine) = instance(shelf), instance(shelf)
    a, b, options = schema("a b"), schema("a"), CompareOptions()
    await first.compare(a, b, options)

    if change == "strictness":
        options = replace(options, apply_defaults=True)
    elif change == "engine":
        engine.version = "next"
    elif change == "identity":
        a = replace(a, identity="other")
    else:
        a = replace(a, source=replace(a.source, options={"dialect": "x"}))
    await second.compare(a, b, options)

    assert engine.compared == 1


@pytest.mark.parametrize("rule", ["COMPARISON_TIMEOUT", "JSON_PROOF_TIMEOUT"])
async def test_an_answer_that_is_true_of_one_run_only_is_kept_nowhere(rule: str) -> None:
    shelf = Shelf()
    library, engine = instance(shelf, gives_up=rule)
    assert (await library.compare(schema("a"), schema("b"), CompareOptions())).verdict is Verdict.UNDECIDED

    engine.gives_up = ""
    assert (await library.compare(schema("a"), schema("b"), CompareOptions())).verdict is Verdict.NO
    assert len(shelf.kept) == 1


async def test_an_undecided_answer_that_stays_so_is_kept() -> None:
    library, engine = instance(None, gives_up="WORDS_UNDECIDED")
    for _ in range(3):
        await library.compare(schema("a"), schema("b"), CompareOptions())

    assert engine.compared == 1


async def test_garbage_in_the_shared_tier_is_computed_anew_and_put_right() -> None:
    shelf = Shelf()
    first, _ = instance(shelf)
    expected = await first.compare(schema("a"), schema("b"), CompareOptions())
    (key,) = shelf.kept
    good, shelf.kept[key] = shelf.kept[key], b"garbage"

    second, engine = instance(shelf)
    assert await second.compare(schema("a"), schema("b"), CompareOptions()) == expected
    assert engine.compared == 1
    assert shelf.kept[key] == good
