"""Real files, where the third-party data is present: canonical text compiles to the same schema, edits are classified."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from llm_schema_engines.formats.engine import ParsedSchema, SchemaSource
from llm_schema_engines.formats.protobuf.normalise import normalise
from llm_schema_engines.model.compatibility import CompareOptions, Severity, Strictness
from llm_schema_registry_server.errors import InvalidSchema
from tests.formats.protobuf.kit import ENGINE

DATA = Path(__file__).parents[3].parent / "shared" / "data" / "googleapis-pairs.jsonl"
pytestmark = pytest.mark.skipif(not DATA.exists(), reason="googleapis-pairs.jsonl is not present")


class Pair(NamedTuple):
    path: str
    old: ParsedSchema | None
    new: ParsedSchema | None


def parse(text: str) -> ParsedSchema | None:
    """None for a file whose imports are not in the data."""
    try:
        return ENGINE.parse(SchemaSource(text.encode()))
    except InvalidSchema as error:
        if "IMPORT_NOT_FOUND" in {issue.rule for issue in error.issues}:
            return None
        raise


@cache
def pairs() -> list[Pair]:
    lines = [json.loads(line) for line in DATA.read_text(encoding="utf-8").splitlines()]
    return [Pair(line["path"], parse(line["old"]), parse(line["new"])) for line in lines]


def test_canonical_text_compiles_to_the_same_schema() -> None:
    compiled = [side for pair in pairs() for side in (pair.old, pair.new) if side is not None]
    assert len(compiled) > 100

    for first in compiled:
        second = ENGINE.parse(SchemaSource(first.canonical))
        assert second.canonical == first.canonical
        assert second.fingerprints.validation == first.fingerprints.validation
        files = [normalise(FileDescriptorSet.FromString(p.artifact).file[-1]) for p in (first, second)]
        assert files[0] == files[1]


def test_equal_validation_fingerprints_mean_no_findings_and_every_error_has_data() -> None:
    both = [(p.old, p.new) for p in pairs() if p.old is not None and p.new is not None]
    assert len(both) > 50

    for old, new in both:
        for reader, writer in ((new, old), (old, new)):
            sources = [SchemaSource(b"", artifact=p.artifact) for p in (reader, writer)]
            for strictness in Strictness:
                found = ENGINE.compare(*sources, CompareOptions(strictness)).violations
                if old.fingerprints.validation == new.fingerprints.validation:
                    assert not found
                if strictness is Strictness.WIRE:
                    assert all(v.witness for v in found if v.severity is Severity.ERROR)
