"""What is found of all places of a keyword at once is what would be found at each place by itself, in the order of the places; a summary
is that of the report."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from llm_schema_engines import Fit, Profile, ProfileFinding, Support, provider_profile, provider_profiles
from llm_schema_engines.formats.engine import SchemaSource
from llm_schema_engines.formats.json_schema import JsonSchemaEngine
from llm_schema_engines.formats.json_schema.pointers import join_pointer
from llm_schema_engines.providers import findings
from llm_schema_engines.providers.checking import (
    Survey,
    check_profile,
    recursive_references,
    reference_kind,
    shapes_of,
    sum_up,
)
from llm_schema_engines.providers.conditions import Site
from llm_schema_engines.providers.grammar import grammar_profile
from llm_schema_engines.providers.rulings import ANNOTATIONS, Rulings, shape_cell
from tests.providers.random_schemas import schemas

ENGINE = JsonSchemaEngine()
GRAVITY = list(Fit).index
SAID = {"basis": "OBSERVED", "source": "page"}


def own(enforcement: str, unlisted: str) -> Profile:
    """A profile with conditions, and with cells that say something else than usual about annotations."""

    def cell(support: str, **more: Any) -> dict[str, Any]:
        return {"support": support, **more} if support == "UNKNOWN" else {"support": support, **SAID, **more}

    return provider_profile(
        json.dumps(
            {
                "id": f"own-{enforcement}-{unlisted}".lower(),
                "version": 1,
                "title": "Own",
                "provider": "Me",
                "as_of": "2026-11-23",
                "sources": {"page": {"title": "A page"}},
                "enforcement": cell(enforcement),
                "unlisted": cell(unlisted),
                "keywords": {
                    "type": [cell("REJECTED", when={"root": True}, note="why"), cell("ENFORCED")],
                    "title": cell("RESTRICTED"),
                    "description": cell("IGNORED"),
                    "minLength": [cell("ACCEPTED", when={"above": 1}), cell("UNKNOWN")],
                },
                "structure": {"untyped": cell("ACCEPTED"), "open_object": cell("RESTRICTED")},
                "limits": [{"measure": "properties", "most": 1, **cell("REJECTED")}],
                "tool_name": {"most": 3, **cell("REJECTED")},
            }
        )
    )


PROFILES = [
    *provider_profiles().values(),
    grammar_profile(),
    *(own(e, u) for e in ("ENFORCED", "IGNORED", "UNKNOWN") for u in ("ACCEPTED", "UNKNOWN", "IGNORED")),
]
HAND_MADE: list[Any] = [
    True,
    {},
    {"type": "object", "properties": {"~/": {"minLength": 2, "z" * 300: 1, "title": ""}, "b": {"$ref": "#"}}},
    {"properties": {"a": {"$ref": "other.json"}, "b": {"$ref": 7}, "c": {"$ref": "#/properties/d"}, "d": {}}},
    {"$ref": "#/$defs/a", "$defs": {"a": {"items": {"$ref": "#/$defs/b"}}, "b": {"not": {"$ref": "#/$defs/a"}}}},
    {"$ref": "#/hidden/properties", "hidden": {"properties": {"items": {"type": ["string", "null"]}, "1": {}}}},
    {"properties": {"n" * 1200: {"pattern": "^a(?=b)", "uniqueItems": True}}, "pattern": "a", "enum": [1, {}]},
]  # fmt: skip


def one_by_one(survey: Survey, profile: Profile) -> Iterator[tuple[str, str, Support, str]]:
    """Pointer, rule, support and the beginning of the message of each keyword and shape that is no limit, one place after the other."""
    whole = None if profile.enforces else profile.enforcement.support
    if whole is not None:
        yield "", "enforcement", whole, "the schema as a whole "
    for place in survey.places:
        for word, value in place.schema.items() if isinstance(place.schema, dict) else ():
            kind = reference_kind(survey.opened, place, value) if word == "$ref" else ""
            pointer = join_pointer(place.pointer, word[:80])
            if kind == "remote":
                yield pointer, "keyword/$ref", Support.REJECTED, "a reference to another document"
                continue
            site = Site(word, value, place.schema, not place.pointer, kind == "nested")
            support = profile.cell(site).support
            if support is Support.ENFORCED or (whole is not None and support in (Support.ACCEPTED, whole)):
                continue
            if word not in ANNOTATIONS or support not in (Support.ACCEPTED, Support.IGNORED):
                yield pointer, f"keyword/{word[:80]}", support, f"`{word[:80]}` "
    shapes = [shape for place in survey.places for shape in shapes_of(place)]
    shapes += [("recursion", pointer) for pointer in recursive_references(survey.opened, survey.places)]
    for rule, pointer in shapes:
        support = shape_cell(profile, rule).support
        if support not in (Support.ENFORCED, Support.ACCEPTED, Support.IGNORED, whole):
            yield pointer, f"shape/{rule}", support, ""


def surveyed(schema: Any) -> Survey:
    return Survey(ENGINE.open(SchemaSource(json.dumps(schema).encode())))


def same(found: ProfileFinding, expected: tuple[str, str, Support, str]) -> bool:
    pointer, rule, support, beginning = expected
    shown = pointer if len(pointer) <= 1000 else pointer[:997] + "..."
    return (found.pointer, found.rule, found.support) == (shown, rule, support) and found.message.startswith(
        beginning
    )


@pytest.mark.parametrize("schema", [*HAND_MADE, *schemas(random.Random(11), 40)])
def test_findings_are_those_of_each_place_in_order(schema: Any) -> None:
    survey = surveyed(schema)
    for profile in PROFILES:
        found = check_profile(survey, profile).findings
        expected = list(one_by_one(survey, profile))
        placed = [one for one in found if not one.rule.startswith("limit/")]

        assert len(placed) == len(expected), profile.id
        assert all(map(same, placed, expected)), profile.id
        assert found[: len(placed)] == tuple(placed), "limits come last"


def test_rulings_that_are_kept_say_the_same_about_the_next_schema() -> None:
    made = [surveyed(schema) for schema in (*HAND_MADE, *schemas(random.Random(12), 40))]
    for profile in PROFILES:
        kept = Rulings(profile)
        for survey in made:
            assert check_profile(survey, kept, "name") == check_profile(survey, profile, "name")


def test_a_summary_has_the_fit_the_count_and_the_first_of_the_gravest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = [surveyed(schema) for schema in (*HAND_MADE, *schemas(random.Random(13), 40))]
    for most in (500, 3):
        monkeypatch.setattr(findings, "MOST_FINDINGS", most)
        monkeypatch.setattr("llm_schema_engines.providers.checking.MOST_FINDINGS", most)
        for profile in PROFILES:
            for survey in made:
                report, summary = check_profile(survey, profile), sum_up(survey, Rulings(profile))
                gravest = max(report.findings, key=lambda found: GRAVITY(found.fit), default=None)

                assert (summary.fit, summary.gravest) == (report.fit, gravest)
                assert summary.findings == len(report.findings)


def test_what_is_kept_does_not_grow_with_the_keywords_that_callers_make_up() -> None:
    kept = Rulings(provider_profiles()["openai-strict"])
    check_profile(surveyed({"type": "string", "pattern": "a"}), kept)
    before = set(kept.keywords)
    check_profile(surveyed({"type": "string", **{f"x-{n}": n for n in range(100)}}), kept)

    assert set(kept.keywords) == before
