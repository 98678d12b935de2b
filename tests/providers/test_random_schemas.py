"""Random schemas, compiled for every profile and for some that take fewer names, with `jsonschema` as the independent judge: answers
that the form accepts decode to what is meant, what the schema refuses is told by a loss, and what is meant comes back."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from llm_schema_engines import (
    CompiledForm,
    ConversionRefused,
    DataRefused,
    Decoder,
    InvalidRequest,
    InvalidSchema,
    LossEffect,
    Profile,
    Verdict,
    compile_for,
    provider_profiles,
)
from llm_schema_engines.providers.compiling import enforced
from tests.providers.random_schemas import accepts, schemas, values
from tests.providers.test_compiling import renaming

PROFILES = {
    **{name: profile for name, profile in provider_profiles().items() if profile.enforces},
    **{f"own-{base}": renaming(base) for base in ("openai-strict", "gemini-json-schema", "cohere")},
}


def problems(schema: Any, profile: Profile, r: random.Random, count: int = 8) -> list[str]:
    """What is wrong with the form of a schema."""
    try:
        form = compile_for(json.dumps(schema), profile, prove_seconds=0.1)
    except (InvalidSchema, InvalidRequest):
        return []
    except ConversionRefused:
        found = [value for value in values(r, schema, count) if accepts(schema, value)]
        return [f"refused, though {found[0]} is valid"] if found else []
    wrong = [f"silent {loss.effect} {loss.pointer}" for loss in form.losses if "by comparing" in loss.message]
    decoder = Decoder(form.decoder)
    sent = enforced(json.loads(form.schema), profile)
    meant = json.loads(form.meant)
    for value in values(r, schema, count):
        if accepts(meant, value):
            wrong += _comes_back(decoder, sent, value)
        wrong += _told(form, accepts(schema, value), accepts(meant, value), value)
    for answer in values(r, sent, count):
        if not accepts(sent, answer):
            continue
        try:
            value = json.loads(decoder.decode(json.dumps(answer)))
        except DataRefused:
            continue
        if accepts(meant, value) is False:
            wrong.append(f"{answer} decodes to {value}, which is not meant")
        wrong += _told(form, accepts(schema, value), True, value)
    return wrong


def _comes_back(decoder: Decoder, sent: Any, value: Any) -> list[str]:
    try:
        answer = json.loads(decoder.encode(json.dumps(value)))
        back = json.loads(decoder.decode(json.dumps(answer)))
    except DataRefused as error:
        return [f"{value} is meant and has no place: {error}"]
    if json.dumps(back, sort_keys=True) != json.dumps(value, sort_keys=True):
        return [f"{value} comes back as {back}"]
    return [f"{value} is sent as {answer}, which the form refuses"] if accepts(sent, answer) is False else []


def _told(form: CompiledForm, valid: bool | None, meant: bool | None, value: Any) -> list[str]:
    if meant and valid is False:
        told = form.widened is not Verdict.YES and any(x.effect is LossEffect.WIDENED for x in form.losses)
        return [] if told else [f"{value} is not valid, and no loss says so"]
    if valid and meant is False:
        told = form.narrowed is not Verdict.YES and any(x.effect is LossEffect.NARROWED for x in form.losses)
        return [] if told else [f"{value} cannot be answered, and no loss says so"]
    return []


@pytest.mark.parametrize("profile", list(PROFILES))
def test_random_schemas_lose_nothing_without_a_word(profile: str) -> None:
    r = random.Random(f"{profile} 1")

    assert [(s, p) for s in schemas(r, 12) for p in problems(s, PROFILES[profile], r)] == []


@pytest.mark.deep
@pytest.mark.parametrize("profile", list(PROFILES))
def test_many_random_schemas_lose_nothing_without_a_word(profile: str) -> None:
    r = random.Random(f"{profile} 2")

    assert [(s, p) for s in schemas(r, 1500) for p in problems(s, PROFILES[profile], r)] == []
