"""Programs of the providers as judges: llguidance takes the forms for its profile and enforces them;
the helpers of OpenAI and Anthropic change nothing in the forms that are made for them."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from llm_schema_engines import compare, compile_for
from llm_schema_engines.providers.compiling import enforced
from llm_schema_engines.providers.reading import shipped
from tests.formats.json_schema.oracles import instance
from tests.integrations.kit import library
from tests.providers.properties import validator
from tests.providers.test_compiling import ORDER
from tests.providers.test_grammar import RECURSIVE, SCHEMAS

FORMS: dict[str, Any] = {**SCHEMAS, **RECURSIVE, "order": ORDER}


@pytest.mark.parametrize("name", list(FORMS))
def test_llguidance_takes_the_forms_of_its_profile(name: str) -> None:
    llguidance = library("llguidance")
    form = compile_for(json.dumps(FORMS[name]), "llguidance", prove_seconds=0)

    grammar = llguidance.LLMatcher.grammar_from_json_schema(form.schema)
    assert llguidance.LLMatcher.validate_grammar(grammar) == ""


@pytest.mark.parametrize("name", list(FORMS))
def test_what_llguidance_accepts_the_form_accepts(name: str) -> None:
    llguidance = library("llguidance")
    from tests.providers.test_grammar import _accepts, _matcher

    form = compile_for(json.dumps(FORMS[name]), "llguidance", prove_seconds=0)
    wire = json.loads(form.schema)
    matcher = _matcher(llguidance, llguidance.LLMatcher.grammar_from_json_schema(form.schema))
    sent, r = validator(json.dumps(enforced(wire, shipped()["llguidance"]))), random.Random(3)

    for _ in range(60):
        document = json.dumps(instance(r, wire, wire), separators=(",", ":")).encode()
        assert not _accepts(matcher, document) or sent.accepts(document), document


@pytest.mark.parametrize("name", list(FORMS))
def test_the_helper_of_anthropic_changes_nothing_that_counts(name: str) -> None:
    anthropic = library("anthropic")
    form = compile_for(json.dumps(FORMS[name]), "anthropic-strict", prove_seconds=0)
    if any(word in form.schema for word in ('"pattern":', '"type":["', '"const":')):
        pytest.skip("the helper moves patterns and constants to prose, and fails on lists of types")

    helped = json.dumps(anthropic.transform_schema(json.loads(form.schema)))
    assert compare(helped, form.schema)
    assert compare(form.schema, helped)


@pytest.mark.parametrize("name", list(FORMS))
def test_the_helper_of_openai_changes_nothing(name: str) -> None:
    strict = library("openai.lib._pydantic")._ensure_strict_json_schema
    form = json.loads(compile_for(json.dumps(FORMS[name]), "openai-strict", prove_seconds=0).schema)

    assert strict(json.loads(json.dumps(form)), path=(), root=form) == form
