"""The official JSON Schema test suite as cases for the engine, when its data is present beside the repository."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import referencing.exceptions

from llm_schema_engines.formats.engine import ReferencedSchema, SchemaSource

ROOT = Path(__file__).parents[3].parent / "shared" / "data" / "json-schema-test-suite"
PRESENT = ROOT.is_dir()
DRAFTS = {"draft-07": "draft7", "2019-09": "draft2019-09", "2020-12": "draft2020-12"}
OLDER = {"draft-04": jsonschema.Draft4Validator, "draft-06": jsonschema.Draft6Validator}
"""Dialects whose cases are those of draft 7, rewritten; the reference validator says what is valid."""
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
    if dialect in OLDER:
        yield from _older_cases(dialect, group, policy)
        return
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


def _older_cases(dialect: str, group: str, policy: str) -> Iterator[Case]:
    validators = OLDER[dialect]
    for case in cases("draft-07", group, policy):
        schema = _rewritten(case.schema, dialect)
        if case.source.references or (dialect == "draft-04" and isinstance(schema, bool)):
            continue
        if group and b"\\" in case.source.content:
            continue  # the reference validator reads patterns as Python does
        try:
            validators.check_schema(schema)
            validator = validators(schema)
            tests = tuple(
                (description, data, validator.is_valid(_integral(data)))
                for description, data, _ in case.tests
            )
        except (jsonschema.SchemaError, jsonschema.exceptions._WrappedReferencingError, re.error):
            continue
        except (referencing.exceptions.Unresolvable, AttributeError):
            continue  # the reference validator fails where draft 4 has a boolean for a schema
        source = SchemaSource(json.dumps(schema).encode(), (), {"dialect": dialect, "format_policy": policy})
        yield Case(case.name.replace("draft7", dialect), schema, source, tests)


def _rewritten(schema: Any, dialect: str) -> Any:
    """A schema of draft 7 in the words of an older draft."""
    if isinstance(schema, list):
        return [_rewritten(item, dialect) for item in schema]
    if isinstance(schema, str):
        return schema.replace("draft-07", dialect)
    if not isinstance(schema, dict):
        return schema
    out = {key: _rewritten(value, dialect) for key, value in schema.items()}
    if dialect == "draft-04":
        if isinstance(out.get("$id"), str):
            out["id"] = out.pop("$id")
        if "const" in out and "enum" not in out:
            out["enum"] = [out.pop("const")]
        for bound, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
            if isinstance(out.get(exclusive), int | float) and bound not in out:
                out[bound], out[exclusive] = out[exclusive], True
    return out


def _integral(value: Any) -> Any:
    """The value with 1.0 as 1: the registry takes both for integers, in draft 4 too."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_integral(item) for item in value]
    if isinstance(value, dict):
        return {key: _integral(item) for key, item in value.items()}
    return value
