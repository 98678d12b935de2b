"""Which rules of JSON Schema may find something in a subschema, told from its keywords alone. Pure.

Most subschemas have few keywords and the same ones as many others: what concerns them is found out once.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping

from ..formats.json_schema.dialects import Dialect
from ..formats.json_schema.resources import Place
from .json_schema import IN_RANGES, RULES
from .keywords import CONSTRAINING, EVERY, FORMER, HARMLESS_ELSEWHERE, KNOWN, OF_OTHERS, OPENAPI, TYPE_OF
from .rule import LintRule
from .subschema import DEFINITIONS, Subschema

_SAID_ELSEWHERE = EVERY | frozenset(FORMER)
_WORDS = EVERY | OF_OTHERS | frozenset(OPENAPI)
"""All others are unknown."""

_Concern = Callable[[frozenset[str], Dialect], bool]


def _has(*words: str) -> _Concern:
    return lambda present, dialect: all(word in present for word in words)


def _any(words: frozenset[str]) -> _Concern:
    return lambda present, dialect: not words.isdisjoint(present)


_OF_ROOT: Mapping[str, _Concern] = {
    "json/unsatisfiable": _any(CONSTRAINING),
    "json/accepts-everything": _any(frozenset(DEFINITIONS)),
    "json/unreachable-definition": _any(frozenset(DEFINITIONS)),
    "json/missing-dialect": lambda present, dialect: "$schema" not in present,
}
_NEVER_APPLIES = "json/keyword-never-applies"
_OF_ANY: Mapping[str, _Concern] = {
    "json/word-of-openapi": _any(frozenset(OPENAPI)),
    "json/unknown-format": _has("format"),
    "json/keyword-of-other-dialect": lambda present, dialect: bool(
        (present & _SAID_ELSEWHERE) - KNOWN[dialect] - HARMLESS_ELSEWHERE
    ),
    "json/ref-siblings": lambda present, dialect: dialect.isolates_references and "$ref" in present,
    _NEVER_APPLIES: lambda present, dialect: "type" in present and not present.isdisjoint(TYPE_OF),
    "json/required-forbidden": _has("required", "additionalProperties"),
    "json/required-undeclared": _has("required", "properties"),
    "json/empty-range": lambda present, dialect: len(present & IN_RANGES) > 1,
    "json/value-of-other-type": lambda present, dialect: (
        "type" in present and ("enum" in present or "const" in present)
    ),
    "json/duplicate-enum": _has("enum"),
    "json/invalid-default": _has("default"),
    "json/invalid-example": _has("examples"),
    "json/open-object": _has("properties"),
    "json/missing-description": _has("properties"),
}
_OF_UNKNOWN_WORDS = frozenset({"json/misspelled-keyword"})


def rules_for(place: Place, chosen: frozenset[str]) -> tuple[LintRule[Subschema], ...]:
    """Those of the chosen rules that may find something at a subschema that is an object: all others find nothing."""
    schema = place.schema
    kind = schema.get("type")
    only = kind if isinstance(kind, str) else ""
    if len(schema) <= _FEW_WORDS:
        return _rules_of_few(tuple(schema), only, place.dialect, not place.pointer, chosen)
    return _rules_of(schema, only, place.dialect, not place.pointer, chosen)


def _rules_of(
    words: Iterable[str], kind: str, dialect: Dialect, is_root: bool, chosen: frozenset[str]
) -> tuple[LintRule[Subschema], ...]:
    words = frozenset(words)
    present = _WORDS & words
    return _rules(present, kind, dialect, is_root, len(present) < len(words), chosen)


_FEW_WORDS = 8
"""Up to so many words in a row are looked up as they are."""
_rules_of_few = functools.lru_cache(maxsize=4096)(_rules_of)


@functools.lru_cache(maxsize=4096)
def _rules(
    present: frozenset[str],
    kind: str,
    dialect: Dialect,
    is_root: bool,
    has_unknown: bool,
    chosen: frozenset[str],
) -> tuple[LintRule[Subschema], ...]:
    """kind: the one type that is allowed; "" when several are, or any."""
    return tuple(
        rule
        for rule in RULES
        if rule.id in chosen
        and _concerns(rule.id, present, dialect, is_root, has_unknown)
        and not (rule.id == _NEVER_APPLIES and kind and _all_apply(present, kind))
    )


def _all_apply(present: frozenset[str], kind: str) -> bool:
    """Whether all keywords look at values of the type."""
    looked_at = {kind, "number"} if kind == "integer" else {kind}
    return all(TYPE_OF[word] in looked_at for word in present if word in TYPE_OF)


def _concerns(rule: str, present: frozenset[str], dialect: Dialect, is_root: bool, has_unknown: bool) -> bool:
    if rule in _OF_UNKNOWN_WORDS:
        return has_unknown
    if rule in _OF_ROOT:
        return is_root and _OF_ROOT[rule](present, dialect)
    return _OF_ANY[rule](present, dialect)
