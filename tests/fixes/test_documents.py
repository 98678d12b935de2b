"""JSON Patch operations on documents, and text in the manner of another one."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from llm_schema_engines.fixes.documents import (
    MISSING,
    Operation,
    PatchFailed,
    patch_text,
    patched,
    put,
    read_document,
    value_at,
    write_document,
)

from .kit import apply_patch

DOCUMENT: Any = {"a": [1, {"b/c": None}, []], "~": {"x": {"y": 1}}}


def test_operations_do_what_their_patch_does() -> None:
    chance = random.Random(7)
    places: list[tuple[Any, ...]] = [
        ("a",),
        ("a", 0),
        ("a", 1),
        ("a", 1, "b/c"),
        ("~", "x"),
        ("~", "x", "y"),
        ("n",),
        ("a", 3),
        (),
    ]
    tried = 0
    for _ in range(2000):
        before, steps = json.loads(json.dumps(DOCUMENT)), []
        for _ in range(3):
            op = chance.choice(["add", "remove", "replace"])
            step = Operation(op, chance.choice(places), chance.choice([1, [2], {"z": None}]))
            try:
                after = patched(before, [step])
            except PatchFailed:
                continue
            steps.append(step)
            before = after
        assert apply_patch(DOCUMENT, json.loads(patch_text(steps))) == before
        tried += len(steps)
    assert tried > 2000


@pytest.mark.parametrize("path", [("no", "x"), ("a", 9), ("a", "x"), ("a", 0, "x"), ("~", "no")])
def test_places_that_are_not_there_are_refused(path: tuple[Any, ...]) -> None:
    for op in ("remove", "replace"):
        with pytest.raises(PatchFailed):
            patched(DOCUMENT, [Operation(op, path, 1)])


def test_null_is_a_value() -> None:
    assert value_at(DOCUMENT, ("a", 1, "b/c")) is None
    assert value_at(DOCUMENT, ("a", 1, "d")) is MISSING
    assert put(DOCUMENT, ("a", 1, "b/c"), 1).op == "replace"
    assert put(DOCUMENT, ("a", 1, "d"), 1).op == "add"


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1.0, "b": [1E+400, 12345678901234567890, "\u00e9"], "c": {}, "d": []}',
        '{\n\t"a": [\n\t\t1\n\t]\n}\n',
        "true",
        '{\n    "a": {\n        "b": null\n    }\n}',
    ],
)
def test_text_that_is_laid_out_plainly_is_written_as_it_was(text: str) -> None:
    assert write_document(read_document(text.encode()), text.encode()).decode() == text
