"""What the tests of fixes share: searches over pairs, and what holds of every fix."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from llm_schema_engines.api.local import LocalEngines
from llm_schema_engines.errors import InvalidSchema
from llm_schema_engines.fixes.model import Fix, Fixes
from llm_schema_engines.model.compatibility import CompareOptions, CompatibilityLevel
from llm_schema_engines.protoc.in_process import InProcessProtoc

ENGINES = LocalEngines(compiler=InProcessProtoc())
CHECKS = LocalEngines(compiler=InProcessProtoc())
"""Engines with caches of their own, so that nothing of a search is believed."""


def text(schema: Any) -> str:
    return schema if isinstance(schema, str) else json.dumps(schema)


def search(
    new: Any,
    old: Any | Sequence[Any],
    level: str = "BACKWARD",
    kind: str = "JSON",
    options: CompareOptions | None = None,
    limit: int = 3,
) -> Fixes:
    """The fixes of a pair, each of which is checked to be what it says. A list is several earlier versions of Protobuf or JSON text."""
    versions = [text(v) for v in old] if isinstance(old, tuple) else [text(old)]
    options = options or CompareOptions()
    found = ENGINES.find_fixes(text(new), versions, level, schema_type=kind, options=options, limit=limit)
    for fix in found.fixes:
        confirm(fix, text(new), versions, CompatibilityLevel[level], kind, options)
    return found


def confirm(
    fix: Fix, new: str, old: Sequence[str], level: CompatibilityLevel, kind: str, options: CompareOptions
) -> None:
    """The fix may be registered, is compatible by engines that know nothing of the search, and its patch gives its content."""
    assert fix.level is level
    assert fix.edits
    assert fix.message
    assert CHECKS.check(fix.content, list(old), level, schema_type=kind, options=options).compatible
    assert not CHECKS.check(new, list(old), level, schema_type=kind, options=options).compatible
    if kind == "PROTOBUF":
        assert fix.patch == ""
    else:
        assert apply_patch(json.loads(new), json.loads(fix.patch)) == json.loads(fix.content)


def apply_patch(document: Any, operations: Iterable[dict[str, Any]]) -> Any:
    """RFC 6902, written once more for the tests: add, remove and replace."""
    document = json.loads(json.dumps(document))
    for operation in operations:
        tokens = [t.replace("~1", "/").replace("~0", "~") for t in operation["path"].split("/")[1:]]
        if not tokens:
            document = operation["value"]
            continue
        at = document
        for token in tokens[:-1]:
            at = at[int(token)] if isinstance(at, list) else at[token]
        last = tokens[-1]
        if isinstance(at, list):
            if operation["op"] == "add":
                at.insert(int(last), operation["value"])
            elif operation["op"] == "replace":
                at[int(last)] = operation["value"]
            else:
                del at[int(last)]
        elif operation["op"] == "remove":
            del at[last]
        else:
            assert operation["op"] == "add" or last in at
            at[last] = operation["value"]
    return document


def may_be_registered(content: str, kind: str) -> bool:
    try:
        CHECKS.parse(content, kind)
    except InvalidSchema:
        return False
    return True


def kinds(found: Fixes) -> list[list[str]]:
    """The kinds of the edits of each fix."""
    return [[edit.kind.name for edit in fix.edits] for fix in found.fixes]
