"""The official JSON Schema test suite as cases for the engine, when its data is present beside the repository."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from llm_schema_engines.formats.engine import ReferencedSchema, SchemaSource

ROOT = Path(__file__).parents[3].parent / "shared" / "data" / "json-schema-test-suite"
PRESENT = ROOT.is_dir()
DRAFTS = {"draft-07": "draft7", "2019-09": "draft2019-09", "2020-12": "draft2020-12"}
REMOTE_BASE = "http://localhost:1234/"


@dataclass(frozen=True)
class Case:
    """One schema of the suite with its data."""

    name: str
    schema: Any
    source: SchemaSource
    tests: tuple[tuple[str, Any, bool], ...]


@cache
def _remotes(draft: str) -> tuple[tuple[str, bytes], ...]:
    out = []
    for path in sorted((ROOT / "remotes").rglob("*.json")):
        name = path.relative_to(ROOT / "remotes").as_posix()
        top = name.split("/")[0]
        if top == draft or not (
            top.startswith("draft") or top == "v1" or b"json-schema.org/v1" in path.read_bytes()
        ):
            out.append((REMOTE_BASE + name, path.read_bytes()))
    return tuple(out)


def _references(schema: Any, draft: str) -> tuple[ReferencedSchema, ...]:
    """The remotes, for the schemas that look at them."""
    if "localhost:1234" not in json.dumps(schema):
        return ()
    return tuple(ReferencedSchema(uri, uri, content) for uri, content in _remotes(draft))


def cases(dialect: str, group: str = "", policy: str = "DIALECT") -> Iterator[Case]:
    """The cases of a dialect: required ones, or those of `optional` or `optional/format`."""
    draft = DRAFTS[dialect]
    for path in sorted((ROOT / "tests" / draft / group).glob("*.json")):
        for entry in json.loads(path.read_text(encoding="utf-8")):
            schema = entry["schema"]
            source = SchemaSource(
                json.dumps(schema).encode(),
                _references(schema, draft),
                {"dialect": dialect, "format_policy": policy},
            )
            tests = tuple((t["description"], t["data"], t["valid"]) for t in entry["tests"])
            yield Case(f"{draft}/{group}/{path.stem}: {entry['description']}", schema, source, tests)
