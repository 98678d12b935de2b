"""No finding of severity ERROR in schemas that people use; the counts of all findings are printed (pytest -s)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

import pytest

from llm_schema_engines import InvalidSchema, LintReport, LocalEngines, SchemaType, Severity
from llm_schema_engines.protoc.in_process import InProcessProtoc
from tests.api.server import ROOT

DATA = ROOT.parent / "shared" / "data"
LOCAL = LocalEngines(compiler=InProcessProtoc())  # nothing here is hostile
MOST = {"JSON": 120, "PROTOBUF": 60, "AVRO": 200}


def schemas(kind: str) -> Iterator[str]:
    """Real schemas of a type, each once."""
    files = {
        "JSON": (DATA / "schemastore-pairs.jsonl", ("old", "new")),
        "PROTOBUF": (DATA / "googleapis-pairs.jsonl", ("old", "new")),
        "AVRO": (DATA / "avro" / "reader-writer-pairs.jsonl", ("reader", "writer")),
    }
    file, keys = files[kind]
    seen: set[str] = set()
    for line in file.read_text(encoding="utf-8").splitlines():
        pair = json.loads(line)
        for key in keys:
            text = pair[key] if isinstance(pair[key], str) else json.dumps(pair[key])
            if text not in seen:
                seen.add(text)
                yield text


@pytest.mark.skipif(not DATA.is_dir(), reason="the data for tests is not there")
@pytest.mark.parametrize("kind", ["JSON", "PROTOBUF", "AVRO"])
def test_real_schemas_have_no_errors(kind: str) -> None:
    counts: Counter[str] = Counter()
    linted = 0
    for text in schemas(kind):
        if linted == MOST[kind]:
            break
        try:
            report: LintReport = LOCAL.lint(text, schema_type=SchemaType[kind])
        except InvalidSchema:
            continue  # imports that are not there, a dialect of its own, ...
        linted += 1
        counts.update({f"{f.severity.name} {f.rule}" for f in report.findings})
        assert not report.from_severity(Severity.ERROR).findings, text[:200]
    print(f"{kind}: {linted} schemas; found in so many of them: {dict(counts.most_common())}")
    assert linted >= 20
