"""The profiles that are shipped say what they may say; a document that is no profile is refused with its place."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from llm_schema_engines import Basis, InvalidRequest, Support, provider_profile, provider_profiles
from llm_schema_engines.providers.conditions import Site, features
from llm_schema_engines.providers.profile import STRUCTURE, Cell, Profile

PROFILES = provider_profiles()
WANTED = (
    *("openai-strict", "anthropic-strict", "anthropic", "gemini-json-schema", "gemini-schema", "mistral"),
    *("cohere", "bedrock-claude", "llama-cpp", "ollama-cloud", "vllm-xgrammar", "xgrammar", "llguidance"),
    "mcp-2026-07-28",
)
OWN: dict[str, Any] = {
    "id": "mine",
    "version": 1,
    "title": "Mine",
    "provider": "Me",
    "as_of": "2026-11-23",
    "sources": {"page": {"title": "A page"}},
    "enforcement": {"support": "ENFORCED", "basis": "OBSERVED", "source": "page"},
    "unlisted": {"support": "UNKNOWN"},
    "keywords": {"type": {"support": "ENFORCED", "basis": "OBSERVED", "source": "page"}},
}


def cells(profile: Profile) -> Iterator[Cell]:
    yield from (profile.enforcement, profile.unlisted, profile.key_order[1])
    for cases in profile.keywords.values():
        yield from cases
    yield from profile.structure.values()
    yield from (limit.cell for limit in profile.limits)
    yield from (entry.cell for entry in profile.not_guaranteed)
    if profile.tool_name is not None:
        yield profile.tool_name.cell


def test_the_providers_are_there() -> None:
    assert sorted(PROFILES) == sorted(WANTED)


@pytest.mark.parametrize("name", WANTED)
def test_every_cell_has_a_date_and_a_label_and_what_is_known_has_a_source(name: str) -> None:
    profile = PROFILES[name]

    for cell in cells(profile):
        assert len(cell.as_of) == 10
        assert cell.as_of <= profile.as_of
        assert (cell.basis is Basis.NONE) == (cell.support is Support.UNKNOWN)
        assert cell.support is Support.UNKNOWN or profile.sources[cell.source].title


def test_nothing_is_said_of_a_keyword_that_no_source_names() -> None:
    profile = PROFILES["openai-strict"]

    assert profile.cell(Site("prefixItems", [], {})).support is Support.UNKNOWN
    assert profile.cell(Site("unheard-of", 1, {})).support is Support.UNKNOWN


@pytest.mark.parametrize(
    ("profile", "site", "expected"),
    [
        ("openai-strict", Site("additionalProperties", False, {}), Support.ENFORCED),
        ("openai-strict", Site("additionalProperties", {}, {}), Support.REJECTED),
        ("openai-strict", Site("additionalProperties", 0, {}), Support.REJECTED),
        ("openai-strict", Site("anyOf", [], {}, root=True), Support.REJECTED),
        ("openai-strict", Site("pattern", "^(?=a)", {}), Support.REJECTED),
        ("anthropic-strict", Site("minItems", 1, {}), Support.ENFORCED),
        ("anthropic-strict", Site("minItems", 2, {}), Support.REJECTED),
        ("anthropic-strict", Site("allOf", [{"$ref": "#"}], {}), Support.REJECTED),
        ("anthropic-strict", Site("enum", ["a", {}], {}), Support.REJECTED),
        ("cohere", Site("pattern", "^a", {}), Support.REJECTED),
        ("cohere", Site("pattern", "a", {}), Support.ENFORCED),
        ("llama-cpp", Site("pattern", "a", {}), Support.UNKNOWN),
        ("llama-cpp", Site("minimum", 1, {"type": "number"}), Support.IGNORED),
        ("llama-cpp", Site("minimum", 1, {"type": ["integer", "null"]}), Support.ENFORCED),
        ("gemini-schema", Site("anyOf", [], {"type": "object"}), Support.REJECTED),
        ("xgrammar", Site("allOf", [{}, {}], {}), Support.ACCEPTED),
        ("vllm-xgrammar", Site("minLength", 1, {"pattern": "a"}), Support.REJECTED),
        ("mcp-2026-07-28", Site("not", {}, {}), Support.ACCEPTED),
    ],
)
def test_a_cell_is_about_its_case(profile: str, site: Site, expected: Support) -> None:
    assert PROFILES[profile].cell(site).support is expected


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("^ab$", {"anchor"}),
        ("ab", {"unanchored"}),
        (r"a\$", {"unanchored"}),
        (r"[^a]", {"unanchored"}),
        (r"(?<!a)b", {"look_around", "unanchored"}),
        (r"(a)\1", {"back_reference", "unanchored"}),
        (r"^a\b$", {"anchor", "look_around"}),
    ],
)
def test_what_a_pattern_has_is_seen(pattern: str, expected: set[str]) -> None:
    assert features(pattern) == expected


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"id": "Mine!"}, "/id"),
        ({"version": True}, "/version"),
        ({"as_of": "today"}, "/as_of"),
        ({"unknown": 1}, "/unknown"),
        ({"structure": {"shape": {"support": "UNKNOWN"}}}, "/structure/shape"),
        ({"unlisted": {"support": "MAYBE"}}, "/unlisted/support"),
        ({"unlisted": {"support": "REJECTED"}}, "/unlisted/basis"),
        ({"unlisted": {"support": "UNKNOWN", "basis": "INFERRED", "source": "page"}}, "/unlisted/basis"),
        ({"unlisted": {"support": "REJECTED", "basis": "OBSERVED", "source": "no"}}, "/unlisted/source"),
        ({"unlisted": {"support": "UNKNOWN", "as_of": "2026-12-24"}}, "/unlisted/as_of"),
        ({"keywords": {"not": [{"support": "UNKNOWN", "when": {"root": True}}]}}, "/keywords/not"),
        ({"keywords": {"not": [{"support": "UNKNOWN"}, {"support": "UNKNOWN"}]}}, "/keywords/not"),
        (
            {"keywords": {"not": [{"support": "UNKNOWN", "when": {"moon": 1}}, {"support": "UNKNOWN"}]}},
            "moon",
        ),
        ({"limits": [{"measure": "weight", "most": 1, "support": "UNKNOWN"}]}, "/limits/0/measure"),
        ({"tool_name": {"pattern": "(a+)+", "support": "UNKNOWN"}}, "/tool_name/pattern"),
        ({"envelopes": {"Tool": {}}}, "/envelopes/Tool"),
        ({"keywords": {str(n): {"support": "UNKNOWN"} for n in range(501)}}, "/keywords"),
    ],
)
def test_what_is_no_profile_is_refused_with_its_place(changes: dict[str, Any], place: str) -> None:
    with pytest.raises(InvalidRequest, match=place):
        provider_profile(json.dumps({**OWN, **changes}))


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff", b"[" * 300_000, b'{"id": "' + b"x" * 300_000])
def test_what_is_no_document_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidRequest):
        provider_profile(content)


def test_a_profile_of_ones_own_is_read() -> None:
    profile = provider_profile(json.dumps(OWN))

    assert profile.cell(Site("type", "string", {})).support is Support.ENFORCED
    assert profile.shape("recursion").support is Support.UNKNOWN
    assert set(STRUCTURE) & set(profile.structure) == set()
