"""What the caches count for their entries is what Python holds for them: not less than nine tenths of it, and not many times as much.

Allocations are Python's own (tracemalloc): what compiled validators hold in native code is not among them.
"""

from __future__ import annotations

import gc
import json
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from llm_schema_engines.formats.catalogue import EngineLimits, engines
from llm_schema_engines.formats.engine import ReferencedSchema, SchemaSource
from llm_schema_engines.model.compatibility import ChangeClass, CompareOptions, CompatibilityLevel, Verdict
from llm_schema_engines.model.schema import Fingerprints, SchemaType
from llm_schema_engines.model.version import SemanticVersion
from llm_schema_registry_server.caches.memory import MemoryCache
from llm_schema_registry_server.calls.answer_cache import AnswerCache, CachedAnswer
from llm_schema_registry_server.calls.operation import Resource, ResourceKind
from llm_schema_registry_server.model.lifecycle import SchemaState
from llm_schema_registry_server.model.schema import SchemaVersion, StoredContent
from llm_schema_registry_server.model.subject import Subject
from llm_schema_registry_server.registry import comparisons, contents, library
from llm_schema_registry_server.registry.subject_versions import SubjectVersions

MANY = 300
LEAST, MOST = 0.9, 3.0
ENGINES = engines(EngineLimits(), document_bytes=1)  # remembers no documents
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def fields(number: int, count: int = 12) -> dict[str, Any]:
    named = {
        f"field_{n}_{number}": {"type": "string", "description": f"Says {number}."} for n in range(count)
    }
    return {"type": "object", "properties": named, "required": sorted(named)}


def source(number: int) -> SchemaSource:
    return SchemaSource(json.dumps(fields(number)).encode())


def text(number: int) -> str:
    return f"{number:064}"


def version(number: int, ordinal: int = 1) -> SchemaVersion:
    """As a store decodes one: nothing of it is shared with another one."""
    return SchemaVersion(
        schema_id=text(number)[:36],
        global_id=number + 1000,
        identity=text(number),
        subject=Subject.parse(f"orders.s{number}"),
        ordinal=ordinal,
        version=SemanticVersion(1, number, 0),
        schema_type=SchemaType.JSON,
        fingerprints=Fingerprints(text(number), text(number + 1), text(number + 2)),
        references=(),
        size=1000 + number,
        level=CompatibilityLevel.BACKWARD,
        state=SchemaState.ACTIVE,
        change_class=ChangeClass.COMPATIBLE,
        description=f"What {number} says. " * 10,
        tags=(f"tag{number}", f"gold{number}"),
        metadata={f"team{n}": f"owners of {number}" for n in range(5)},
        options={"dialect": f"https://json-schema.org/{number}", "format_policy": f"p{number}"},
        created_at=NOW.replace(microsecond=number),
        updated_at=NOW.replace(microsecond=number + 1),
        created_by=f"somebody {number}",
        revision=number + 5000,
    )


def of_contents(number: int) -> tuple[object, StoredContent]:
    one = source(number).content
    key = contents._Key(text(number), text(number + 1))
    return key, StoredContent(one, text(number), json.dumps(fields(number), sort_keys=True).encode())


def of_closures(number: int) -> tuple[object, ReferencedSchema]:
    return text(number), ReferencedSchema("", text(number), source(number).content, (), b"")


def of_subjects(number: int) -> tuple[object, SubjectVersions]:
    versions = tuple([version(10 * number + n, n) for n in range(1, 6)])
    return versions[0].subject, SubjectVersions.of((5, 5), versions)


def of_parsed(number: int) -> tuple[object, object]:
    return f"JSON|7|{text(number)}?", ENGINES[SchemaType.JSON].parse(source(number))


def of_comparisons(number: int) -> tuple[object, object]:
    later = fields(number)
    for name in list(later["properties"])[:4]:
        later["properties"][name] = {"type": "integer", "description": f"Says {number}."}
    found = ENGINES[SchemaType.JSON].compare(
        SchemaSource(json.dumps(later).encode()), source(number), CompareOptions()
    )
    assert found.verdict is Verdict.NO
    return f"JSON|7|options|{text(number)}?|{text(number + 1)}?", found


def of_kept_proofs(number: int) -> tuple[object, object]:
    return f"JSON|7|options|{text(number)}?|{text(number + 1)}?", comparisons.COMPATIBLE


SIZES: dict[Callable[[int], tuple[object, Any]], Callable[[Any], int]] = {
    of_contents: contents.size_of,
    of_closures: library._closure_size,
    of_subjects: library._subject_size,
    of_parsed: library._parsed_size,
    of_comparisons: comparisons._size,
    of_kept_proofs: comparisons._size,
}


def allocated(make: Callable[[], object]) -> tuple[int, object]:
    """Bytes that Python holds for what is made."""
    make()  # what is made once and kept: modules, patterns
    gc.collect()
    tracemalloc.start()
    try:
        made = make()
        gc.collect()
        return tracemalloc.get_traced_memory()[0], made
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("of", SIZES, ids=lambda of: of.__name__)
def test_a_cache_counts_what_it_holds(of: Callable[[int], tuple[object, Any]]) -> None:
    def fill() -> MemoryCache[object, Any]:
        cache: MemoryCache[object, Any] = MemoryCache(1 << 30, SIZES[of])
        for number in range(MANY):
            cache.put(*of(number))
        return cache

    held, cache = allocated(fill)
    assert isinstance(cache, MemoryCache)
    counted = cache.stats().size

    assert LEAST * held <= counted <= MOST * held, f"{held // MANY} held, {counted // MANY} counted, of each"


def test_serialized_answers_count_what_they_hold() -> None:
    def fill() -> AnswerCache:
        cache = AnswerCache(1 << 30)
        for number in range(MANY):
            key = ("grpc", "GetSchema", f"{number:050}".encode())
            named = (
                Resource(ResourceKind.SCHEMA, text(number)),
                Resource(ResourceKind.SUBJECT, f"s{number}"),
            )
            cache.store(cache.begin(), key, CachedAnswer(source(number).content, (), named, text(number), 1))
        return cache

    held, cache = allocated(fill)
    assert isinstance(cache, AnswerCache)
    counted = cache.stats().bytes

    assert LEAST * held <= counted <= MOST * held, f"{held // MANY} held, {counted // MANY} counted, of each"
