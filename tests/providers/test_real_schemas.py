"""What must hold of every compiled form, for real schemas and for those of the official suite: nothing is lost without a word, and
answers come back as they were meant. `make test-deep` takes all schemas and all profiles."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

import pytest

from llm_schema_engines import provider_profiles
from tests.api.server import ROOT
from tests.providers.properties import Seen, examine

DATA = ROOT.parent / "shared" / "data"
REAL, SUITE = DATA / "schemastore-pairs.jsonl", DATA / "json-schema-test-suite"
MOST_BYTES = 200_000
DRAFTS = {
    "draft7": "http://json-schema.org/draft-07/schema#",
    "draft2019-09": "https://json-schema.org/draft/2019-09/schema",
    "draft2020-12": "https://json-schema.org/draft/2020-12/schema",
}


def real() -> Iterator[str]:
    """Schemas that people use, each once."""
    seen: set[str] = set()
    for line in REAL.read_text(encoding="utf-8").splitlines():
        pair = json.loads(line)
        for key in ("old", "new"):
            text = pair[key] if isinstance(pair[key], str) else json.dumps(pair[key])
            if text not in seen and len(text) < MOST_BYTES:
                seen.add(text)
                yield text


def suite() -> Iterator[str]:
    """Schemas of the official suite, each once."""
    seen: set[str] = set()
    for draft, uri in DRAFTS.items():
        for file in sorted((SUITE / "tests" / draft).glob("*.json")):
            for case in json.loads(file.read_text(encoding="utf-8")):
                if isinstance(case["schema"], dict):
                    text = json.dumps({"$schema": uri, **case["schema"]})
                    if text not in seen:
                        seen.add(text)
                        yield text


def hold(texts: list[str], profiles: list[str], seed: int, instances: int = 12) -> Seen:
    seen, r = Seen(), random.Random(seed)
    for text in texts:
        for name in profiles:
            examine(text, provider_profiles()[name], seen, r, instances=instances, seconds=0.3)
    return seen


@pytest.mark.skipif(not REAL.exists(), reason="the data is not beside the repository")
def test_real_schemas_lose_nothing_without_a_word() -> None:
    small = [text for text in real() if len(text) < 6000]
    seen = hold(random.Random(3).sample(small, 25), ["openai-strict", "anthropic-strict", "gemini-schema"], 3)

    assert seen.problems == []
    assert seen.counts["compiled"] > 50


@pytest.mark.skipif(not SUITE.is_dir(), reason="the data is not beside the repository")
def test_schemas_of_the_suite_lose_nothing_without_a_word() -> None:
    seen = hold(
        random.Random(4).sample(list(suite()), 60), ["openai-strict", "gemini-json-schema", "llguidance"], 4
    )

    assert seen.problems == []
    assert seen.counts["decoded"] > 500


@pytest.mark.deep
@pytest.mark.skipif(not REAL.exists() or not SUITE.is_dir(), reason="the data is not beside the repository")
@pytest.mark.parametrize("profile", list(provider_profiles()))
def test_no_schema_loses_anything_without_a_word(profile: str) -> None:
    seen = hold([*real(), *suite()], [profile], 5)

    print(profile, dict(seen.counts))
    assert seen.problems == []
    assert seen.counts["compiled"] + seen.counts["refused"] > 1000
