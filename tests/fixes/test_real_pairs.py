"""Real revisions, where the third-party data is present: enough of the refused ones get a fix, and every fix is proved again.

The normal run takes a sample of JSON Schema, and all of Avro; `make test-deep` takes all at three levels. The whole is measured by loadtest/engines/fixes.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from llm_schema_engines.model.compatibility import CompareOptions, Strictness
from tests.api.server import ROOT

from .kit import may_be_registered, search

DATA = ROOT.parent / "shared" / "data"
FILES = {
    "schemastore-pairs.jsonl": ("JSON", "old", "new"),
    "googleapis-pairs.jsonl": ("PROTOBUF", "old", "new"),
    "avro/reader-writer-pairs.jsonl": ("AVRO", "writer", "reader"),
}
LARGEST = 6000
"""Bytes of the schemas in the sample."""


def pairs(file: str) -> Iterator[tuple[str, str]]:
    kind, old, new = FILES[file]
    path = DATA / file
    if not path.exists():
        pytest.skip(f"{file} is not present")
    for line in path.read_text(encoding="utf-8").splitlines():
        pair = json.loads(line)
        before, after = (
            x if isinstance(x, str) and kind != "AVRO" else json.dumps(x) for x in (pair[old], pair[new])
        )
        if may_be_registered(before, kind) and may_be_registered(after, kind):
            yield before, after


def measured(file: str, level: str, most_bytes: int, limit: int = 1) -> tuple[int, int]:
    """Refused pairs, and those with a fix; `search` proves each of them again."""
    refused = fixed = 0
    for before, after in pairs(file):
        if max(len(before), len(after)) > most_bytes:
            continue
        options = CompareOptions(strictness=Strictness.SOURCE)
        found = search(after, before, level, FILES[file][0], options, limit)
        refused += not found.compatible
        fixed += bool(found.fixes)
    return refused, fixed


def test_most_refused_revisions_of_a_sample_get_a_fix() -> None:
    refused, fixed = measured("schemastore-pairs.jsonl", "BACKWARD", LARGEST)

    assert refused >= 10
    assert fixed >= 0.6 * refused


def test_most_refused_pairs_of_avro_get_a_fix() -> None:
    refused, fixed = measured("avro/reader-writer-pairs.jsonl", "BACKWARD", LARGEST, limit=5)

    assert refused >= 50
    assert fixed >= 0.6 * refused


@pytest.mark.deep
@pytest.mark.parametrize("level", ["BACKWARD", "FORWARD", "FULL"])
@pytest.mark.parametrize("file", FILES)
def test_every_fix_of_a_real_pair_is_proved(file: str, level: str) -> None:
    refused, fixed = measured(file, level, 1 << 30, limit=3)

    assert fixed <= refused
    if level == "BACKWARD":
        assert fixed >= 0.6 * refused
